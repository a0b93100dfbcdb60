"""Preparation: every row checked, then the wanted rows of every split in a file of their own, in a cache keyed by the recipe.

Rows are streamed; memory does not grow with them but for some 20 bytes each. A file appears in the cache complete or not at
all, and nothing is written before all splits have passed.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineforge.core import DatasetFact
from fineforge.dataset.local import lines, wanted_rows
from fineforge.dataset.rows import Checks, shared_prompts, summary
from fineforge.diagnostics import Diagnostic, FineforgeError, Severity, errors
from fineforge.identity import recipe_digest


@dataclass(frozen=True, slots=True)
class Prepared:
    """One split, ready to be uploaded: JSON Lines, the source's rows byte for byte."""

    split: str
    path: Path
    rows: int
    bytes: int
    sha256: str
    summary: Mapping[str, Any]
    """See `rows.summary`."""


@dataclass(frozen=True, slots=True)
class _Content:
    """What a prepared file holds, known before it is written."""

    rows: int
    bytes: int
    sha256: str
    available: int
    """Rows of the source, of which `rows` are wanted."""


def prepare(
    facts: Mapping[str, DatasetFact], cache: Path, context_length: int | None = None
) -> tuple[dict[str, Prepared], tuple[Diagnostic, ...]]:
    """Prepares all splits before anything is created. Returns the files and the warnings. `context_length` is in tokens.

    Raises FineforgeError with the rows' errors of every split at once (FF603 to FF614); then nothing has been written.
    """
    contents: dict[str, _Content] = {}
    checks = {split: Checks(fact.source, fact.local_path, context_length) for split, fact in facts.items()}
    problems: list[Diagnostic] = []
    for split, fact in facts.items():
        try:
            contents[split] = _inspect(fact, checks[split])
        except FineforgeError as error:
            problems += error.diagnostics
        problems += checks[split].finish()
        problems += _too_few(fact, contents.get(split))
    if "train" in checks:
        problems += [d for split in checks if split != "train" for d in shared_prompts(checks["train"], checks[split])]
    if errors(problems):
        raise FineforgeError(*problems)
    _private(cache)
    prepared = {split: _file(fact, contents[split], summary(checks[split]), cache) for split, fact in facts.items()}
    return prepared, tuple(problems)


def _inspect(fact: DatasetFact, checks: Checks) -> _Content:
    """Reads the whole source: checks the wanted rows, and that its bytes are still those that were described."""
    source, prepared = hashlib.sha256(), hashlib.sha256()
    wanted = fact.rows if fact.rows is not None else wanted_rows(sum(1 for _ in lines(fact, len)), fact.selection)
    size = available = 0
    for number, line in lines(fact, source.update):
        available += 1
        if available <= wanted:
            size += len(line) + 1
            prepared.update(line + b"\n")
            checks.row(number, line)
    if source.hexdigest() != fact.revision:
        raise FineforgeError(_changed(fact))
    return _Content(checks.rows, size, prepared.hexdigest(), available)


def _too_few(fact: DatasetFact, content: _Content | None) -> list[Diagnostic]:
    """A split without rows is an error; with fewer than were asked for, a warning."""
    path, asked = ("dataset", "splits", fact.split), int(fact.selection.get("rows", 0))
    match content:
        case _Content(available=0):
            return [Diagnostic("FF604", f"`{fact.source}` has no rows", path=path)]
        case _Content(rows=0):
            message = f"{fact.selection['percent']} percent of the {content.available} rows of `{fact.source}` is no row"
            return [Diagnostic("FF604", message, path=(*path, "percent"), hint="raise `percent`, or ask for `rows`")]
        case _Content(rows=rows) if rows < asked:
            message = f"`{fact.source}` has {rows} rows, {asked} were asked for; all are used"
            return [Diagnostic("FF607", message, Severity.WARNING, (*path, "rows"))]
    return []


def _private(cache: Path) -> None:
    """The cache holds rows: nobody else may read them, whoever made the folder."""
    with _writing(cache):
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        cache.chmod(0o700)


def _file(fact: DatasetFact, content: _Content, found: Mapping[str, Any], cache: Path) -> Prepared:
    target = cache / f"{recipe_digest(fact)[:32]}-{fact.split}.jsonl"
    with _writing(target):
        if not target.is_file() or _digest(target) != content.sha256:
            _write(fact, content, target)
    return Prepared(fact.split, target, content.rows, content.bytes, content.sha256, found)


def _write(fact: DatasetFact, content: _Content, target: Path) -> None:
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".part-", delete=False) as part:
        try:
            for index, (_, line) in enumerate(lines(fact, len)):
                if index == content.rows:
                    break
                part.write(line + b"\n")
                digest.update(line + b"\n")
            part.flush()
            os.fsync(part.fileno())
            if digest.hexdigest() != content.sha256:
                raise FineforgeError(_changed(fact))
            Path(part.name).replace(target)
        finally:
            Path(part.name).unlink(missing_ok=True)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise FineforgeError(Diagnostic("FF605", f"`{target}` cannot be written: {words}")) from None


def _changed(fact: DatasetFact) -> Diagnostic:
    return Diagnostic("FF606", f"`{fact.source}` changed while it was read", path=("dataset", "source"), hint="plan again")
