"""The parent's side of the child process that reads foreign formats: starts, asks, limits and stops `fineforge.dataset.foreign`.

Native code that reads hostile files may crash, run for hours or fill the memory. In a child process each of these is an error
of one file. The child has no secrets in its environment, and ends with its parent, because its stdin ends then.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.dataset.sizes import MAX_LINE

SECONDS = 120
"""Seconds that the child process may take for any answer."""
SECONDS_PER_MIB = 1
"""Further seconds for each MiB of the files: a usual machine reads at least ten times as fast."""

MEMORY = {"parquet": 160 << 20, "json": 224 << 20, "csv": 640 << 20}
"""Bytes that the child may allocate once its libraries are loaded, by format.

The CSV reader holds 10,000 rows at once, and types are inferred from all of them, so fewer would give other types.
"""
MAX_COLUMNS = 10_000

_LIBRARIES = 256 << 20
"""Bytes that the child uses before it reads anything, at most."""
_POLL = 0.1
"""Seconds between two looks at what the child uses, and at the clock."""
_ENVIRONMENT = ("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
_FIXED = {
    # Memory is counted where it is reserved, so no library may reserve more than it uses.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


@dataclass(slots=True)
class Child:
    """A child process, started when it is first asked. One that crashed or was stopped is started again."""

    format: str
    """`parquet`, `json` or `csv`: chooses the libraries and the memory limit."""
    polled: int = 0
    """Bytes that the child may use in all. The parent polls what it uses, if this is not 0 or the system has no limit to set."""
    _running: _Running | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def ask(self, request: Mapping[str, Any], name: str, seconds: float = SECONDS) -> dict[str, Any]:
        """Return the answer to a request. Raises FF610, FF627 and FF631 about the file `name`, and OSError as the child does."""
        with self._lock:
            running = self._send(request)
            return self._header(running, name, seconds)

    def stream(self, request: Mapping[str, Any], name: str, seconds: float = SECONDS) -> Iterator[bytes]:
        """Yield the parts of the answer to a request. Stop the child if the caller does not read to the end. Raises as `ask`."""
        complete = False
        try:
            running = self._send(request)
            while "bytes" in (header := self._header(running, name, seconds)):
                data = running.answers.read(header["bytes"])
                if len(data) < header["bytes"]:
                    raise self._ended(running, name, seconds)
                yield data
            complete = True
        finally:
            if not complete:
                self._stop()

    def _send(self, request: Mapping[str, Any]) -> _Running:
        self._running = self._running or _start(self.format, self.polled)
        with contextlib.suppress(OSError):  # it has ended, which shows when its answer is read
            self._running.requests.write(json.dumps(request).encode() + b"\n")
            self._running.requests.flush()
        return self._running

    def _header(self, running: _Running, name: str, seconds: float) -> dict[str, Any]:
        running.deadline = time.monotonic() + seconds
        line = running.answers.readline()
        running.deadline = float("inf")
        if not line.endswith(b"\n"):
            raise self._ended(running, name, seconds)
        header: dict[str, Any] = json.loads(line)
        if "kind" in header:
            raise FineforgeError(_problem(header, name))
        if "errno" in header:
            raise OSError(header["errno"], os.strerror(header["errno"]))
        return header

    def _ended(self, running: _Running, name: str, seconds: float) -> FineforgeError:
        status = self._stop()
        if running.ended == "time":
            return FineforgeError(too_much(name, f"takes longer than {seconds:,.0f} seconds to read"))
        if running.ended == "memory" or b"bad_alloc" in running.words:
            return FineforgeError(_problem({"kind": "memory"}, name))
        return FineforgeError(damaged(name, f"its reader crashed (exit status {status})"))

    def _stop(self) -> int | None:
        running, self._running = self._running, None
        return running.stop() if running else None


@dataclass(slots=True)
class _Running:
    """A process with its pipes, and the thread that stops it at its limits."""

    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]
    errors: IO[bytes]
    memory: int
    """Bytes that the process may use, or 0 where the system sets the limit."""
    deadline: float = float("inf")
    ended: str = ""
    """`time` or `memory`, if it was stopped for that."""
    words: bytes = b""
    """The end of what it wrote to stderr, once it has stopped."""
    stopped: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while self.process.poll() is None and not self.ended:
            if time.monotonic() > self.deadline:
                self.ended = "time"
            elif self.memory and _used(self.process.pid) > self.memory:
                self.ended = "memory"
            if self.ended:
                self.process.kill()
            if self.stopped.wait(_POLL):
                return

    def stop(self) -> int:
        """Return the exit status. A process whose answers have ended ends by itself."""
        with contextlib.suppress(OSError):  # what was not sent is lost
            self.requests.close()
        self.answers.close()
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.stopped.set()
        with self.errors:
            self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - 65536))
            self.words = self.errors.read()
        return status


def _start(form: str, polled: int) -> _Running:
    if sys.platform != "linux":
        polled = polled or MEMORY[form] + _LIBRARIES
    environment = {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}
    environment |= _FIXED | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-P", "-m", "fineforge.dataset.foreign", form, str(0 if polled else MEMORY[form])]
    errors = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `stop`
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment)
    assert process.stdin and process.stdout
    running = _Running(process, process.stdin, process.stdout, errors, polled)
    threading.Thread(target=running.watch, daemon=True).start()
    return running


def _used(pid: int) -> int:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0


def damaged(name: str, message: str, row: int | None = None) -> Diagnostic:
    remote = name.startswith(("hf://", "https://"))
    hint = (
        "if the source is intact, run the same command again: damaged files are not kept"
        if remote
        else "repair or rewrite the file: its content does not match its extension"
    )
    place = "" if row is None else f" at row {row}"
    return Diagnostic("FF627", f"`{name}` is damaged{place}: {message}", path=("dataset", "source"), hint=hint)


def too_much(name: str, message: str, hint: str = "") -> Diagnostic:
    hint = hint or "convert it to JSON Lines, which is read row by row: `pandas.DataFrame.to_json(orient='records', lines=True)`"
    return Diagnostic("FF631", f"`{name}` {message}", path=("dataset", "source"), hint=hint)


def too_long(name: str, row: int) -> Diagnostic:
    hint = "exclude or shorten the row: no model has a context of this size"
    message = f"`{name}` row {row} is longer than {MAX_LINE >> 20} MiB"
    return Diagnostic("FF610", message, path=("dataset", "source"), hint=hint)


def check_columns(name: str, columns: int) -> None:
    """Raise FF631 if a table has more columns than a reader can work with."""
    if columns > MAX_COLUMNS:
        hint = f"use at most {MAX_COLUMNS:,} columns"
        raise FineforgeError(too_much(name, f"has {columns:,} columns; at most {MAX_COLUMNS:,} can be read", hint))


def _problem(header: Mapping[str, Any], name: str) -> Diagnostic:
    """The diagnostic for a problem that the child reports."""
    row = None if header.get("row") is None else int(header["row"])
    if header["kind"] == "damaged":
        return damaged(name, header["message"], row)
    if row is None:
        return too_much(name, "needs more memory than a reader may use")
    return too_long(name, row) if header["kind"] == "long" else _too_long_to_decode(name, row)


def _too_long_to_decode(name: str, row: int) -> Diagnostic:
    message = f"`{name}` row {row}, or the page of the file that holds it, is too long to be decoded"
    command = "`pyarrow.parquet.write_table(table, file, write_batch_size=1)`"
    hint = f"rows are limited to {MAX_LINE >> 20} MiB; if they are smaller, write smaller pages: {command}"
    return Diagnostic("FF610", message, path=("dataset", "source"), hint=hint)
