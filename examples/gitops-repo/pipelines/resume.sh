#!/usr/bin/env bash
# Goes on with what was applied last, where there is more to do than to undo what somebody else did.
set -uo pipefail

# The agent obeys `##vso[...]` wherever it stands in a line, and what fineforge prints quotes specs and services.
plain() { "$@" 2>&1 | sed -u 's/##/# #/g'; }

if ! git fetch --quiet --depth 1 origin "refs/tags/fineforge/$TARGET" 2> /dev/null; then
  echo "nothing was applied to $TARGET yet"
  exit 0
fi
git checkout --quiet --detach FETCH_HEAD || exit 1
plain fineforge plan . --target "$TARGET" --detailed-exitcode --quiet
code=$?
if [[ $code -eq 2 ]]; then
  plain fineforge apply . --target "$TARGET" --auto-approve --detach
  code=$?
fi
case $code in
  0 | 3 | 5) exit 0 ;; # nothing to do; drift has its own schedule; another apply is under way
  *) exit "$code" ;;
esac
