"""Following a job while it runs: its state, its logs line by line, its metrics step by step.

An apply gets them as events; what cannot be read then is read later, and nothing of it ever ends a wait. `tell_log` is for who
wants the log alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from fineforge.core.diagnostics import FineforgeError
from fineforge.core.events import Event, EventKind
from fineforge.core.gateway import Gateway
from fineforge.core.objects import Raw, ResourceKey
from fineforge.core.plan import Step
from fineforge.core.runs import LogPosition, LogText
from fineforge.execution.pace import Pace

METRIC_SECONDS, QUIET_SECONDS = 1.0, 30.0
"""At least, between two reads of all metrics, which cost a request each: while the log grows, and while it does not."""


class Follower:
    def __init__(
        self, step: Step, gateway: Gateway, listener: Callable[[Event], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._step, self._gateway, self._listener = step, gateway, listener
        self._state = ""
        self._seen: LogPosition = {}
        self._lines = LogLines()
        self._told: dict[str, int] = {}
        self._pace = Pace()
        self._clock = clock
        self._begin = self._read = clock()

    def follow(self, raw: Raw) -> None:
        """Tells what is new since the last call; `raw` is the job's body."""
        state = str((raw.get("properties") or {}).get("status") or "")
        if state != self._state:
            self._state = state
            self._pace.read_inputs(raw)
            self._tell(EventKind.PROGRESS, state)
        due = METRIC_SECONDS if self._log() else QUIET_SECONDS
        if self._clock() - self._read >= due:
            self._metrics()

    def end(self, raw: Raw) -> None:
        """Tells the rest, a last line without its end included."""
        self.follow(raw)
        self._metrics()
        self._tell_lines(self._lines.rest())

    def _log(self) -> bool:
        """Whether the log has grown. A line is told once it is whole."""
        try:
            found, self._seen = self._gateway.read_log(self._step.key.name, self._seen)
        except FineforgeError:
            return False
        self._tell_lines(self._lines.whole(found))
        return bool(found)

    def _tell_lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._pace.read_line(line)
            self._tell(EventKind.LOG, line)

    def _metrics(self) -> None:
        """One event per training step, with every metric that was logged at it; the last one with the pace."""
        try:
            series = self._gateway.read_metrics(self._step.key.name)
        except FineforgeError:
            return
        self._read = self._clock()
        fresh: dict[int, dict[str, float]] = {}
        for name, found in series.items():
            for step, value in found.points[self._told.get(name, 0) :]:
                fresh.setdefault(step, {})[name] = value
            self._told[name] = len(found.points)
        newest = max(fresh, default=0)
        for step, values in sorted(fresh.items()):
            pace = self._pace.at(step, self._read, values.get("epoch")) if step == newest else {}
            self._tell(EventKind.METRIC, values={"step": step, **values, **pace})

    def _tell(self, kind: EventKind, message: str = "", values: Mapping[str, float] | None = None) -> None:
        self._listener(Event(kind, self._step, message, values or {}, self._clock() - self._begin))


class LogLines:
    """Whole lines out of pieces of logs. Where there are several logs, a line before each piece says from which one it is."""

    def __init__(self) -> None:
        self._open: dict[str, str] = {}
        self._source = ""

    def whole(self, found: Iterable[LogText]) -> list[str]:
        """The lines that have their end; the others wait for it."""
        told: list[str] = []
        for piece in found:
            *lines, self._open[piece.source] = (self._open.get(piece.source, "") + piece.text).split("\n")
            told += self._from(piece.source, lines)
        return told

    def rest(self) -> list[str]:
        """The lines that never got their end."""
        told = [line for source, last in self._open.items() if last for line in self._from(source, [last])]
        self._open.clear()
        return told

    def _from(self, source: str, lines: list[str]) -> list[str]:
        head = [f"==> {source or 'the job itself'} <=="] if lines and source != self._source else []
        self._source = source if lines else self._source
        return [*head, *(_shown(line) for line in lines)]


def tell_log(
    job: str, gateway: Gateway, write: Callable[[str], None], follow: bool = False, stopped: Callable[[], bool] = lambda: False
) -> None:
    """Writes the log's lines; with `follow` also those that come, until the job is over or `stopped()`."""
    lines = LogLines()
    seen: LogPosition = {}

    def look() -> None:
        nonlocal seen
        found, seen = gateway.read_log(job, seen)
        for line in lines.whole(found):
            write(line)

    if follow:
        gateway.wait(ResourceKey("job", job), lambda _: _in_passing(look), stopped)
    look()
    for line in lines.rest():
        write(line)


def _in_passing(look: Callable[[], None]) -> None:
    """What cannot be read now is read at the next look."""
    try:
        look()
    except FineforgeError:
        return


def _shown(line: str) -> str:
    """A bar that a program draws over and over in one line is told as it ended."""
    return line.rstrip("\r").rpartition("\r")[2]
