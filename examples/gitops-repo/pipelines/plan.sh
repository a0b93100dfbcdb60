#!/usr/bin/env bash
# Plans $TARGET: a page of the run, a comment on the pull request, a file that `apply` applies, and whether anything would change.
set -uo pipefail

# The agent obeys `##vso[...]` wherever it stands in a line, and what fineforge prints quotes specs and services.
plain() { "$@" 2>&1 | sed -u 's/##/# #/g'; }

planned() { fineforge plan . --target "$TARGET" --detailed-exitcode --output markdown --out "$TARGET.plan.json" > "$TARGET.plan.md"; }
plain fineforge validate . --target "$TARGET"
plain planned
code=$?
echo "##vso[task.uploadsummary]$PWD/$TARGET.plan.md"
if [[ -n "${SYSTEM_PULLREQUEST_PULLREQUESTID:-}" ]]; then
  python3 pipelines/comment.py "fineforge $TARGET" "$TARGET.plan.md" || exit 1
fi
case $code in
  0) echo "##vso[task.setvariable variable=changes;isOutput=true]false" ;;
  2 | 3) echo "##vso[task.setvariable variable=changes;isOutput=true]true" ;;
  *) exit "$code" ;;
esac
