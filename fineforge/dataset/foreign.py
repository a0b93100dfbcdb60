"""The child process that reads CSV, TSV, JSON and parquet, whose native readers can crash or fill the memory on hostile files.

Called as `python -m fineforge.dataset.foreign FORMAT MEMORY`, MEMORY in bytes or 0. Reads requests from stdin, one JSON object
a line, and ends when stdin ends. Answers each on stdout with lines of JSON: `{"bytes": N}` is followed by N bytes of an Arrow
stream and by another line; `{"kind": ..., "message": ..., "row": ...}` is an error. `fineforge.dataset.child` is its only caller.
"""

from __future__ import annotations

import io
import json
import os
import queue
import re
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fineforge.dataset.encode import BATCH
from fineforge.dataset.sizes import MAX_LINE, pieces, size

if TYPE_CHECKING:
    import pyarrow as pa

_NO_MEMORY = re.compile(r"\b(memory|\w*alloc)\b", re.IGNORECASE)
"""What pandas and its JSON reader call a failed allocation, as an error of another type."""

Answers = Callable[[dict[str, Any], bytes], None]


def main() -> None:
    form, memory = sys.argv[1], int(sys.argv[2])
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not end up in the answers
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests,), daemon=True).start()
    _load_libraries(form)
    _limit(memory)

    def send(header: dict[str, Any], data: bytes = b"") -> None:
        stream.write(json.dumps(header).encode() + b"\n" + data)
        stream.flush()

    while True:
        send(_answered(json.loads(requests.get()), send))


def _receive(requests: queue.SimpleQueue[bytes]) -> None:
    """Pass requests on. The end of stdin ends the process at once, whatever it is doing: its parent has ended or gave up."""
    for line in iter(sys.stdin.buffer.readline, b""):
        requests.put(line)
    os._exit(0)


def _load_libraries(form: str) -> None:
    """Load what will be used, before memory is limited: a library that cannot be loaded is not a fault of a file."""
    if form == "parquet":
        import pyarrow.parquet
    else:
        import datasets
        import pyarrow.json  # noqa: F401

        datasets.disable_progress_bars()
        datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # errors are raised as well, and reported once by the parent


def _limit(memory: int) -> None:
    if not memory:
        return
    import resource

    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + memory, used + memory))


def _answered(request: dict[str, Any], send: Answers) -> dict[str, Any]:
    """Return the last line of the answer."""
    try:
        return _OPERATIONS[request["do"]](request, send)
    except _RowError as error:
        return {"kind": error.kind, "row": error.row, "message": error.message}
    except MemoryError:
        return {"kind": "memory"}
    except Exception as error:  # libraries wrap errors of pandas, pyarrow and their own; only their texts are of use
        chain = _chain(error)
        if any(isinstance(each, MemoryError) or _NO_MEMORY.search(str(each)) for each in chain):
            return {"kind": "memory"}
        cause = chain[-1]
        if isinstance(cause, OSError) and cause.errno is not None:
            return {"errno": cause.errno, "message": _first_line(cause)}
        return {"kind": "damaged", "message": _first_line(cause)}


def _load(request: dict[str, Any], _: Answers) -> dict[str, Any]:
    """Load the files into the scratch folder. Answer `{"files": [...]}`."""
    import datasets

    dataset = datasets.load_dataset(
        request["builder"],
        data_files={"train": request["files"]},
        split="train",
        cache_dir=request["scratch"],
        **request["options"],
    )
    return {"files": [entry["filename"] for entry in dataset.cache_files]}


def _footer(request: dict[str, Any], _: Answers) -> dict[str, Any]:
    """Answer what a parquet file holds: `{"rows": N, "columns": [...], "groups": [[rows, first byte, last byte + 1], ...]}`."""
    metadata = _metadata(request["file"])
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    return {
        "rows": metadata.num_rows,
        "columns": list(metadata.schema.to_arrow_schema().names),
        "groups": [[group.num_rows, *_bounds(group)] for group in groups],
    }


def _bounds(group: Any) -> tuple[int, int]:
    """Where a row group's bytes begin and end: a column begins with its dictionary, if it has one."""
    if not group.num_rows or not group.num_columns:
        return 0, 0
    columns = [group.column(index) for index in range(group.num_columns)]
    starts = [min(filter(None, (column.dictionary_page_offset, column.data_page_offset))) for column in columns]
    return min(starts), max(start + column.total_compressed_size for start, column in zip(starts, columns, strict=True))


def _group(request: dict[str, Any], send: Answers) -> dict[str, Any]:
    """Send the wanted rows of a row group.

    Fewer rows are decoded at once after the memory did not suffice. Rows are counted from the group's first; errors name the
    row in the file.
    """
    rows, done = range(*request["rows"]) if "range" in request else request["rows"], 0
    for count in (BATCH, 16, 1):
        try:
            for batch in _batches(request, min(count, rows[-1] + 1), done, rows[-1] + 1):
                _check(batch, request["first"] + done)
                wanted = [row - done for row in rows[bisect_left(rows, done) : bisect_left(rows, done + len(batch))]]
                _send_rows(batch, wanted, request["first"] + done, send)
                done += len(batch)
            return {}
        except MemoryError:
            continue
    raise _RowError("memory", request["first"] + done + 1)


def _batches(request: dict[str, Any], count: int, start: int, stop: int) -> Iterator[pa.RecordBatch]:
    """Yield rows from `start` on, `count` at once, at least up to `stop`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = request["file"]
    with Path(request.get("piece") or place["path"]).open("rb") as stream:
        source = _Window(stream, request["start"], request["size"]) if "piece" in request else stream
        file = pq.ParquetFile(pa.PythonFile(source, mode="r"), metadata=_metadata(place), buffer_size=1 << 20)
        at = 0
        for batch in file.iter_batches(batch_size=count, row_groups=[request["group"]], use_threads=False):
            if at + len(batch) > start:
                yield batch.slice(max(0, start - at))
            at += len(batch)
            if at >= stop:
                break


def _check(batch: pa.RecordBatch, before: int) -> None:
    """Raise an error with the row's number for values that are invalid, such as text that is not UTF-8."""
    import pyarrow as pa

    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        for index in range(len(batch)):
            try:
                batch.slice(index, 1).validate(full=True)
            except pa.ArrowInvalid as first:
                raise _RowError("damaged", before + index + 1, _first_line(first)) from None
        raise _RowError("damaged", before + 1, _first_line(error)) from None


def _send_rows(batch: pa.RecordBatch, wanted: Sequence[int], before: int, send: Answers) -> None:
    import pyarrow as pa

    if not wanted:
        return
    together = wanted[-1] - wanted[0] + 1 == len(wanted)
    taken = batch.slice(wanted[0], len(wanted)) if together else batch.take(pa.array(wanted))
    at = 0
    for piece in pieces(pa.Table.from_batches([taken])):
        if len(piece) == 1 and size(piece) > MAX_LINE:
            raise _RowError("long", before + wanted[at] + 1)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, piece.schema) as writer:
            writer.write_table(piece)
        data = sink.getvalue()
        send({"bytes": data.size}, data)
        at += len(piece)


_known: dict[str, Any] = {}
"""The footer that was used last, by its place."""


def _metadata(place: dict[str, Any]) -> Any:
    """Read a footer: at the end of a file, or as `length` bytes at `at` of a file that holds a part."""
    import pyarrow.parquet as pq

    key = json.dumps(place)
    if key not in _known:
        _known.clear()
        if "length" in place:
            with Path(place["path"]).open("rb") as stream:
                stream.seek(place["at"])
                _known[key] = pq.read_metadata(io.BytesIO(b"PAR1" + stream.read(place["length"])))
        else:
            _known[key] = pq.read_metadata(place["path"])
    return _known[key]


@dataclass(slots=True)
class _RowError(Exception):
    kind: str
    row: int
    message: str = ""


@dataclass(slots=True)
class _Window:
    """A file of which one stretch is there. pyarrow reads within it, as the footer is known already."""

    stream: BinaryIO
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


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and what caused it, the first cause last."""
    chain = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    return chain


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:160].rstrip(".").lower()


_OPERATIONS = {"load": _load, "footer": _footer, "group": _group}


if __name__ == "__main__":
    main()
