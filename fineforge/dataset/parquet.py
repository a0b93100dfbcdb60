"""Parquet files, of which only the row groups that hold wanted rows are read: from this machine, or by HTTP range.

Row groups arrive in parallel and are decoded one after the other, a thousand rows at a time, so that memory does not grow with
the rows. What becomes of rows is not decided here.
"""

from __future__ import annotations

import io
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.dataset import cache
from fineforge.dataset.encode import BATCH
from fineforge.dataset.fetch import Pieces, Remote
from fineforge.host.files import open_regular

if TYPE_CHECKING:
    import pyarrow as pa

IN_FLIGHT = 4
FOOTER = 64 << 10
"""Bytes of a file's end that are fetched first: nearly every footer is shorter."""


@dataclass(slots=True)
class Shards:
    """The parquet files of one split, in order."""

    shards: Sequence[_Shard]

    def total(self) -> int:
        """Rows of all files: reads every footer."""
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            return sum(shard.metadata.num_rows for shard in pool.map(_Shard.known, self.shards))

    def columns(self) -> list[str]:
        """Those of the first file: reads its footer."""
        return list(self.shards[0].known().metadata.schema.to_arrow_schema().names)

    def tables(self, wanted: Sequence[int]) -> Iterator[pa.Table]:
        """The wanted rows, rising numbers from 0, in tables of BATCH rows; fewer where there are fewer rows."""
        yield from _even(_decoded(self.shards, wanted))


def local(paths: Sequence[str], name: str) -> Shards:
    return Shards([_Shard(name if len(paths) == 1 else Path(path).name, path=path) for path in paths])


def remote(files: Sequence[Remote], pieces: Pieces) -> Shards:
    return Shards([_Shard(file.name, remote=file, pieces=pieces) for file in files])


@dataclass(slots=True)
class _Shard:
    """One file: its footer once it is known, and how a row group of it is opened."""

    name: str
    path: str = ""
    remote: Remote | None = None
    pieces: Pieces | None = None
    metadata: Any = None
    tail: tuple[int, Path] | None = None
    """The end of a remote file that has been fetched: where it begins, and its piece."""

    def known(self) -> _Shard:
        """Reads the footer, if it is not known yet."""
        if self.metadata is None:
            with _damage(self.name):
                self.metadata = self._of_disk() if self.remote is None else self._of_remote(self.remote)
        return self

    def fetch(self, group: int) -> tuple[int, Path] | None:
        """The bytes of a row group as (where they begin, their piece)."""
        if self.remote is None:
            return None
        assert self.pieces is not None
        start, end = _bounds(self.metadata.row_group(group))
        if self.tail is not None and self.tail[0] <= start:
            return self.tail
        return start, self.pieces.get(self.remote, start, end)

    def batches(self, group: int, piece: tuple[int, Path] | None, count: int) -> Iterator[pa.RecordBatch]:
        """The first `count` rows of a row group, or some more. A piece that cannot be decoded is not kept."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with _damage(self.name), io.BytesIO() if piece is None else open_regular(piece[1]) as stream:
                window = _Window(stream, piece[0], self.remote.size or 0) if piece and self.remote else None
                source = pa.PythonFile(window, mode="r") if window else self.path
                file = pq.ParquetFile(source, metadata=self.metadata)
                for batch in file.iter_batches(batch_size=min(BATCH, count), row_groups=[group]):
                    yield batch
                    count -= len(batch)
                    if count <= 0:
                        break
        except FineforgeError:
            if piece is not None:
                piece[1].unlink(missing_ok=True)
            raise

    def _of_disk(self) -> Any:
        import pyarrow.parquet as pq

        return pq.read_metadata(self.path)

    def _of_remote(self, remote: Remote) -> Any:
        """The footer lies at the end: its length in four bytes, then `PAR1`."""
        import pyarrow.parquet as pq

        assert self.pieces is not None
        size = remote.size or 0
        start = max(0, size - FOOTER)
        tail = self.pieces.get(remote, start, size)
        data = cache.content(tail)
        if data[-4:] != b"PAR1":
            tail.unlink(missing_ok=True)
            raise FineforgeError(damaged(self.name, "it does not end as a parquet file does"))
        length = int.from_bytes(data[-8:-4], "little") + 8
        if length > len(data):
            start = max(0, size - length)
            tail = self.pieces.get(remote, start, size)
            data = cache.content(tail)
        self.tail = start, tail
        return pq.read_metadata(io.BytesIO(b"PAR1" + data[-length:]))


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
        metadata = shard.known().metadata
        for group in range(metadata.num_row_groups):
            after = first + metadata.row_group(group).num_rows
            stop = bisect_left(wanted, after, lo=index)
            if stop > index:
                yield _Job(shard, group, [number - first for number in wanted[index:stop]])
            first, index = after, stop


def _decoded(shards: Sequence[_Shard], wanted: Sequence[int]) -> Iterator[pa.Table]:
    import pyarrow as pa

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        columns: list[str] | None = None
        for job, piece in _ahead(pool, _jobs(shards, wanted)):
            at = 0
            for batch in job.shard.batches(job.group, piece, job.rows[-1] + 1):
                columns = columns or batch.schema.names
                table = pa.Table.from_batches([batch])
                rows = [row - at for row in job.rows[bisect_left(job.rows, at) : bisect_left(job.rows, at + len(batch))]]
                at += len(batch)
                if rows:
                    yield _same(_taken(table, rows), columns, job.shard.name)
            pa.default_memory_pool().release_unused()


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


def _taken(table: pa.Table, rows: Sequence[int]) -> pa.Table:
    """A run of rows costs nothing; others are gathered."""
    together = rows[-1] - rows[0] + 1 == len(rows)
    return table.slice(rows[0], len(rows)) if together else table.take(list(rows))


def _same(table: pa.Table, columns: list[str], name: str) -> pa.Table:
    """The columns in the order of the first file."""
    if table.schema.names == columns:
        return table
    if sorted(table.schema.names) != sorted(columns):
        raise FineforgeError(damaged(name, "its columns are not those of the first file"))
    return table.select(columns)


def _even(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of BATCH rows, the last one shorter."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += len(table)
        if count >= BATCH:
            whole = pa.concat_tables(waiting, promote_options="permissive") if len(waiting) > 1 else waiting[0]
            whole_rows = count - count % BATCH
            for at in range(0, whole_rows, BATCH):
                yield whole.slice(at, BATCH)
            waiting, count = ([whole.slice(whole_rows)] if count % BATCH else []), count % BATCH
    if count:
        yield pa.concat_tables(waiting, promote_options="permissive")


def _bounds(group: Any) -> tuple[int, int]:
    """Where a row group's bytes begin and end: a column begins with its dictionary, if it has one."""
    columns = [group.column(index) for index in range(group.num_columns)]
    starts = [min(filter(None, (column.dictionary_page_offset, column.data_page_offset))) for column in columns]
    return min(starts), max(start + column.total_compressed_size for start, column in zip(starts, columns, strict=True))


@dataclass(slots=True)
class _Window:
    """A file of which one stretch is there. pyarrow reads within it, as the footer is known already."""

    stream: Any
    start: int
    size: int
    position: int = 0
    closed: bool = field(default=False)

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset + (0, self.position, self.size)[whence]
        return self.position

    def tell(self) -> int:
        return self.position

    def read(self, count: int = -1) -> bytes:
        if self.position < self.start:
            raise OSError("bytes that were not fetched")
        self.stream.seek(self.position - self.start)
        data: bytes = self.stream.read(count)
        self.position += len(data)
        return data

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def flush(self) -> None: ...

    def close(self) -> None: ...


def damaged(name: str, words: str) -> Diagnostic:
    remote = name.startswith(("hf://", "https://"))
    hint = (
        "if it is whole at its source, run the same command again: nothing damaged is kept"
        if remote
        else "mend it, or write it anew: it is not what its ending says"
    )
    return Diagnostic("FF627", f"`{name}` is damaged: {words}", path=("dataset", "source"), hint=hint)


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """What pyarrow finds wrong with a file."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FineforgeError(damaged(name, words[:160].rstrip(".").lower())) from None
