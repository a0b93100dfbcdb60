#!/usr/bin/env bash
# Fails where somebody else changed something: the pipeline's own notifications tell of it.
set -uo pipefail

# The agent obeys `##vso[...]` wherever it stands in a line, and what fineforge prints quotes specs and services.
plain() { "$@" 2>&1 | sed -u 's/##/# #/g'; }

if git fetch --quiet --depth 1 origin "refs/tags/fineforge/$TARGET" 2> /dev/null; then
  git checkout --quiet --detach FETCH_HEAD || exit 1
fi
{ echo '```text'; NO_COLOR=1 plain fineforge drift . --target "$TARGET"; code=$?; echo '```'; } > "$TARGET.drift.md"
cat "$TARGET.drift.md"
echo "##vso[task.uploadsummary]$PWD/$TARGET.drift.md"
[[ $code -ne 3 ]] || echo "##vso[task.logissue type=error]somebody else changed what stands in $TARGET"
exit "$code"
