"""What commands share that reach a workspace: connecting, watching and interrupting an apply, and reporting how it ended."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from fineforge.cli.failures import INTERRUPTED
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.core.events import Outcome
    from fineforge.core.gateway import Gateway
    from fineforge.core.plan import Plan
    from fineforge.engine import Batch
    from fineforge.execution.lease import Terms
    from fineforge.views.events import EventView


@contextmanager
def connected(output: Output, batch: Batch) -> Iterator[Gateway | None]:
    """Connect to the target of a batch. Gives None, and reports it, where the batch holds no spec for the target.

    Raises what is wrong with the specs where none could be read.
    """
    from fineforge import engine
    from fineforge.core.diagnostics import FineforgeError

    name = batch.target
    if batch.for_target(name):
        with engine.connect(batch, name) as gateway:
            yield gateway
    elif batch.errors:
        raise FineforgeError(*batch.errors)
    else:
        output.alert(f"no spec allows the target `{name}`" if name else "no spec is selected")
        yield None


@contextmanager
def counted(output: Output, batch: Batch) -> Iterator[Callable[[object], None]]:
    """Give a function that is called for each spec that is planned, and draws on a terminal how many are."""
    if batch.single or not output.terminal or output.quiet:
        yield lambda _: None
        return
    numbers, total = itertools.count(1), len(batch.specs)

    def report(_: object) -> None:
        output.stderr.write(f"\r\x1b[2Kplanned {next(numbers)} of {total} specs")
        output.stderr.flush()

    yield report
    output.stderr.write("\r\x1b[2K")
    output.stderr.flush()


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
    return interruptible(output, "interrupted: no new steps will start; interrupt again to exit at once")


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


def ended(output: Output, view: EventView, outcome: Outcome, stop: threading.Event, others: Sequence[int] = ()) -> int:
    """Show how an apply ended. Return the exit code: the worst of its own and those of what was not begun."""
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
