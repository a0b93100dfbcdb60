"""An apply for programs: one JSON object a line, with the keys and types of Terraform's machine-readable output, where they fit.

The lines' shapes are those of `lines`, docs/events.schema.json. Like every view of events, this one is called
from several threads.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from pydantic_core import to_jsonable_python

from fineforge import __version__
from fineforge.core.diagnostics import Diagnostic
from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.plan import Action, Plan
from fineforge.core.redaction import redact
from fineforge.documents import events
from fineforge.documents.plan import drift_shapes, outcome_shape, output_shapes, problem_shape, spec_of, step_shape
from fineforge.documents.summary import counts, summary
from fineforge.views.data import Seldom, progress_text
from fineforge.views.events import EventView, end_line, metrics_text
from fineforge.views.paint import plain_json
from fineforge.views.text import object_name


class JsonLines:
    """The lines of one plan that is applied. The first line of the stream, `version_line`, is its owner's to write."""

    def __init__(self, write: Callable[[str], None], plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._plan = write, plan
        self._lock = threading.Lock()
        self._seldom, self._prepared = Seldom(1, clock=clock), set[tuple[str, str]]()

    def __enter__(self) -> Self:
        """What is planned. What is wrong with it has been told by then."""
        plan = self._plan
        for drift in drift_shapes(plan):
            self._say(
                "resource_drift", f"{drift.kind} {drift.name}: drift", events.ResourceDriftLine(drift.spec, drift.id, drift)
            )
        for step in plan.steps:
            if step.action is not Action.NOOP:
                line = events.PlannedChangeLine(spec_of(plan, step), step.id, step_shape(plan, step))
                self._say("planned_change", f"{object_name(step)}: {step.action.value}", line)
        self._say("change_summary", summary(plan), events.ChangeSummaryLine(plan.spec, counts(plan)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def __call__(self, event: Event) -> None:
        step, found = event.step, event.diagnostic
        problem = None if found is None else problem_shape(found)
        line = events.StepLine(spec_of(self._plan, step), step.id, round(event.seconds, 1), dict(event.values), problem)
        level = "error" if event.kind in (EventKind.FAILED, EventKind.REFUSED) else "info"
        self._say(_TYPES[event.kind], _message(event), line, level)

    def preparing(self, spec: str, split: str, rows: int, wanted: int | None, fetched: int) -> None:
        with self._lock:
            done = rows == wanted and (spec, split) not in self._prepared
            if not done and not self._seldom.due():
                return
            self._prepared |= {(spec, split)} if done else set()
        line = events.DataProgressLine(spec, split, rows, wanted, fetched)
        self._say("data_progress", f"{split} data: {progress_text(rows, wanted, fetched)}", line)

    def end(self, outcome: Outcome, exit_code: int) -> None:
        """The last lines: what stands now, and how it ended."""
        for spec, found in output_shapes(outcome).items():
            self._say("outputs", f"{spec}: {', '.join(found)}", events.OutputsLine(spec, found))
        self._say("outcome", end_line(outcome), events.OutcomeLine(outcome.plan.spec, exit_code, outcome_shape(outcome)))

    def _say(self, kind: str, message: str, line: events.Line, level: str = "info") -> None:
        self._tell(_line(kind, message, line, level))

    def _tell(self, line: str) -> None:
        with self._lock:
            self._write(line)


class Both:
    """People see the one view, a file gets the lines."""

    def __init__(self, shown: EventView, written: JsonLines) -> None:
        self._shown, self._lines = shown, written

    def __enter__(self) -> Self:
        self._lines.__enter__()
        self._shown.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._shown.__exit__(kind, error, trace)
        self._lines.__exit__(kind, error, trace)

    def __call__(self, event: Event) -> None:
        self._lines(event)
        self._shown(event)

    def preparing(self, spec: str, split: str, rows: int, wanted: int | None, fetched: int) -> None:
        self._lines.preparing(spec, split, rows, wanted, fetched)
        self._shown.preparing(spec, split, rows, wanted, fetched)

    def end(self, outcome: Outcome, exit_code: int) -> None:
        self._lines.end(outcome, exit_code)


def version_line() -> str:
    """The first line of every stream, whatever becomes of the apply."""
    return _line("version", f"fineforge {__version__}", events.VersionLine(__version__, events.EVENTS_FORMAT))


def diagnostic_line(diagnostic: Diagnostic, spec: str | None = None) -> str:
    """A problem as a line of the stream; it may be the last one."""
    line = events.DiagnosticLine(problem_shape(diagnostic), spec)
    return _line("diagnostic", diagnostic.message, line, diagnostic.severity.value)


def lease_line(message: str) -> str:
    """Who is waited for, or that the apply lease was lost."""
    return _line("lease", message, events.LeaseLine())


_TYPES = {
    EventKind.STARTED: "apply_start",
    EventKind.PROGRESS: "apply_progress",
    EventKind.LOG: "log",
    EventKind.METRIC: "metric",
    EventKind.DONE: "apply_complete",
    EventKind.FAILED: "apply_errored",
    EventKind.SKIPPED: "apply_skipped",
    EventKind.DETACHED: "apply_detached",
    EventKind.REFUSED: "gate_refused",
}


def _message(event: Event) -> str:
    if event.message or event.diagnostic is not None:
        return event.message or (event.diagnostic.message if event.diagnostic else "")
    return metrics_text(event) if event.kind is EventKind.METRIC else object_name(event.step)


def _line(kind: str, message: str, line: events.Line, level: str = "info") -> str:
    head = {"@level": level, "@message": redact(message), "@timestamp": datetime.now(UTC).isoformat(), "type": kind}
    more = {name: value for name, value in to_jsonable_python(line).items() if name not in _OPTIONAL or value not in (None, {})}
    return plain_json(json.dumps({**head, **more}, ensure_ascii=False, default=str))


_OPTIONAL = ("values", "diagnostic")
"""Keys that are there only where they say something."""
