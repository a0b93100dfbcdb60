"""Preparation: every row checked, then the wanted rows of every split in a file of their own, in a cache keyed by the recipe.

Rows are streamed once; memory does not grow with them but for some 20 bytes each. A file appears in the cache complete or not
at all, and none appears before all splits have passed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from fineforge.core.diagnostics import Diagnostic, FineforgeError, Severity, errors
from fineforge.core.facts import DatasetFact
from fineforge.core.objects import SpecPath
from fineforge.dataset import cache, reading, recipe, records
from fineforge.dataset.fetch import Pieces
from fineforge.dataset.rows import WARNINGS, Checks, parsed, shared_prompts, summary

Progress = Callable[[str, int, int | None, int], object]
"""Gets the split, how many rows are done, how many there will be (None: not known), and the bytes fetched so far. Is called from
several threads, and may end the preparation by an exception of its own."""

_OUT_OF_REACH = ("FF619", "FF620", "FF622")
"""After these, nobody waits for the other splits of the same source to fail as well."""

_TOLD = 256
"""Rows after which progress is told."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One split, ready to be uploaded: JSON Lines."""

    split: str
    path: Path
    rows: int
    bytes: int
    sha256: str
    summary: Mapping[str, Any]
    """See `rows.summary`."""


@dataclass(slots=True)
class _Content:
    """What a prepared file holds."""

    rows: int = 0
    bytes: int = 0
    available: int | None = None
    """Rows of the source split, where known."""
    digest: Any = field(default_factory=hashlib.sha256)
    plain: bool = True
    """Whether the rows are the source's first ones without a gap, so that their numbers are known without the source."""


def prepare(
    facts: Mapping[str, DatasetFact],
    cache_folder: Path,
    context_length: int | None = None,
    required_columns: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> tuple[dict[str, Prepared], tuple[Diagnostic, ...]]:
    """Prepares all splits before anything is created. Returns the files and the warnings. `context_length` is in tokens.

    With `required_columns` rows are objects that have those columns, else conversations. Data assets of the workspace are left
    out. Raises FineforgeError with the rows' errors of every split at once (FF603 to FF628); then no file is left.
    """
    begun = time.time()
    cache.limit()
    own = {split: fact for split, fact in facts.items() if not fact.asset}
    columns = tuple(required_columns) if required_columns is not None else None
    checks = {
        split: Checks(reading.places(fact), context_length, columns, reading.path(fact), trained=split != "test")
        for split, fact in own.items()
    }
    problems: list[Diagnostic] = []
    with contextlib.ExitStack() as stack:
        jobs = {split: _Job(fact, checks[split], cache.private(cache_folder), progress) for split, fact in own.items()}
        out_of_reach: set[str] = set()
        for split, job in jobs.items():
            if job.fact.source in out_of_reach:
                continue
            try:
                job.run(stack)
            except FineforgeError as error:
                problems += [problem for problem in error.diagnostics if problem not in problems]
                if any(problem.code in _OUT_OF_REACH for problem in error.diagnostics):
                    out_of_reach.add(job.fact.source)
            problems += [problem for problem in (*checks[split].finish(), *job.too_few()) if problem not in problems]
        if "train" in checks:
            problems += [d for split in checks if split != "train" for d in shared_prompts(checks["train"], checks[split])]
        if errors(problems):
            raise FineforgeError(*problems)
        prepared = {split: job.finish() for split, job in jobs.items()}
    cache.evict(cache_folder, begun)
    return prepared, tuple(problems)


@dataclass(slots=True)
class _Job:
    """The preparation of one split."""

    fact: DatasetFact
    checks: Checks
    cache: Path
    progress: Progress | None
    content: _Content = field(default_factory=_Content)
    wanted: int | None = None
    """Rows that there will be, where known."""
    pieces: Pieces = field(init=False)
    part: BinaryIO | None = None
    """The new file; None where the one in the cache is used."""
    done: bool = False

    def __post_init__(self) -> None:
        self.pieces = Pieces(self.cache / "pieces", told=self._tell)

    def run(self, stack: contextlib.ExitStack) -> None:
        """Checks every row, and writes those of a new file into `part`, which lives as long as `stack`."""
        record = self._usable()
        if record is not None:
            self.content.available = record["available"]
            for number, text, _ in reading.prepared(self.target):
                self._take(number, text or b"", parsed(text or b""))
        else:
            self.part = stack.enter_context(cache.unfinished(self.cache))
            with cache.scratch(self.cache) as scratch:
                self._read(scratch)
        self.wanted = self.content.rows
        self._tell()
        self.done = True

    @property
    def target(self) -> Path:
        return records.target(self.fact, self.cache)

    def too_few(self) -> list[Diagnostic]:
        """A split without rows is an error; with fewer than were asked for, a warning."""
        fact, path, asked = self.fact, reading.path(self.fact), int(self.fact.selection.get("rows", 0))
        if not self.done or set(self.checks.counts) - WARNINGS:  # rows that are wrong are not counted as rows
            return []
        if self.checks.rows:
            few = "filter" not in fact.selection and "held_out" not in fact.selection and "holdout" not in fact.selection
            if few and self.content.rows < asked:
                message = f"`{fact.source}` has {self.content.rows} rows, but {asked} were requested; all are used"
                return [Diagnostic("FF607", message, Severity.WARNING, (*path, "rows"))]
            return []
        return [_no_rows(fact, self.content.available, path)]

    def finish(self) -> Prepared:
        """Gives the new file its name, and notes beside it what is in it."""
        found = summary(self.checks)
        content, digest = self.content, self.content.digest.hexdigest()
        if self.part is not None:
            with cache.writing(self.target):
                cache.finish(self.part, self.target)
        record = {
            "rows": content.rows,
            "bytes": content.bytes,
            "sha256": digest,
            "available": content.available,
            "plain": content.plain,
            "summary": {**found, "warnings": dict(Counter(self.checks.counts))},
        }
        with cache.unfinished(self.cache) as part:
            part.write(json.dumps(record).encode())
            cache.finish(part, self.target.with_suffix(".json"), durable=False)
        cache.touch(self.target)
        return Prepared(self.fact.split, self.target, content.rows, content.bytes, digest, found)

    def _usable(self) -> Mapping[str, Any] | None:
        """The record of the file in the cache, where that is whole, and its rows can be named without the source."""
        record = records.record(self.fact, self.cache)
        if record is None or not record["plain"] or not self.target.is_file():
            return None
        with cache.writing(self.target):
            return record if cache.digest(self.target) == record["sha256"] else None

    def _read(self, scratch: Path) -> None:
        with reading.opened(self.fact, scratch, self.pieces, self.checks.places) as reader:
            self._write(reader)

    def _write(self, reader: reading.Reader) -> None:
        reading.need_columns(self.fact, reader, self.checks.columns or ())
        wanted = reading.wanted(self.fact, reader)
        self.content.available = wanted.total
        self.wanted = len(wanted.rows) if wanted.total is not None and "filter" not in self.fact.selection else None
        part = self._part(reader, wanted.rows)
        for index, (number, text, value) in enumerate(reading.made(self.fact, reader, wanted.rows, self.checks)):
            if index in part:
                self._take(number, text or b"", value)
            if index % _TOLD == 0:
                self._tell()

    def _part(self, reader: reading.Reader, rows: Sequence[int]) -> range:
        """Which of the rows that are left belong to this split. Behind a filter they must be counted before they can be cut."""
        held = "holdout" in self.fact.selection or "held_out" in self.fact.selection
        if not held or "filter" not in self.fact.selection:
            return range(recipe.EVERY)
        counting = Checks(self.checks.places)
        return recipe.part(self.fact.selection, sum(1 for _ in reading.made(self.fact, reader, rows, counting)))

    def _take(self, number: int, text: bytes, value: Any) -> None:
        content = self.content
        self.checks.row(number, value)
        content.rows += 1
        content.plain = content.plain and number == content.rows
        content.bytes += len(text) + 1
        content.digest.update(text)
        content.digest.update(b"\n")
        if self.part is not None:
            self.part.write(text)
            self.part.write(b"\n")

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.fact.split, self.content.rows, self.wanted, self.pieces.arrived)


def _no_rows(fact: DatasetFact, available: int | None, path: SpecPath) -> Diagnostic:
    recipe = fact.selection
    if available and "filter" not in recipe and ("holdout" in recipe or "held_out" in recipe):
        message = (
            f"{recipe.get('holdout') or recipe['held_out']} % of the rows of `{fact.source}` rounds to zero rows to hold out"
        )
        return Diagnostic("FF604", message, path=(*path, "holdout"), hint="raise `holdout`")
    if available and "percent" in recipe and "filter" not in recipe:
        message = f"{recipe['percent']} % of the {available} rows of `{fact.source}` rounds to zero rows"
        return Diagnostic("FF604", message, path=(*path, "percent"), hint="raise `percent`, or set `rows`")
    if "filter" in recipe:
        message = f"no row of `{fact.source}` passes the filter"
        return Diagnostic(
            "FF604",
            message,
            path=(*path, "filter"),
            hint="text comparison is case-sensitive, and numbers compare only with numbers",
        )
    return Diagnostic("FF604", f"`{fact.source}` has no rows", path=path)
