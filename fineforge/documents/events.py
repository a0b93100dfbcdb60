"""The shapes of an apply's lines, beside `@level`, `@message`, `@timestamp` and `type`, which each of them has.

Shapes only; `stream` fills them. The rules of `shapes` about versions hold here too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from fineforge.documents.shapes import DESCRIBED, Ending, Output, Problem, ResourceChange, ResourceDrift

EVENTS_FORMAT = "1.0"


@dataclass(frozen=True, slots=True)
class Line:
    """What every line has, beside `@level`, `@message` and `@timestamp`."""

    type: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class VersionLine(Line):
    """The first line."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED
    type: ClassVar[tuple[str, ...]] = ("version",)

    fineforge: str
    format_version: str
    """`MAJOR.MINOR`, as in a plan: refuse another major version than yours, ignore keys and types that you do not know."""


@dataclass(frozen=True, slots=True)
class DiagnosticLine(Line):
    """A problem. Where nothing could be planned, these follow the first line, and the exit code says the rest."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED
    type: ClassVar[tuple[str, ...]] = ("diagnostic",)

    diagnostic: Problem
    spec: str | None = None
    """Null where it belongs to no spec that was planned."""


@dataclass(frozen=True, slots=True)
class PlannedChangeLine(Line):
    """A step that will do something."""

    type: ClassVar[tuple[str, ...]] = ("planned_change",)

    spec: str
    id: str
    change: ResourceChange


@dataclass(frozen=True, slots=True)
class ResourceDriftLine(Line):
    """An object that somebody else has changed; a `planned_change` undoes it."""

    type: ClassVar[tuple[str, ...]] = ("resource_drift",)

    spec: str
    id: str
    drift: ResourceDrift


@dataclass(frozen=True, slots=True)
class ChangeSummaryLine(Line):
    type: ClassVar[tuple[str, ...]] = ("change_summary",)

    spec: str
    changes: dict[str, int]


@dataclass(frozen=True, slots=True)
class DataProgressLine(Line):
    """How far a split of the data is, before the first step begins: once a second at most, and when it is done."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED
    type: ClassVar[tuple[str, ...]] = ("data_progress",)

    spec: str
    split: str
    rows: int
    wanted: int | None
    """How many rows there will be; null where that is not known yet."""
    fetched: int
    """Bytes that have come from the network."""


@dataclass(frozen=True, slots=True)
class StepLine(Line):
    """A step begins, goes on, or ends."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED
    type: ClassVar[tuple[str, ...]] = (
        "apply_start",
        "apply_progress",
        "apply_complete",
        "apply_errored",
        "apply_skipped",
        "apply_detached",
        "gate_refused",
        "log",
        "metric",
    )

    spec: str
    id: str
    seconds: float
    """Since the step began."""
    values: dict[str, float] = field(default_factory=dict)
    """Of a `metric`: step, epoch, loss ...; of progress: percent, where known."""
    diagnostic: Problem | None = None
    """Why it failed, or was refused."""


@dataclass(frozen=True, slots=True)
class LeaseLine(Line):
    """Another apply is waited for, or the lease was lost."""

    type: ClassVar[tuple[str, ...]] = ("lease",)


@dataclass(frozen=True, slots=True)
class OutputsLine(Line):
    """What stands now, by kind."""

    type: ClassVar[tuple[str, ...]] = ("outputs",)

    spec: str
    outputs: dict[str, Output]


@dataclass(frozen=True, slots=True)
class OutcomeLine(Line):
    """The last line of a spec that was applied."""

    type: ClassVar[tuple[str, ...]] = ("outcome",)

    spec: str
    exit_code: int
    outcome: Ending


LINES: tuple[type[Line], ...] = (
    VersionLine,
    DiagnosticLine,
    LeaseLine,
    PlannedChangeLine,
    ResourceDriftLine,
    ChangeSummaryLine,
    DataProgressLine,
    StepLine,
    OutputsLine,
    OutcomeLine,
)
