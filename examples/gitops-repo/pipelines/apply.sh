#!/usr/bin/env bash
# Applies the plan that was approved. The tag says from then on what `resume` goes on with, whether the apply ends well or not.
set -euo pipefail

git push --quiet --force origin "HEAD:refs/tags/fineforge/$TARGET"
fineforge apply "$TARGET.plan.json" --detach --lock-timeout 30m
