"""The order of a plan's steps during an apply: which may start, and what the end of one means for the others. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Self

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.plan import Plan, Step

Listener = Callable[[Event], None]
INTERRUPTED = "the interruption"
"""What a step was skipped for that had not begun."""


class Moved(FineforgeError):
    """The world is not what the plan was made for."""


class Refused(FineforgeError):
    """A gate said no."""


class Stopped(Exception):
    """The wait was given up."""


class Detached(Stopped):
    """The wait was never wanted."""


class Unbegun(Stopped):
    """The object was busy with something else, and that was no longer waited for: nothing was written."""


@dataclass(slots=True)
class Schedule:
    """Which steps are done, failed, refused, skipped, or not begun. Each call costs what it changes, not the plan's length."""

    graph: TopologicalSorter[str]
    waiting: dict[str, Step]
    dependents: Mapping[str, Sequence[Step]]
    """Step id -> the steps that wait for it."""
    done: list[str] = field(default_factory=list)
    failed: dict[str, Diagnostic] = field(default_factory=dict)
    refused: dict[str, Diagnostic] = field(default_factory=dict)
    moved: dict[str, Diagnostic] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The state before the first step."""
        graph = TopologicalSorter({step.id: step.needs for step in plan.steps})
        graph.prepare()
        dependents: dict[str, list[Step]] = {}
        for step in plan.steps:
            for need in step.needs:
                dependents.setdefault(need, []).append(step)
        return cls(graph, {step.id: step for step in plan.steps}, dependents)

    def start_ready(self) -> list[Step]:
        """Take the steps whose needs are all done off the waiting list. A need outside the plan is never done."""
        return [self.waiting.pop(name) for name in self.graph.get_ready() if name in self.waiting]

    def record(self, step: Step, error: BaseException | None) -> None:
        match error:
            case None:
                self.done.append(step.id)
                self.graph.done(step.id)
            case Unbegun():
                self.skipped[step.id] = INTERRUPTED
            case Stopped():
                self.given_up.append(step.id)
            case Moved():
                self.moved[step.id] = error.diagnostics[0]
            case Refused():
                self.refused[step.id] = error.diagnostics[0]
            case FineforgeError():
                self.failed[step.id] = error.diagnostics[0]
            case _:
                self.failed[step.id] = Diagnostic("FF500", f"`{step.key}`: {type(error).__name__}: {error}")

    def skip_dependents(self, lost: Step, listener: Listener) -> None:
        """Skip every step that waits, directly or not, for a step that will not be done."""
        goes_on = ", which goes on by itself" if lost.id in self.given_up else ""
        todo = deque([(lost.id, goes_on)])
        while todo:
            cause, suffix = todo.popleft()
            for step in self.dependents.get(cause, ()):
                if self.waiting.pop(step.id, None) is None:
                    continue
                self.skipped[step.id] = cause
                todo.append((step.id, ""))
                listener(Event(EventKind.SKIPPED, step, f"waits for `{cause}`{suffix}"))

    def outcome(self, plan: Plan, cause: str) -> Outcome:
        """`cause`: why what is still to come was not started."""
        for step in self.waiting.values():
            self.skipped[step.id] = cause
        return Outcome(plan, tuple(self.done), self.failed, self.refused, self.skipped, tuple(self.given_up), self.moved)
