"""Names of the files that fineforge reads next to a spec."""

from __future__ import annotations

LOCK_FILE = "fineforge.lock.yaml"
