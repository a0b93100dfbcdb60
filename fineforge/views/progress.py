"""An apply on a terminal: a line per running step that is redrawn in place, and above them what is finished."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from fineforge.core.events import Event, EventKind
from fineforge.core.plan import Action
from fineforge.views.data import progress_text
from fineforge.views.events import ended, logged, metrics_text
from fineforge.views.paint import Paint, visible
from fineforge.views.text import LOOK, object_name


class Bars:
    """Draws on `stream`, which must be a terminal. `quiet` hides the job's log."""

    def __init__(self, stream: TextIO, paint: Paint, quiet: bool = False) -> None:
        self._paint, self._quiet = paint, quiet
        self._lock = threading.Lock()
        self._console = Console(file=stream, no_color=not paint.colour, highlight=False)
        self._progress = Progress(
            SpinnerColumn(style="cyan"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[note]}", style="dim"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        with self._lock:
            _HANDLERS[event.kind](self, event)

    def preparing(self, spec: str, split: str, rows: int, wanted: int | None, fetched: int) -> None:
        name = f"prepare {spec}: {split} data"
        with self._lock:
            if rows == wanted or self._quiet:
                self._drop(name)
                return
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(name[: max(20, self._paint.width - 48)], total=wanted, note="")
            self._progress.update(self._tasks[name], total=wanted, completed=rows, note=progress_text(rows, wanted, fetched))

    def _start(self, event: Event) -> None:
        if event.step.action in (Action.NOOP, Action.READ):
            return
        word = LOOK[event.step.action][1]
        name = f"{word} {object_name(event.step)}"
        self._tasks[event.step.id] = self._progress.add_task(name[: max(20, self._paint.width - 48)], total=None, note="")

    def _move(self, event: Event) -> None:
        percent = event.values.get("percent")
        task = self._tasks.get(event.step.id)
        if task is None:
            return
        note = metrics_text(event) if event.kind is EventKind.METRIC else visible(event.message).lower()
        self._progress.update(task, note=note)
        if percent is not None:
            self._progress.update(task, total=100, completed=percent)

    def _log(self, event: Event) -> None:
        if not self._quiet and event.message.strip():
            self._console.print(Text(logged(event), style="dim", overflow="fold"))

    def _end(self, event: Event) -> None:
        self._drop(event.step.id)
        line = ended(event, self._paint)
        if line is not None:
            self._console.print(Text.from_ansi(line))

    def _drop(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            self._progress.remove_task(task)


_HANDLERS: dict[EventKind, Callable[[Bars, Event], None]] = {
    EventKind.STARTED: Bars._start,
    EventKind.PROGRESS: Bars._move,
    EventKind.METRIC: Bars._move,
    EventKind.LOG: Bars._log,
    EventKind.DONE: Bars._end,
    EventKind.FAILED: Bars._end,
    EventKind.SKIPPED: Bars._end,
    EventKind.DETACHED: Bars._end,
    EventKind.REFUSED: Bars._end,
}
