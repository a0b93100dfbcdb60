#!/usr/bin/env bash
# Applies the plan that was approved. The tag says from then on what `resume` goes on with, whether the apply ends well or not.
set -euo pipefail

# The agent obeys `##vso[...]` wherever it stands in a line, and what fineforge prints quotes specs and services.
plain() { "$@" 2>&1 | sed -u 's/##/# #/g'; }

git push --quiet --force origin "HEAD:refs/tags/fineforge/$TARGET"
plain fineforge apply "$TARGET.plan.json" --detach --lock-timeout 30m
