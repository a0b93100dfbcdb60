"""What commands share that carry a plan out, or wait: how it is asked for, watched and interrupted, and how it ended."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from fineforge.cli.failures import INTERRUPTED
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.core.diagnostics import Diagnostic
    from fineforge.core.events import Outcome
    from fineforge.core.plan import Plan
    from fineforge.execution.lease import Terms
    from fineforge.views.events import EventView


@dataclass(frozen=True, slots=True)
class How:
    """How an apply goes about it."""

    detach: bool = False
    parallelism: int = 8


def terms_of(output: Output, lock: bool, timeout: float) -> Terms:
    """How the apply lease is wanted; what is to be known of it is shown at once."""
    from fineforge.execution.lease import Terms
    from fineforge.views.stream import lease_line

    def tell(message: str) -> None:
        output.event(lease_line(message))
        if not output.json:
            output.alert("\n".join(output.paint_aside.wrap(message, after="  ")))

    return Terms(lock, timeout, tell)


def interruptible_apply(output: Output) -> AbstractContextManager[threading.Event]:
    return interruptible(output, "interrupted: starting nothing more; once again leaves at once")


@contextmanager
def interruptible(output: Output, words: str) -> Iterator[threading.Event]:
    """Ctrl-C, or SIGTERM as CI sends it: stop waiting, let what was started go on. The second time leave at once."""
    stop = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(INTERRUPTED)
        stop.set()
        output.alert(words)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def event_view(output: Output, made: Plan) -> EventView:
    from fineforge.views.stream import Both, JsonLines

    lines = JsonLines(output.event, made)
    if output.json:
        return lines
    shown = _shown_to_people(output)
    return Both(shown, lines) if output.saving else shown


def tell_problems(output: Output, found: Sequence[Diagnostic], spec: str | None = None) -> None:
    """What is wrong, into the event stream where one is wanted."""
    from fineforge.views.stream import diagnostic_line

    for diagnostic in dict.fromkeys(found):
        output.event(diagnostic_line(diagnostic, spec))


def ended(output: Output, view: EventView, outcome: Outcome, stop: threading.Event, others: Sequence[int] = ()) -> int:
    """Shows how an apply ended; the exit code, which is the worst of its own and those of what was not begun."""
    from fineforge import engine
    from fineforge.views.stream import Both, JsonLines

    codes = {engine.outcome_exit_code(outcome), *others}
    code = INTERRUPTED if stop.is_set() else next((code for code in (INTERRUPTED, 1, 5, 4) if code in codes), 0)
    if isinstance(view, JsonLines | Both):
        view.end(outcome, code)
    if not output.json:
        _end(output, outcome)
    return code


def _shown_to_people(output: Output) -> EventView:
    from fineforge.views.events import Lines

    if output.terminal:
        from fineforge.views.progress import Bars

        return Bars(output.stderr, output.paint_aside, output.quiet)
    return Lines(output.alert, output.paint_aside, output.quiet)


def _end(output: Output, outcome: Outcome) -> None:
    from fineforge.views.diagnostics import write_all
    from fineforge.views.events import write_outcome

    found = [*outcome.failed.values(), *outcome.moved.values(), *outcome.refused.values()]
    found += [outcome.lost] if outcome.lost is not None else []
    if found:
        output.alert("\n" + write_all(found, output.paint_aside))
    output.alert("")
    output.result(write_outcome(outcome, output.paint))
