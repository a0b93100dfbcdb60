"""The shapes of what commands answer with `--json`, beside plans (`shapes`) and the lines of an apply (`lines`).

Each command fills its own, and the published schema is made of them. The rules of `shapes` about versions hold here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from fineforge.documents.shapes import DESCRIBED, Overridden, PlanProblem, Problem, ResourceDrift

ANSWERS_FORMAT = "1.0"


@dataclass(frozen=True, slots=True)
class Answer:
    """What every answer has."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    format_version: str = field(default=ANSWERS_FORMAT, kw_only=True)
    """`MAJOR.MINOR`: refuse another major version than yours, ignore keys that you do not know."""


@dataclass(frozen=True, slots=True)
class Failure(Answer):
    """Of any command that could not do what it was asked."""

    errored: bool
    diagnostics: list[Problem]


@dataclass(frozen=True, slots=True)
class ValidatedSpec:
    file: str
    valid: bool
    diagnostics: list[Problem]


@dataclass(frozen=True, slots=True)
class Validation(Answer):
    """Of `validate`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    specs: list[ValidatedSpec]
    diagnostics: list[Problem]
    """What belongs to no spec."""


@dataclass(frozen=True, slots=True)
class Drift(Answer):
    """Of `drift`: the same parts of a plan."""

    target: str | None
    errored: bool
    resource_drift: list[ResourceDrift]
    diagnostics: list[PlanProblem]


@dataclass(frozen=True, slots=True)
class ObjectState:
    """An object as it is."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    kind: str
    name: str
    version: str | None
    parent: str | None
    exists: bool
    status: str | None
    """`ready`, `running`, `failed` ...; null where it does not exist."""
    state: str | None
    """The service's own word."""
    archived: bool
    ours: bool
    """Whether it carries owner tags."""
    message: str
    created: str | None
    age_seconds: float | None
    instances: int | None
    traffic: dict[str, Any] | None
    """Of an endpoint: percent by deployment."""
    bills: str | None
    usd_per_hour: float | None


@dataclass(frozen=True, slots=True)
class SpecStatus:
    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    spec: str
    target: str
    usd_per_hour: float | None
    """What bills now, as far as prices are known."""
    objects: list[ObjectState]


@dataclass(frozen=True, slots=True)
class Status(SpecStatus):
    """Of `status` with one spec."""

    format_version: str = field(default=ANSWERS_FORMAT, kw_only=True)


@dataclass(frozen=True, slots=True)
class Orphans:
    """Objects of the project that no spec wants."""

    spec: str
    objects: list[str]


@dataclass(frozen=True, slots=True)
class ManyStatus(Answer):
    """Of `status` with folders or several specs."""

    specs: list[SpecStatus]
    orphans: list[Orphans]


@dataclass(frozen=True, slots=True)
class Run:
    run: str
    run_name: str


@dataclass(frozen=True, slots=True)
class Point:
    step: int
    value: float | None


@dataclass(frozen=True, slots=True)
class Metric:
    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    last: float | None
    """Null where it is no number."""
    run: str
    run_name: str
    also_in: list[Run]
    points: list[Point]


@dataclass(frozen=True, slots=True)
class Metrics(Answer):
    """Of `metrics`."""

    spec: str
    target: str
    job: str
    metrics: dict[str, Metric]


@dataclass(frozen=True, slots=True)
class Invocation(Answer):
    """Of `invoke`."""

    messages: list[Any]
    answer: Any


@dataclass(frozen=True, slots=True)
class PreparedSplit:
    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    source: str
    revision: str
    recipe: dict[str, Any]
    rows: int
    bytes: int
    sha256: str
    path: str
    summary: dict[str, Any]
    shown: list[Any]
    """Rows, as many as `--rows` asked for."""


@dataclass(frozen=True, slots=True)
class Data(Answer):
    """Of `data`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    spec: str
    splits: dict[str, PreparedSplit]
    assets: dict[str, str]
    """Splits that are data assets, used as they are."""
    diagnostics: list[Problem]


@dataclass(frozen=True, slots=True)
class CacheEntry:
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Cache(Answer):
    """Of `data cache`."""

    place: str
    limit: int
    bytes: int
    entries: dict[str, CacheEntry]


@dataclass(frozen=True, slots=True)
class Lease:
    name: str
    who: str | None
    host: str | None
    since: str | None
    command: str | None
    run: str | None
    commit: str | None


@dataclass(frozen=True, slots=True)
class Leases(Answer):
    """Of `lease list`."""

    target: str
    leases: list[Lease]


@dataclass(frozen=True, slots=True)
class Moved:
    kind: str
    key: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Lock(Answer):
    """Of `lock`."""

    file: str
    target: str
    moved: list[Moved]


@dataclass(frozen=True, slots=True)
class Rendered(Answer):
    """Of `render`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    objects: dict[str, dict[str, Any]]
    """By `kind/name`, what `az ml KIND create` takes."""


@dataclass(frozen=True, slots=True)
class EffectiveParameter:
    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    value: Any
    origin: str
    overridden: list[Overridden]
    type: str
    enum: list[str]
    minimum: float | None
    maximum: float | None
    affects: str
    """`result`: part of the job's name. `execution`: where and how it runs."""
    used: bool
    description: str


@dataclass(frozen=True, slots=True)
class Reference:
    name: str
    origin: str


@dataclass(frozen=True, slots=True)
class ComposedValue:
    path: str
    value: Any
    layer: str
    file: str
    line: int
    references: list[Reference]


@dataclass(frozen=True, slots=True)
class ExplainedSpec(Answer):
    """Of `explain SPEC`."""

    target: str | None
    parameters: dict[str, EffectiveParameter]
    values: list[ComposedValue]


@dataclass(frozen=True, slots=True)
class ExplainedCode(Answer):
    """Of `explain CODE`."""

    code: str
    title: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Facts(Answer):
    """Of `explain` with the name of a model or a component: each version that the snapshot knows."""

    facts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PolicyCase:
    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    file: str
    case: str
    passed: bool
    wrong: list[str]
    """What was not as the case expects."""


@dataclass(frozen=True, slots=True)
class PolicyCases(Answer):
    """Of `policy test`."""

    cases: list[PolicyCase]
    diagnostics: list[Problem]


@dataclass(frozen=True, slots=True)
class EmulatorStatus(Answer):
    """Of `emulator status`; where it runs, also what `emulator.json` says but for secrets."""

    running: bool


@dataclass(frozen=True, slots=True)
class Version(Answer):
    """Of `version`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = DESCRIBED

    fineforge: str
    packages: dict[str, str]
    """What it stands on; empty where one is not installed."""


ANSWERS: tuple[type[Answer | Status], ...] = (
    Failure,
    Validation,
    Drift,
    Status,
    ManyStatus,
    Metrics,
    Invocation,
    Data,
    Cache,
    Leases,
    Lock,
    Rendered,
    ExplainedSpec,
    ExplainedCode,
    Facts,
    PolicyCases,
    EmulatorStatus,
    Version,
)
