"""Plans: the steps that lead from the observed objects to the desired ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.objects import Document, ResourceKey, SpecPath, Upload


class Action(StrEnum):
    """What a step does to its object. The planner alone chooses."""

    NOOP = "noop"
    READ = "read"
    """A foreign object that fits is used as it is: never tagged, updated or deleted."""
    CHECK = "check"
    """A gate that is evaluated during apply: a metric of the run, or a smoke answer."""
    WAIT = "wait"
    """Something already runs (a job, an operation on the object): wait for it; where `absent` is expected, until it is gone."""
    UPDATE = "update"
    CREATE = "create"
    NEW_VERSION = "new_version"
    """A create of a versioned asset, or of a job, whose name already has an older version of ours."""
    RESTORE = "restore"
    ARCHIVE = "archive"
    CANCEL = "cancel"
    DELETE = "delete"


WRITES = frozenset(
    {Action.UPDATE, Action.CREATE, Action.NEW_VERSION, Action.RESTORE, Action.ARCHIVE, Action.CANCEL, Action.DELETE}
)
"""The actions that are exactly one resource write each."""


class Mode(StrEnum):
    APPLY = "apply"
    DESTROY = "destroy"


class ChangeReason(StrEnum):
    """Why a field changes. `documents.wording` has the words."""

    SPEC = "spec"
    """The spec wants another value than the one that was applied."""
    DROPPED = "dropped"
    """The spec no longer has this entry, which an earlier apply wrote."""
    DRIFT = "drift"
    """The object was changed outside fineforge; the spec still wants what was applied."""
    ROLLOUT = "rollout"
    SHARED = "shared"
    """The tag with which a spec says that it uses a shared object."""
    OWNERSHIP = "ownership"


class StepReason(StrEnum):
    """Why a step is planned. `documents.wording` has the words, and says which of them mention values."""

    ABSENT = "absent"
    JOB_CHANGED = "job_changed"
    NEW_CONTENT = "new_content"
    RETRY = "retry"
    IF_REFUSED = "if_refused"
    QUOTA_REFUSED = "quota_refused"
    AT_LOW_PRIORITY = "at_low_priority"
    AS_WANTED = "as_wanted"
    FITS = "fits"
    PUBLISHED = "published"
    CHANGED = "changed"
    DRIFTED = "drifted"
    SHARED = "shared"
    SHARED_NEW = "shared_new"
    UNUSED = "unused"
    ARCHIVED = "archived"
    BUSY = "busy"
    LEAVING = "leaving"
    FAILED = "failed"
    FAILED_WITH_MESSAGE = "failed_with_message"
    FIXED_FIELDS = "fixed_fields"
    REPLACED = "replaced"
    AFTER_DELETION = "after_deletion"
    AFTER_FAILURE = "after_failure"
    AFTER_OLD = "after_old"
    SUCCEEDED = "succeeded"
    TRAFFIC = "traffic"
    NO_TRAFFIC = "no_traffic"
    SMOKE = "smoke"
    SMOKE_BEFORE_TRAFFIC = "smoke_before_traffic"
    METRICS = "metrics"
    TWIN = "twin"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_ARCHIVED = "completed_archived"
    MODEL_REGISTERED = "model_registered"
    MODEL_ARCHIVED = "model_archived"
    SUPERSEDED = "superseded"
    SUPERSEDED_RUNS = "superseded_runs"
    OURS = "ours"
    ADOPTED = "adopted"
    RELEASED = "released"
    CREATED_HERE = "created_here"
    WITH_DEPLOYMENTS = "with_deployments"
    ARCHIVE = "archive"
    ARCHIVE_JOB = "archive_job"
    STILL_USED = "still_used"
    HOLDS_FOREIGN = "holds_foreign"
    COPIED = "copied"
    WANTED_ELSEWHERE = "wanted_elsewhere"


class Billing(StrEnum):
    """What an hourly price is for. `documents.summary` has the words."""

    NODE = "node"
    """Each node, while a job runs on it."""
    RUN = "run"
    """All nodes, while the object runs."""
    EXISTENCE = "existence"
    """All instances, for as long as the object exists."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    path: str
    """Dotted path in the document: `scale_settings.max_instances`, `traffic.d-0a1b2c`."""
    before: Any
    after: Any
    action: Action
    reason: ChangeReason


@dataclass(frozen=True, slots=True)
class MetricLimit:
    """The least and the greatest last value of one metric of a run; None where that side has no limit."""

    name: str
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class MetricCheck:
    """The gate before a model is registered: limits on the metrics of its job."""

    metrics: tuple[MetricLimit, ...]


@dataclass(frozen=True, slots=True)
class ChatTurn:
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class SmokeRequest:
    """One question to a new deployment. Answers are compared without the spaces at both ends."""

    messages: tuple[ChatTurn, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    contains: str | None = None
    equals: str | None = None


@dataclass(frozen=True, slots=True)
class SmokeCheck:
    """The gate before traffic moves: requests to the new deployment, whatever share of the traffic it has."""

    requests: tuple[SmokeRequest, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One planned action on one object. It carries its whole effect: apply looks nothing else up."""

    id: str
    key: ResourceKey
    action: Action
    reason: StepReason
    changes: tuple[FieldChange, ...] = ()
    spec: str = ""
    """The spec that the step belongs to."""
    merged: bool = False
    """True in a plan made of several specs' plans, where log lines name their spec."""
    text: str = ""
    """Create: the rendered YAML."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Update: our owner tags, written with the changes."""
    gate: MetricCheck | SmokeCheck | None = None
    """Check: what must hold."""
    expected: str = ""
    """Fingerprint that the object must still have, `absent`, or empty where nothing is expected."""
    depends_on: tuple[str, ...] = ()
    """Ids of steps that must be done first."""
    only_if: str = ""
    """Id of the CHECK step that must have passed."""
    uploads: tuple[Upload, ...] = ()
    fallback: Step | None = None
    """The one alternative, shown in the plan."""
    usd_hour: float | None = None
    """About what an hour costs, where that is known; `billing` says of what."""
    billing: Billing | None = None
    is_output: bool = False
    """True if the object is one of the outputs that an apply reports."""
    path: SpecPath = ()
    names: tuple[str, ...] = ()
    """What the reason names: objects, specs, fields or metrics."""
    value: str = ""
    """What else the words of the reason need: a number, or the service's own message."""
    beside: tuple[str, ...] = ()
    """Names of the deployments that keep their quota while this one is created."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids of every step that must be done first, the gate included."""
        return (*self.depends_on, *((self.only_if,) if self.only_if else ()))


@dataclass(frozen=True, slots=True)
class Plan:
    format: int
    mode: Mode
    target: str
    spec: str
    spec_digest: str
    facts: Document
    """The facts that decided, for the reader and for the staleness check: model, component, data, parameters with provenance."""
    steps: tuple[Step, ...]
    drift: tuple[Step, ...] = ()
    """Steps that only undo what somebody else changed; they are in `steps` too."""
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def writes(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.action in WRITES)
