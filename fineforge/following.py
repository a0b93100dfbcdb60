"""Following a job while it runs: its state, its log line by line, its metrics step by step, told as events.

What cannot be read now is read later; nothing here ever ends a wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fineforge.core import Event, EventKind, Raw, Step
from fineforge.diagnostics import FineforgeError
from fineforge.gateway import Gateway

METRIC_SECONDS = 1.0
"""At least, between two reads of all metrics: they cost a request each."""


class Follower:
    def __init__(self, step: Step, gateway: Gateway, listener: Callable[[Event], None]) -> None:
        self._step, self._gateway, self._listener = step, gateway, listener
        self._state = ""
        self._offset = 0
        self._line = ""
        self._told: dict[str, int] = {}
        self._begin = time.monotonic()
        self._read = 0.0

    def follow(self, raw: Raw) -> None:
        """Tells what is new since the last call; `raw` is the job's body."""
        state = str((raw.get("properties") or {}).get("status") or "")
        if state != self._state:
            self._state = state
            self._tell(EventKind.PROGRESS, state)
        if self._log() and time.monotonic() - self._read >= METRIC_SECONDS:
            self._metrics()

    def end(self, raw: Raw) -> None:
        """Tells the rest, a last line without its end included."""
        self.follow(raw)
        self._metrics()
        if self._line:
            self._tell(EventKind.LOG, self._line)
            self._line = ""

    def _log(self) -> bool:
        """Whether the log has grown. A line is told once it is whole."""
        try:
            text, self._offset = self._gateway.read_log(self._step.key.name, self._offset)
        except FineforgeError:
            return False
        *whole, self._line = (self._line + text).split("\n")
        for line in whole:
            self._tell(EventKind.LOG, line.rstrip("\r"))
        return bool(text)

    def _metrics(self) -> None:
        """One event per training step, with every metric that was logged at it."""
        try:
            series = self._gateway.read_metrics(self._step.key.name)
        except FineforgeError:
            return
        self._read = time.monotonic()
        fresh: dict[int, dict[str, float]] = {}
        for name, points in series.items():
            for step, value in points[self._told.get(name, 0) :]:
                fresh.setdefault(step, {})[name] = value
            self._told[name] = len(points)
        for step, values in sorted(fresh.items()):
            self._tell(EventKind.METRIC, values={"step": step, **values})

    def _tell(self, kind: EventKind, message: str = "", values: dict[str, float] | None = None) -> None:
        self._listener(Event(kind, self._step, message, values or {}, time.monotonic() - self._begin))
