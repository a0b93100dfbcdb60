"""The rows of a split after its recipe: which are wanted, filtered, mapped; whatever they are read from.

Here formats meet: each gives its rows with their numbers, and the rest is the same for all. What a row must be is
`fineforge.dataset.rows`; where the result goes is `fineforge.dataset.preparation`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.facts import DatasetFact
from fineforge.core.objects import SpecPath
from fineforge.dataset import cache, encode, filters, recipe
from fineforge.dataset.child import Child
from fineforge.dataset.fetch import Pieces
from fineforge.dataset.local import content, lines
from fineforge.dataset.mapping import NoConversation, conversation
from fineforge.dataset.places import Places
from fineforge.dataset.rows import BadRow, Checks, parsed
from fineforge.host.files import open_regular
from fineforge.host.worker import Pending

Row = tuple[int, bytes | None, Any]
"""Its number in the source, from 1; its line, where it is one already; its value, where it has been read."""


class Reader(Protocol):
    """A source split."""

    def total(self) -> int: ...

    def columns(self) -> list[str] | None:
        """The names of all columns, where they are known before rows are read."""
        ...

    def rows(self, wanted: Sequence[int], texts: bool) -> Iterator[Row]:
        """The wanted rows, rising numbers from 0. `texts` says whether lines are needed."""
        ...


@contextmanager
def opened(fact: DatasetFact, scratch: Path, pieces: Pieces, places: Places) -> Iterator[Reader]:
    """The source split of a fact. Fetches what has to be known of a remote one; may put files into `scratch` to read them from.

    A process that decodes rows runs until the context ends. Raises FF606, FF618 to FF622, FF626 to FF628, FF631.
    """
    with Child("parquet") as child:
        yield _opened(fact, scratch, pieces, places, child)


def _opened(fact: DatasetFact, scratch: Path, pieces: Pieces, places: Places, child: Child) -> Reader:
    from fineforge.dataset import hub, parquet, tables, whole

    form = str(fact.selection.get("format") or "jsonl")
    if str(fact.selection.get("source") or "").startswith("hf://"):
        found = hub.split_files(fact, pieces)
        if found.format == "parquet":
            return _Table(parquet.remote(found.files, pieces, child), fact)
        paths = [str(whole.whole(file, pieces)) for file in found.files]
        return _Table(tables.load(found.format, paths, scratch, fact.source, found.options), fact)
    mutable = "" if "source" in fact.selection else form
    if not mutable:
        fact = replace(fact, files=(str(whole.address(fact, pieces)),))
    if form == "jsonl":
        return _Lines(fact, places)
    if form == "parquet":
        return _Table(parquet.local(fact.files, fact.source, child), fact, mutable)
    return _Table(tables.load(form, fact.files, scratch, fact.source), fact, mutable)


def path(fact: DatasetFact) -> SpecPath:
    """A split's place in the spec: of one that is held out, that of `train`."""
    return ("dataset", "splits", "train" if "held_out" in fact.selection else fact.split)


def need_columns(fact: DatasetFact, reader: Reader, required: Sequence[str]) -> None:
    """FF625, once, where a table has not the columns that the recipe or the task needs. Lines have none before they are read."""
    there = reader.columns()
    if there is None:
        return
    asked = {"columns": list((fact.selection.get("columns") or {}).values()), "": list(required) if required else []}
    if expression := fact.selection.get("filter"):
        asked["filter"] = list(filters.columns(str(expression), (*path(fact), "filter")))
    missing = [(key, name) for key, names in asked.items() for name in names if name not in there]
    if missing:
        hint = f"it has {', '.join(f'`{name}`' for name in there)}"
        raise FineforgeError(
            *(
                Diagnostic(
                    "FF625", f"`{fact.source}` has no column `{name}`", path=(*path(fact), key) if key else path(fact), hint=hint
                )
                for key, name in missing
            )
        )


def places(fact: DatasetFact) -> Places:
    """How messages name the rows of a split."""
    inner = fact.selection.get("from") if str(fact.selection.get("source") or "").startswith("hf://") else None
    lines_of_files = fact.selection.get("format", "jsonl") == "jsonl" and inner is None
    return Places(f"{fact.source} {inner}" if inner else fact.source, "line" if lines_of_files else "row")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a recipe makes of a source split before filter and mapping."""

    rows: Sequence[int]
    total: int | None
    """Of the source split, where it had to be known."""


def wanted(fact: DatasetFact, reader: Reader) -> Wanted:
    """The wanted rows. Without a filter, rows held out are taken off already."""
    selection = fact.selection
    total = fact.total
    held = "holdout" in selection or "held_out" in selection
    if total is None and (recipe.needs_total(selection) or (held and "filter" not in selection)):
        total = reader.total()
    rows = recipe.chosen(selection, total)
    if held and "filter" not in selection:
        part = recipe.part(selection, len(rows))
        rows = rows[part.start : part.stop]
    return Wanted(rows, total)


def made(fact: DatasetFact, reader: Reader, rows: Sequence[int], checks: Checks) -> Iterator[Row]:
    """Yield the rows that are left after filter and mapping, each with its line. Note what is wrong with a row in `checks`.

    Raises FineforgeError: FF632 if the filter takes too much time or memory.
    """
    columns = fact.selection.get("columns")
    for number, text, value in _kept(fact, reader.rows(rows, texts=not columns), checks):
        try:
            if isinstance(value, BadRow):
                raise value
            if value is None and text is not None:
                value = parsed(text)
            if columns:
                value = _mapped(value, columns)
                text = encode.line(value)
        except BadRow as bad:
            checks.add(number, *bad.args)
            continue
        yield number, text, value


def _kept(fact: DatasetFact, rows: Iterator[Row], checks: Checks) -> Iterator[Row]:
    """Yield the rows that pass the filter, and a BadRow in place of one that the filter cannot judge."""
    expression = fact.selection.get("filter")
    if expression is None:
        yield from rows
        return
    judge = filters.Filter(str(expression), (*path(fact), "filter"))
    failures: list[FineforgeError] = []
    for batch, answers in _judged(judge, _batches(_until_failure(rows, failures)), checks.places):
        for ((number, text, value), _), answer in zip(batch, answers, strict=True):
            if answer is True:
                yield number, text, value
            elif answer is not False:
                yield number, text, _not_judged(text, value, answer)
    if failures:
        raise failures[0]


def _not_judged(text: bytes | None, value: Any, reason: str | None) -> BadRow:
    try:
        row = parsed(text) if value is None and text is not None else value
    except BadRow as bad:
        return bad
    if not isinstance(row, dict):
        return BadRow("FF624", "not an object, so it cannot be filtered")
    return BadRow("FF624", f"the filter fails: {reason or 'the row is nested too deeplyly'}", f"it has {_names(row)}")


def _until_failure(rows: Iterator[Row], failures: list[FineforgeError]) -> Iterator[Row]:
    """Yield the rows that can be read. Put what ends them into `failures`, so that the rows before are judged first."""
    try:
        yield from rows
    except FineforgeError as error:
        failures.append(error)


_BATCH_ROWS, _BATCH_BYTES = 512, 1 << 20

_Batch = list[tuple[Row, filters.Item]]

_Answers = list[bool | str | None]


def _judged(judge: filters.Filter, batches: Iterator[_Batch], places: Places) -> Iterator[tuple[_Batch, _Answers]]:
    """Yield each batch with the filter's answers. The next batch is read while the child judges one. Raises FF632."""
    with ExitStack() as stack:
        waiting: tuple[_Batch, Pending] | None = None

        def answered(batch: _Batch, pending: Pending) -> tuple[_Batch, _Answers]:
            try:
                return batch, judge.judged(pending)
            except filters.TooMuch as stopped:
                reason, index = stopped.args
                raise filters.too_much(reason, places.name(batch[index][0][0]), judge.path) from None
            finally:
                stack.close()

        for batch in batches:
            done = answered(*waiting) if waiting else None
            waiting = batch, stack.enter_context(judge.submit([item for _, item in batch]))
            if done:
                yield done
        if waiting:
            yield answered(*waiting)


def _batches(rows: Iterator[Row]) -> Iterator[_Batch]:
    batch, size = _Batch(), 0
    for row in rows:
        item = filters.item(row[1], row[2])
        batch.append((row, item))
        size += len(item[1])
        if len(batch) == _BATCH_ROWS or size >= _BATCH_BYTES:
            yield batch
            batch, size = _Batch(), 0
    if batch:
        yield batch


def _mapped(value: Any, columns: dict[str, str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRow("FF625", "not an object, so it has no columns")
    try:
        return conversation(value, columns)
    except NoConversation as failed:
        hint = f"it has {_names(value)}" if failed.missing else ""
        raise BadRow("FF625" if failed.missing else "FF611", str(failed), hint) from None


def _names(value: dict[str, Any]) -> str:
    """The row's columns. Names are no content, but a row may have made them up: long ones are cut."""
    return ", ".join(f"`{str(name)[:40]}`" for name in list(value)[:20]) or "no columns"


def _used(fact: DatasetFact) -> list[str]:
    """Return the columns that the mapping and the filter of a split use: others need not be convertible."""
    names = list((fact.selection.get("columns") or {}).values())
    if expression := fact.selection.get("filter"):
        names += filters.columns(str(expression), (*path(fact), "filter"))
    return list(dict.fromkeys(names))


@dataclass(slots=True)
class _Lines:
    """JSON Lines on this machine, each row as it stands there."""

    fact: DatasetFact
    places: Places

    def total(self) -> int:
        return sum(1 for _ in self._all())

    def columns(self) -> list[str] | None:
        return None

    def rows(self, wanted: Sequence[int], texts: bool) -> Iterator[Row]:
        """Reads on after the last wanted row, to see that the bytes are those that were described."""
        at, count = 0, len(wanted)
        for index, (number, line) in enumerate(self._all()):
            if at < count and wanted[at] == index:
                at += 1
                yield number, line, None

    def _all(self) -> Iterator[tuple[int, bytes]]:
        return lines(self.fact, self.places, lambda: changed(self.fact))


class _Tables(Protocol):
    def total(self) -> int: ...

    def columns(self) -> list[str]: ...

    def tables(self, wanted: Sequence[int]) -> Iterator[Any]: ...


@dataclass(slots=True)
class _Table:
    """Columns, from which rows are made."""

    source: _Tables
    fact: DatasetFact
    mutable: str = ""
    """The format of files that may change while they are read: those of the user."""

    def total(self) -> int:
        return self.source.total()

    def columns(self) -> list[str] | None:
        return self.source.columns()

    def rows(self, wanted: Sequence[int], texts: bool) -> Iterator[Row]:
        at = 0
        used = None if texts else _used(self.fact)
        tables = (table.select(used) if used is not None else table for table in self.source.tables(wanted))
        for table in encode.even(tables, texts, self.fact.source):
            first = at
            try:
                for text, value in encode.rows(table, texts):
                    yield wanted[at] + 1, text, value
                    at += 1
            except encode.NoJson as error:
                index, message = error.args
                row = None if index is None else wanted[first + index] + 1
                raise FineforgeError(encode.no_json(self.fact.source, message, row)) from None
        if self.mutable and content([Path(file) for file in self.fact.files], self.mutable)[0] != self.fact.revision:
            raise changed(self.fact)


def changed(fact: DatasetFact) -> FineforgeError:
    place: SpecPath = ("dataset", "source")
    return FineforgeError(Diagnostic("FF606", f"`{fact.source}` changed while it was read", path=place, hint="plan again"))


def prepared(path: Path) -> Iterator[Row]:
    """The rows of a split that is in the cache already."""
    with cache.writing(path), open_regular(path) as stream:
        for number, line in enumerate(stream, 1):
            yield number, line.removesuffix(b"\n"), None
