"""A child process that runs expressions and templates of other authors, stopped at its limits of time and memory.

Neither CEL nor Jinja can count operations, and CEL holds the interpreter's lock while it loops, so no thread of the same process
could stop either. The child has no secrets in its environment and no open files of its parent. It ends with its parent.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

SECONDS = 5.0
"""Default time limit of a call, without the start of the child and the import of what it needs."""
MEMORY = 1 << 30
"""Bytes of address space that the child may use, its libraries included. Not enforced on Windows and macOS."""
START_SECONDS = 60.0
"""Time limit of the start, and of `prepare`."""

_ENVIRONMENT = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_POLL = 0.1
"""Seconds between two looks at the clock."""
_PIPE_BYTES = 1 << 20
"""So that a request can be sent while the child still works on the one before. Linux only."""
_OUT_OF_MEMORY = re.compile(rb"MemoryError|memory allocation of|bad_alloc|out of memory", re.IGNORECASE)


_SIGALRM = 14
"""Windows has no name for it."""


class WorkerError(Exception):
    """The child was stopped, or crashed. The text continues a sentence: "it took more than 10 seconds"."""

    def __init__(self, message: str, item: int) -> None:
        super().__init__(message)
        self.item = item
        """Index of the item that was being worked on."""


@dataclass(slots=True)
class Worker:
    """A child process. It starts with the first request, and again after it was stopped. Threads take turns."""

    memory: int = MEMORY
    _child: _Child | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(
        self, prepare: Callable[[Any], Callable[[Any], Any]], shared: Any, items: Sequence[Any], seconds: float = SECONDS
    ) -> list[Any]:
        """Return `function(item)` for each item, where `function = prepare(shared)` in the child.

        `prepare` is a function of a module. `shared` and `items` are pickled. Results are what JSON can represent: the child's
        answers are never unpickled. `seconds` limits the time of all items together. Raises WorkerError.
        """
        with self.submit(prepare, shared, items, seconds) as pending:
            return pending.result()

    def submit(
        self, prepare: Callable[[Any], Callable[[Any], Any]], shared: Any, items: Sequence[Any], seconds: float = SECONDS
    ) -> Pending:
        """Begin what `run` does. Until the end of the `with` block of the result, no other request can begin."""
        self._lock.acquire()
        try:
            if self._child is None or self._child.process.poll() is not None:
                self.stop()
                self._child = _start(self.memory)
            self._child.send(pickle.dumps((prepare, shared, items, seconds)))
            return Pending(self, self._child, seconds)
        except BaseException:
            self.stop()
            self._lock.release()
            raise

    def stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.stop()


@dataclass(slots=True)
class Pending:
    """A request that the child is working on. It is stopped if the `with` block ends without the result."""

    _worker: Worker
    _child: _Child
    _seconds: float
    _is_complete: bool = False

    def __enter__(self) -> Pending:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_complete:
            self._worker.stop()
        self._worker._lock.release()

    def result(self) -> list[Any]:
        """Wait for the results. Raises WorkerError."""
        self._child.receive(START_SECONDS)
        results: list[Any] = json.loads(self._child.receive(self._seconds))
        self._is_complete = True
        return results


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]
    errors: IO[bytes]
    """The child's stderr: a file that begins with the index of the item that it is working on, in `_DIGITS` bytes."""
    memory: int
    deadline: float = math.inf
    expired: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Kill the process at its deadline. One thread for all requests: starting threads takes long on a busy machine."""
        while not self.stopped.wait(_POLL):
            if time.monotonic() > self.deadline:
                self.expired.set()
                self.process.kill()
                return

    def send(self, request: bytes) -> None:
        with contextlib.suppress(OSError):  # the child has ended, which shows when its answer is read
            self.requests.write(request)
            self.requests.flush()

    def receive(self, seconds: float) -> bytes:
        """Return the next line. Raises WorkerError if the child ends or the time is over before the line is complete."""
        seconds = max(seconds, 0.0)
        self.deadline = time.monotonic() + seconds
        line = self.answers.readline()
        self.deadline = math.inf
        if line.endswith(b"\n"):
            return line
        self.process.wait()
        self.errors.seek(0)
        item, message = self.errors.read(_DIGITS), self.errors.read(1 << 16)
        if self.expired.is_set() or self.process.returncode == -_SIGALRM:
            reason = f"took more than {seconds:,.0f} seconds"
        elif _OUT_OF_MEMORY.search(message):
            reason = f"used more than {self.memory >> 20:,} MiB of memory"
        else:
            reason = f"crashed (exit status {self.process.returncode})"
        raise WorkerError(reason, int(item) if item.strip().isdigit() else 0)

    def stop(self) -> None:
        self.stopped.set()
        self.process.kill()
        self.process.wait()
        for stream in (self.requests, self.answers, self.errors):
            with contextlib.suppress(OSError):  # a request that was not sent
                stream.close()


def _start(memory: int) -> _Child:
    environment = {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-P", "-s", "-c", f"from fineforge.host.worker import serve; serve({memory})"]
    errors = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `stop`
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment, pipesize=_PIPE_BYTES
        )
    except OSError as error:
        errors.close()
        raise WorkerError(f"could not be started: {(error.strerror or str(error)).lower()}", 0) from None
    assert process.stdin and process.stdout
    child = _Child(process, process.stdin, process.stdout, errors, memory)
    threading.Thread(target=child.watch, daemon=True).start()
    return child


_WORKER = Worker()
"""The one child of this process."""
atexit.register(_WORKER.stop)

run, submit = _WORKER.run, _WORKER.submit


def run_here(prepare: Callable[[Any], Callable[[Any], Any]], shared: Any, items: Sequence[Any]) -> list[Any]:
    """Do what `run` does, in this process and without limits: for what fineforge itself wrote."""
    function = prepare(shared)
    return [function(item) for item in items]


# --- in the child ----------------------------------------------------------------------------------------------------

_DIGITS = 8
_GRACE_SECONDS = 2
"""Seconds after the parent's limit at which the child ends by itself."""


def serve(memory: int) -> None:
    """Answer requests on stdin until it ends. Called in the child only."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not end up in the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C stops
    _limit(memory)
    while True:
        try:
            prepare, shared, items, seconds = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        _set_alarm(START_SECONDS + _GRACE_SECONDS)
        _mark(0)
        function, results = prepare(shared), []
        answers.write(b"prepared\n")
        answers.flush()
        _set_alarm(seconds + _GRACE_SECONDS)
        for index, item in enumerate(items):
            _mark(index)
            results.append(function(item))
        _set_alarm(0)
        answers.write(json.dumps(results).encode() + b"\n")
        answers.flush()


def _mark(index: int) -> None:
    os.lseek(2, 0, os.SEEK_SET)
    os.write(2, b"%*d" % (_DIGITS, index))


def _limit(memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    limits = {resource.RLIMIT_AS: memory, resource.RLIMIT_NOFILE: 64, resource.RLIMIT_FSIZE: 1 << 20, resource.RLIMIT_CORE: 0}
    for name, most in limits.items():
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some
            resource.setrlimit(name, (most, most))


def _set_alarm(seconds: float) -> None:
    """Have the system end this process later, in case its parent is killed and cannot.

    No handler is set: Python would run it only between two native calls.
    """
    if sys.platform != "win32":
        signal.alarm(math.ceil(seconds))
