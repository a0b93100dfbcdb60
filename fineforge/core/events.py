"""What happens during an apply, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.plan import Plan, Step


class EventKind(StrEnum):
    STARTED = "started"
    PROGRESS = "progress"
    LOG = "log"
    METRIC = "metric"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    DETACHED = "detached"
    """A job goes on by itself: it was not to be waited for."""
    REFUSED = "refused"
    """A gate said no."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened during apply. Views turn events into lines, bars or JSON."""

    kind: EventKind
    step: Step
    message: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    """METRIC: step, epoch, loss, learning_rate ... PROGRESS: percent, where known."""
    seconds: float = 0.0
    """Since the step started."""
    diagnostic: Diagnostic | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an apply ended."""

    plan: Plan
    done: tuple[str, ...]
    failed: Mapping[str, Diagnostic]
    refused: Mapping[str, Diagnostic]
    """Gates that said no."""
    skipped: Mapping[str, str]
    """Step id -> the step that it waited for."""
    running: tuple[str, ...] = ()
    """Steps whose wait was given up; what they started goes on."""
    moved: Mapping[str, Diagnostic] = field(default_factory=dict)
    """Steps whose object had changed since the plan."""
    detached: bool = False
    """It was given up because nobody wanted to wait for the job."""
    lost: Diagnostic | None = None
    """Why the apply lease was lost, where steps were not started for it."""
