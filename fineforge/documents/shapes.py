"""The shape of the plan that programs read, and of what it shares with the lines of an apply, which are in `lines`.

From these classes come the documents' keys and the published schemas, so that neither can say what the other does not. Here are
shapes only; `json` fills them. A new key is a new minor version; a key that goes or changes its meaning is a new
major one, which readers refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

PLAN_FORMAT = "1.0"

ActionWord = Literal[
    "noop", "read", "check", "wait", "update", "create", "new_version", "restore", "archive", "cancel", "delete"
]  # fmt: skip
SeverityWord = Literal["error", "warning", "note"]

DESCRIBED: dict[str, Any] = {"use_attribute_docstrings": True}
"""The texts below the fields are the schema's descriptions."""


@dataclass(frozen=True, slots=True)
class Position:
    line: int
    """From 1."""
    column: int
    """From 1, in characters."""


@dataclass(frozen=True, slots=True)
class Range:
    """A piece of a file; its end is exclusive."""

    file: str
    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnostic."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    code: str
    """`FF` and three digits: docs/error-codes.md."""
    severity: SeverityWord
    message: str
    hint: str
    """What to do; empty where the message says all."""
    path: str
    """Dotted place in the spec; empty where it is none of the spec."""
    range: Range | None
    """Null where no file is at fault."""


@dataclass(frozen=True, slots=True)
class PlanProblem(Problem):
    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    spec: str | None
    """The spec's name; null where it could not be planned, or where no spec is at fault."""
    file: str | None
    """The path of a spec that could not be planned."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field of an object."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    action: ActionWord
    reason: str
    """`changed in the spec`, `drift`, or why this field is special."""
    before: Any
    """As it is; null where it is not there."""
    after: Any
    """As the spec wants it; null where it goes."""


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One step: one action on one object."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    spec: str
    id: str
    """Unique within the spec; what `depends_on`, `only_if` and the lines of an apply refer to."""
    kind: str
    """`compute`, `data`, `job`, `model`, `publication`, `endpoint` or `deployment`; there may be others."""
    name: str
    version: str | None
    """Of `data`, `model` and `publication`."""
    parent: str | None
    """The endpoint of a deployment, the registry of what is in one."""
    action: ActionWord
    reason: str
    depends_on: list[str]
    only_if: str | None
    """The id of the check that must have passed."""
    changes: dict[str, Change]
    """By dotted path in the object's YAML."""
    uploads: list[str]
    """The splits whose rows are uploaded first."""
    fallback: ResourceChange | None
    """What is done instead where this is refused."""
    usd_per_hour: float | None
    """About what it costs: `compute` per node while a job runs, `job` while it runs, `deployment` for as long as it exists."""
    estimate: str | None
    """The same in words."""


@dataclass(frozen=True, slots=True)
class DriftChange:
    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    before: Any
    """As the last apply left it, and as the spec still wants it."""
    after: Any
    """What somebody else has made of it."""


@dataclass(frozen=True, slots=True)
class ResourceDrift:
    """An object that somebody else has changed since it was applied."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    spec: str
    id: str
    """The step in `resource_changes` that undoes it."""
    kind: str
    name: str
    version: str | None
    parent: str | None
    changes: dict[str, DriftChange]
    """By dotted path in the object's YAML."""


@dataclass(frozen=True, slots=True)
class Workspace:
    target: str
    subscription_id: str
    resource_group: str
    name: str
    location: str


@dataclass(frozen=True, slots=True)
class Overridden:
    origin: str
    value: Any


@dataclass(frozen=True, slots=True)
class ParameterValue:
    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    value: Any
    origin: str
    """`spec`, `model default`, `compute` ...: who decided it."""
    overridden: list[Overridden]
    """What it takes the place of."""


@dataclass(frozen=True, slots=True)
class Split:
    """Where the rows of a split come from. No row is in a plan."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    source: str
    revision: str
    """A digest, a commit, or `etag:...`."""
    asset: str | None
    """The data asset that is used as it is."""
    recipe: dict[str, Any]
    """Which rows of the source: `from`, `percent`, `rows`, `filter` ..."""
    checked: dict[str, Any] | None
    """What its rows are like in numbers, where they have been checked on this machine."""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What decided, beside the spec."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    workspace: Workspace | None
    model: str | None
    """The base model's id."""
    twin: bool
    """Whether a tiny model stands in for it."""
    context_length: int | None
    component: str | None
    """The id of the component that trains."""
    data: dict[str, Split]
    """By name of the split."""
    parameters: dict[str, ParameterValue]
    """The parameters that somebody decided; all others are at the component's default."""
    traffic: dict[str, dict[str, int]]
    """Percent of the requests that each deployment gets now, by endpoint; endpoints that are not there yet are left out."""


@dataclass(frozen=True, slots=True)
class SpecPlan:
    """What becomes of one spec."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    name: str | None
    """Null where the spec could not be planned; `file` says which one."""
    file: str | None
    """The spec's path; null in a plan of one spec that was planned."""
    digest: str | None
    errored: bool
    """Whether an error keeps it from being applied."""
    effects: list[str]
    """What happens, the most expensive first: `train`, `retrain`, `register` (without training), `deploy`, `redeploy`, and where
    there is none of these `prepare`, `settings`, `traffic`, `restore`, `remove`. There may be others."""
    summary: str
    counts: dict[str, int]
    facts: PlanFacts | None


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """A plan of one spec, or of many."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    format_version: str
    """`MAJOR.MINOR`: refuse another major version than yours, ignore keys that you do not know."""
    fineforge_version: str
    mode: Literal["apply", "destroy"]
    target: str | None
    """Null where nothing could be planned."""
    errored: bool
    """Whether anything keeps the plan from being applied."""
    summary: str
    """`Plan: 1 to add, 0 to change, 0 to delete, 3 unchanged`, over all specs."""
    counts: dict[str, int]
    specs: list[SpecPlan]
    resource_changes: list[ResourceChange]
    """Every step, those that change nothing too, in an order that works."""
    resource_drift: list[ResourceDrift]
    """What somebody else has changed. The steps that undo it are in `resource_changes`."""
    diagnostics: list[PlanProblem]


@dataclass(frozen=True, slots=True)
class Ending:
    """How an apply ended: the ids of steps by what became of them."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    done: list[str]
    failed: dict[str, Problem]
    refused: dict[str, Problem]
    """Gates that said no."""
    moved: dict[str, Problem]
    """Steps whose object had changed since the plan."""
    skipped: dict[str, str]
    """The step that each one waited for."""
    running: list[str]
    """What goes on by itself."""
    detached: bool
    """Whether nobody wanted to wait for it."""
    lost: Problem | None
    """Why the apply lease was lost."""


@dataclass(frozen=True, slots=True)
class Output:
    """An object that stands as the spec wants it."""

    name: str
    version: str | None
    parent: str | None
