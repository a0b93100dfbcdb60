"""Following an apply: bars on a terminal, plain lines elsewhere; `stream` follows it for programs.

A view is called with each event, from several threads; it is entered and left around the apply.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.plan import WRITES, Action, Billing, Step
from fineforge.documents.summary import estimate
from fineforge.views.data import Seldom, progress_text
from fineforge.views.paint import Paint, visible
from fineforge.views.text import LOOK, object_name


class EventView(Protocol):
    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def __call__(self, event: Event) -> None: ...

    def preparing(self, spec: str, split: str, rows: int, wanted: int | None, fetched: int) -> None:
        """How far a split of the data is, before the first step begins: its rows, how many there will be, and bytes fetched."""
        ...


DONE_WORDS = {
    Action.CREATE: "created",
    Action.NEW_VERSION: "created",
    Action.UPDATE: "updated",
    Action.RESTORE: "restored",
    Action.ARCHIVE: "archived",
    Action.CANCEL: "cancelled",
    Action.DELETE: "deleted",
    Action.WAIT: "ready",
    Action.CHECK: "passed",
    Action.NOOP: "unchanged",
    Action.READ: "used unchanged",
}


class Lines:
    """One line for everything that starts, changes its state or ends. Metrics are told every ten seconds, and the last ones:
    every one of them is in the job's log, in `fineforge metrics` and in the lines for programs."""

    def __init__(
        self, write: Callable[[str], None], paint: Paint, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._paint, self._quiet, self._clock = write, paint, quiet, clock
        self._lock = threading.Lock()
        self._said: dict[str, str] = {}
        self._seldom = Seldom(10, clock=clock)
        self._paces: dict[str, Seldom] = {}
        self._held: dict[str, str] = {}
        """Step -> its newest metrics, while they are not told."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def __call__(self, event: Event) -> None:
        with self._lock:
            line = self._line(event)
            if event.kind in _ENDS and (held := self._held.pop(event.step.id, "")):
                self._write(held)
            if line is not None and not self._repeats(event, line) and not self._holds(event, line):
                self._write(line)

    def preparing(self, spec: str, split: str, rows: int, wanted: int | None, fetched: int) -> None:
        with self._lock:
            if not self._quiet and self._seldom.due():
                self._write(f"    {spec}: {split} data: {progress_text(rows, wanted, fetched)}")

    def _line(self, event: Event) -> str | None:
        if event.kind in (EventKind.LOG, EventKind.METRIC, EventKind.PROGRESS) and self._quiet:
            return None
        match event.kind:
            case EventKind.STARTED:
                return started(event.step, self._paint)
            case EventKind.PROGRESS:
                return f"    {object_name(event.step)}: {visible(event.message).lower()}" if event.message else None
            case EventKind.LOG:
                return logged(event) if event.message.strip() else None
            case EventKind.METRIC:
                return f"    {object_name(event.step)}: {metrics_text(event)}"
            case _:
                return ended(event, self._paint)

    def _repeats(self, event: Event, line: str) -> bool:
        """Polls tell the same state again and again; a log may say a thing twice."""
        if event.kind is not EventKind.PROGRESS:
            return False
        same = self._said.get(event.step.id) == line
        self._said[event.step.id] = line
        return same

    def _holds(self, event: Event, line: str) -> bool:
        if event.kind is not EventKind.METRIC:
            return False
        now = self._paces.setdefault(event.step.id, Seldom(10, at_once=True, clock=self._clock)).due()
        self._held[event.step.id] = "" if now else line
        return not now


_ENDS = frozenset({EventKind.DONE, EventKind.FAILED, EventKind.SKIPPED, EventKind.REFUSED, EventKind.DETACHED})


def started(step: Step, paint: Paint) -> str | None:
    """The line that a step begins with; steps that do nothing begin silently."""
    if step.action in (Action.NOOP, Action.READ):
        return None
    symbol, word, role = LOOK[step.action]
    return f"  {paint(role, symbol)} {object_name(step)}: {word}"


def logged(event: Event) -> str:
    """A line of a job's log; with its spec's name where several specs are applied, and their jobs speak at the same time."""
    spec = event.step.spec if event.step.merged else ""
    return f"    {spec + ' ' if spec else ''}| {visible(event.message)}"


def ended(event: Event, paint: Paint) -> str | None:
    """The line that a step ends with."""
    step, took = event.step, f" in {duration(event.seconds)}" if event.seconds >= 1 else ""
    said = visible(event.diagnostic.message if event.diagnostic else event.message)
    match event.kind:
        case EventKind.DONE:
            quiet = step.action in (Action.NOOP, Action.READ)
            return None if quiet else f"  {paint('add', '✓')} {object_name(step)}: {DONE_WORDS[step.action]}{took}"
        case EventKind.FAILED:
            return f"  {paint('error', '✗')} {object_name(step)}: failed{took}: {said}"
        case EventKind.REFUSED:
            return f"  {paint('error', '✗')} {object_name(step)}: refused: {said}"
        case EventKind.DETACHED:
            return f"  {paint('busy', '>')} {object_name(step)}: {said}"
        case _:
            return f"  {paint('quiet', '·')} {object_name(step)}: skipped: {said}"


def metrics_text(event: Event) -> str:
    """`step 40, epoch 2, loss 1.234, 0.8 steps/s, about 3 min left`; the pace as far as it is known. Other metrics only where
    there is no loss."""
    names = [name for name in ("step", "epoch", "loss", "eval_loss", "learning_rate") if name in event.values]
    if not {"loss", "eval_loss"} & set(names):
        names += [name for name in event.values if name not in (*names, "percent", "steps_per_second", "seconds_left")]
    told = [f"{name} {event.values[name]:.4g}" for name in names]
    if "steps_per_second" in event.values:
        told.append(f"{event.values['steps_per_second']:.3g} steps/s")
    if "seconds_left" in event.values:
        told.append(f"about {duration(event.values['seconds_left'])} left")
    return ", ".join(told)


def duration(seconds: float) -> str:
    """`42 s`, `3 min 5 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def end_line(outcome: Outcome) -> str:
    """`Apply: 3 done, 0 failed, 1 skipped`; what went on running or was refused only where there is any."""
    steps = {step.id: step for step in outcome.plan.steps}
    done = sum(1 for name in outcome.done if steps[name].action in WRITES)
    told = [f"{done} done", f"{len(outcome.failed)} failed"]
    others = (
        ("refused", outcome.refused),
        ("moved", outcome.moved),
        ("skipped", outcome.skipped),
        ("still running", outcome.running),
    )
    told += [f"{len(entries)} {word}" for word, entries in others if entries]
    return f"{outcome.plan.mode.value.capitalize()}: " + ", ".join(told)


def write_outcome(outcome: Outcome, paint: Paint) -> str:
    """How it ended, and what goes on without us."""
    lines = [paint("strong", end_line(outcome))]
    for name in outcome.running:
        step = next(step for step in outcome.plan.steps if step.id == name)
        known = estimate(step)
        cost = f" ({known})" if known else " and costs money until it ends" if step.billing is Billing.RUN else ""
        lines += paint.wrap(f"{object_name(step)} keeps running{cost}", "  ")
    if outcome.running:
        then = "`fineforge apply` continues from there, `fineforge logs -f` follows it, `fineforge destroy` cancels it"
        lines += paint.wrap(then, "  ")
    elif outcome.failed or outcome.moved or outcome.skipped:
        lines += paint.wrap("completed steps stay completed; run the same command again to continue", "  ")
    return "\n".join(lines)
