"""Parquet files, of which only the row groups that hold wanted rows are read: from this machine, or by HTTP range.

Row groups arrive in parallel and are decoded one after the other by a child process, in parts of some MiB, so that memory does
not grow with the rows. What becomes of rows is not decided here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fineforge.core.diagnostics import FineforgeError
from fineforge.dataset import cache
from fineforge.dataset.child import SECONDS, SECONDS_PER_MIB, Child, check_columns, damaged
from fineforge.dataset.encode import no_json
from fineforge.dataset.fetch import Pieces, Remote
from fineforge.dataset.local import unreadable

if TYPE_CHECKING:
    import pyarrow as pa

IN_FLIGHT = 4
FOOTER = 64 << 10
"""Bytes of a file's end that are fetched first: nearly every footer is shorter."""
MAX_FOOTER = 64 << 20
"""Bytes that a footer may have."""


@dataclass(slots=True)
class Shards:
    """The parquet files of one split, in order."""

    shards: Sequence[_Shard]

    def total(self) -> int:
        """Rows of all files: reads every footer."""
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            return sum(shard.footer["rows"] for shard in pool.map(_Shard.known, self.shards))

    def columns(self) -> list[str]:
        """Those of the first file: reads its footer."""
        return list(self.shards[0].known().footer["columns"])

    def tables(self, wanted: Sequence[int]) -> Iterator[pa.Table]:
        """Yield the wanted rows, rising numbers from 0, in tables of any length; fewer where there are fewer rows."""
        yield from _decoded(self.shards, wanted)


def local(paths: Sequence[str], name: str, child: Child) -> Shards:
    return Shards([_Shard(name if len(paths) == 1 else Path(path).name, child, path=path) for path in paths])


def remote(files: Sequence[Remote], pieces: Pieces, child: Child) -> Shards:
    return Shards([_Shard(file.name, child, remote=file, pieces=pieces) for file in files])


@dataclass(slots=True)
class _Shard:
    """One file: its footer once it is known, and how a row group of it is opened."""

    name: str
    child: Child
    path: str = ""
    remote: Remote | None = None
    pieces: Pieces | None = None
    footer: dict[str, Any] = field(default_factory=dict)
    """What `foreign` answers for `footer`; empty until it is known."""
    place: dict[str, Any] = field(default_factory=dict)
    """Where `foreign` finds the footer."""
    tail: tuple[int, Path] | None = None
    """The end of a remote file that has been fetched: where it begins, and its piece."""

    def known(self) -> _Shard:
        """Read the footer if it is not known yet. Raises FF627, FF628 if two columns have one name, and FF631."""
        if not self.footer:
            self.place = {"path": self.path} if self.remote is None else self._end(self.remote)
            try:
                footer = self.child.ask({"do": "footer", "file": self.place}, self.name)
            except OSError as error:
                raise FineforgeError(unreadable(self.name, error)) from None
            columns = footer["columns"]
            check_columns(self.name, len(columns))
            if twice := sorted({column for column in columns if columns.count(column) > 1}):
                raise FineforgeError(
                    no_json(self.name, f"two columns have the name `{twice[0][:40]}`", hint="rename one of them")
                )
            self.footer = footer
        return self

    def fetch(self, group: int) -> tuple[int, Path] | None:
        """The bytes of a row group as (where they begin, their piece)."""
        if self.remote is None:
            return None
        assert self.pieces is not None
        _, start, end = self.footer["groups"][group]
        if self.tail is not None and self.tail[0] <= start:
            return self.tail
        return start, self.pieces.get(self.remote, start, end)

    def tables(self, group: int, piece: tuple[int, Path] | None, rows: Sequence[int]) -> Iterator[pa.Table]:
        """Yield the rows of a row group, rising numbers from 0. A piece that cannot be decoded is not kept."""
        import pyarrow as pa

        _, start, end = self.footer["groups"][group]
        request = {"do": "group", "file": self.place, "group": group, "rows": list(rows)}
        request["first"] = sum(count for count, _, _ in self.footer["groups"][:group])
        if isinstance(rows, range):
            request |= {"range": True, "rows": [rows.start, rows.stop, rows.step]}
        if piece is not None and self.remote is not None:
            request |= {"piece": str(piece[1]), "start": piece[0], "size": self.remote.size or 0}
        try:
            for data in self.child.stream(request, self.name, SECONDS + SECONDS_PER_MIB * (end - start >> 20)):
                yield pa.ipc.open_stream(data).read_all()
        except OSError as error:
            raise FineforgeError(unreadable(self.name, error)) from None
        except FineforgeError:
            if piece is not None:
                piece[1].unlink(missing_ok=True)
            raise

    def _end(self, remote: Remote) -> dict[str, Any]:
        """Fetch the footer, which lies at the end: its length in four bytes, then `PAR1`."""
        assert self.pieces is not None
        size = remote.size or 0
        start = max(0, size - FOOTER)
        tail = self.pieces.get(remote, start, size)
        data = cache.content(tail)
        length = int.from_bytes(data[-8:-4], "little") + 8
        if data[-4:] != b"PAR1" or not 8 < length <= min(size, MAX_FOOTER):
            tail.unlink(missing_ok=True)
            raise FineforgeError(damaged(self.name, "it has no valid parquet footer"))
        if length > len(data):
            start = max(0, size - length)
            tail = self.pieces.get(remote, start, size)
        self.tail = start, tail
        return {"path": str(tail), "at": size - start - length, "length": length}


@dataclass(frozen=True, slots=True)
class _Job:
    """A row group, and which of its rows are wanted."""

    shard: _Shard
    group: int
    rows: Sequence[int]
    """Counted from the group's first."""

    def fetch(self) -> tuple[int, Path] | None:
        return self.shard.fetch(self.group)


def _jobs(shards: Sequence[_Shard], wanted: Sequence[int]) -> Iterator[_Job]:
    """The row groups that hold wanted rows. Files behind the last wanted row are not touched."""
    first, index = 0, 0
    for shard in shards:
        if index >= len(wanted):
            return
        for group, (count, _, _) in enumerate(shard.known().footer["groups"]):
            after = first + count
            stop = bisect_left(wanted, after, lo=index)
            if stop > index:
                yield _Job(shard, group, _from(wanted[index:stop], first))
            first, index = after, stop


def _from(rows: Sequence[int], first: int) -> Sequence[int]:
    if isinstance(rows, range):
        return range(rows.start - first, rows.stop - first, rows.step)
    return [row - first for row in rows]


def _decoded(shards: Sequence[_Shard], wanted: Sequence[int]) -> Iterator[pa.Table]:
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        columns: list[str] | None = None
        for job, piece in _ahead(pool, _jobs(shards, wanted)):
            for table in job.shard.tables(job.group, piece, job.rows):
                columns = columns or table.schema.names
                yield _same(table, columns, job.shard.name)


def _ahead(pool: ThreadPoolExecutor, jobs: Iterator[_Job]) -> Iterator[tuple[_Job, tuple[int, Path] | None]]:
    """Row groups in order, while the next ones are on their way. Those are given up where the reader stops."""
    waiting: deque[tuple[_Job, Future[tuple[int, Path] | None]]] = deque()
    try:
        for job in jobs:
            waiting.append((job, pool.submit(job.fetch)))
            if len(waiting) > IN_FLIGHT:
                ready, future = waiting.popleft()
                yield ready, future.result()
        while waiting:
            ready, future = waiting.popleft()
            yield ready, future.result()
    finally:
        for job, future in waiting:
            future.cancel()
            if job.shard.pieces is not None:
                job.shard.pieces.stop.set()


def _same(table: pa.Table, columns: list[str], name: str) -> pa.Table:
    """The columns in the order of the first file."""
    if table.schema.names == columns:
        return table
    if sorted(table.schema.names) != sorted(columns):
        raise FineforgeError(damaged(name, "its columns differ from those of the first file"))
    return table.select(columns)
