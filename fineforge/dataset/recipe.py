"""What a split's recipe says: which rows of the source split are wanted, and what becomes of them.

A recipe is `DatasetFact.selection`: plain values in a canonical form, since they are digested. Nothing here reads rows.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from fineforge.config.spec import Split

EVERY = 1 << 62
"""More rows than any dataset has."""


def selection(split: Split, where: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe of a split; `where` says what its source is beyond its revision. Keys that change nothing are left out."""
    recipe: dict[str, Any] = dict(where)
    recipe |= {"percent": split.percent or 100} if split.rows is None else {"rows": split.rows}
    if split.sample == "random":
        recipe |= {"sample": "random", "seed": split.seed}
    if split.filter is not None:
        recipe["filter"] = split.filter
    if split.columns is not None:
        recipe["columns"] = split.columns.model_dump(exclude_none=True)
    if split.holdout is not None:
        recipe["holdout"] = split.holdout
    return recipe


def wanted_rows(total: int, recipe: Mapping[str, Any]) -> int:
    """How many of `total` rows are used: half to even, as the `datasets` library rounds."""
    if "rows" in recipe:
        return min(int(recipe["rows"]), total)
    return round(total * int(recipe["percent"]) / 100)


def needs_total(recipe: Mapping[str, Any]) -> bool:
    """Whether the source split's number of rows must be known to say which are wanted."""
    return "sample" in recipe or ("rows" not in recipe and recipe["percent"] != 100)


def chosen(recipe: Mapping[str, Any], total: int | None) -> Sequence[int]:
    """The wanted rows of the source split, counted from 0, rising. `total` may be None where it need not be known."""
    if total is None:
        return range(int(recipe.get("rows", EVERY)))
    count = wanted_rows(total, recipe)
    return _sampled(total, count, int(recipe["seed"])) if recipe.get("sample") and count < total else range(count)


def part(recipe: Mapping[str, Any], rows: int) -> range:
    """Which of the rows that are left after filter and mapping belong to this split: all, or those before or after the cut."""
    held = round(rows * int(recipe.get("holdout") or recipe.get("held_out") or 0) / 100)
    return range(rows - held, rows) if "held_out" in recipe else range(rows - held)


def _sampled(total: int, count: int, seed: int) -> Sequence[int]:
    """The `count` rows with the smallest hash of seed and number: the same ones on every machine, and for ever.

    A larger share holds every row of a smaller one. Eight bytes a row, as a list of a million rows would not stay small.
    """
    if not count:
        return range(0)
    start = hashlib.blake2b(f"{seed}:".encode(), digest_size=8)
    hashes = array("Q", (_hash(start, number) for number in range(total)))
    limit = sorted(hashes)[count - 1]
    return array("Q", (number for number, value in enumerate(hashes) if value <= limit))[:count]


def _hash(start: Any, number: int) -> int:
    copy = start.copy()
    copy.update(str(number).encode())
    return int.from_bytes(copy.digest(), "big")
