"""What is known of splits that are in the cache: a file of rows, and beside it a record of what they are like.

Reads no rows. Here belong the names of the two files and the record's shape; writing them is `fineforge.dataset.preparation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fineforge.core.diagnostics import FineforgeError
from fineforge.core.facts import DatasetFact
from fineforge.host.files import JsonError, read_json
from fineforge.resources.naming import recipe_digest


def checked(facts: Mapping[str, DatasetFact], cache_folder: Path) -> dict[str, Mapping[str, Any]]:
    """By split, the summary of a preparation that is in the cache; nothing of splits that are not. Reads no rows."""
    found = {}
    for split, fact in facts.items():
        known, file = record(fact, cache_folder), target(fact, cache_folder)
        if known is not None and not fact.asset and file.is_file() and file.stat().st_size == known["bytes"]:
            found[split] = known["summary"]
    return found


def target(fact: DatasetFact, folder: Path) -> Path:
    """The file of a prepared split: named by its recipe, so that nothing is ever overwritten by something else."""
    return folder / f"{recipe_digest(fact)[:32]}-{fact.split}.jsonl"


def record(fact: DatasetFact, folder: Path) -> dict[str, Any] | None:
    """What is noted of a prepared file; None where nothing is, or nothing that can be understood."""
    try:
        record = read_json(target(fact, folder).with_suffix(".json"))
    except (FineforgeError, JsonError):
        return None
    needed = {"rows", "bytes", "sha256", "available", "plain", "summary"}
    return record if isinstance(record, dict) and needed <= set(record) else None
