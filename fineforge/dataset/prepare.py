"""Preparation: the wanted rows of every split in a file of their own, checked, in a cache that is keyed by the recipe.

Rows are streamed; memory does not grow with the dataset. A file appears in the cache complete or not at all.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineforge.core import DatasetFact
from fineforge.dataset.rows import Checks, shared_prompts, summary
from fineforge.diagnostics import Diagnostic, FineforgeError, errors
from fineforge.identity import recipe_digest

MAX_LINE = 16 << 20
"""Bytes that one row may have."""


@dataclass(frozen=True, slots=True)
class Prepared:
    split: str
    path: Path
    rows: int
    bytes: int
    sha256: str
    summary: Mapping[str, Any]


def prepare(
    facts: Mapping[str, DatasetFact], cache: Path, context_length: int | None = None
) -> tuple[dict[str, Prepared], tuple[Diagnostic, ...]]:
    """Prepares all splits before anything is created. Returns the files and the warnings.

    Raises FineforgeError with the rows' errors of every split at once (FF604 to FF613).
    """
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    prepared: dict[str, Prepared] = {}
    checks: dict[str, Checks] = {}
    problems: list[Diagnostic] = []
    for split, fact in facts.items():
        checks[split] = Checks(fact.source, context_length)
        try:
            prepared[split] = _split(fact, cache, checks[split])
        except FineforgeError as error:
            problems += error.diagnostics
        problems += checks[split].finish()
    if "train" in checks:
        problems += [d for split in ("validation", "test") if split in checks for d in shared_prompts(checks["train"], checks[split])]
    if errors(problems):
        raise FineforgeError(*problems)
    return prepared, tuple(problems)


def wanted_rows(total: int, selection: Mapping[str, Any]) -> int:
    """How many of `total` rows are used, counted from the first: half to even, as the `datasets` library rounds."""
    if "rows" in selection:
        return min(int(selection["rows"]), total)
    return int(round(total * int(selection["percent"]) / 100))


def _split(fact: DatasetFact, cache: Path, checks: Checks) -> Prepared:
    source = Path(fact.local_path)
    total = sum(1 for _ in _lines(source, fact))
    wanted = wanted_rows(total, fact.selection)
    if wanted == 0:
        asked = ", ".join(f"{key} {value}" for key, value in fact.selection.items())
        message = f"`{fact.source}` has {total} rows; {asked} of them is none" if total else f"`{fact.source}` is empty"
        raise FineforgeError(Diagnostic("FF604", message, path=("dataset", "splits", fact.split)))
    target = cache / f"{recipe_digest(fact)[:32]}-{fact.split}.jsonl"
    digest, size = hashlib.sha256(), 0
    with tempfile.NamedTemporaryFile(dir=cache, prefix=".part-", delete=False) as part:
        try:
            for number, line in enumerate(_lines(source, fact), 1):
                if number > wanted:
                    break
                checks.row(number, line)
                part.write(line + b"\n")
                digest.update(line + b"\n")
                size += len(line) + 1
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(target)
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise FineforgeError(Diagnostic("FF605", f"`{target}` cannot be written: {words}")) from None
        finally:
            Path(part.name).unlink(missing_ok=True)
    return Prepared(fact.split, target, wanted, size, digest.hexdigest(), summary(checks, size))


def _lines(file: Path, fact: DatasetFact) -> Iterator[bytes]:
    """The rows of a file, blank lines skipped, line ends cut."""
    try:
        with file.open("rb") as stream:
            number = 0
            while line := stream.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    message = f"`{fact.source}`: row {number} is longer than {MAX_LINE >> 20} MiB"
                    raise FineforgeError(Diagnostic("FF611", message, hint="is this a JSON Lines file?"))
                if stripped := line.strip():
                    yield stripped
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise FineforgeError(Diagnostic("FF603", f"`{fact.source}` cannot be read: {words}", path=("dataset", "source"))) from None
