"""The core types: what every part of fineforge passes to every other part.

Here belong frozen dataclasses and enumerations without behaviour beyond their own text form and looking up what they hold.
Here does not belong anything that reads a file, a clock, an environment variable or the network, nor any rule about Azure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fineforge.catalog.facts import ComponentFact, ModelFact, SizeFact
from fineforge.diagnostics import Diagnostic

Document = Mapping[str, Any]
"""A YAML or JSON document. `Desired` and `Observed` documents have the shape that `az ml <kind> create -f` accepts."""

Raw = Mapping[str, Any]
"""A body as the service sent it, or as it is sent back: the ARM shape (`properties`, `tags`, `location`, `sku` ...)."""

SpecPath = tuple[str | int, ...]
"""A place in the user's spec: the keys and indexes that lead to it."""


@dataclass(frozen=True, slots=True)
class ResourceKey:
    """The identity of one Azure object within a workspace."""

    kind: str
    """`compute`, `data`, `job`, `model`, `publication`, `endpoint` or `deployment`."""
    name: str
    version: str | None = None
    """Only `data`, `model` and `publication` have versions."""
    parent: str | None = None
    """The endpoint of a `deployment`; the registry of a `publication`, and of a `model` that is no workspace's."""

    def __str__(self) -> str:
        owner = f"{self.parent}/" if self.parent else ""
        version = f":{self.version}" if self.version is not None else ""
        return f"{self.kind}/{owner}{self.name}{version}"


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


class Status(StrEnum):
    """The life of an object, the same words for every kind."""

    READY = "ready"
    """Provisioned, or an asset that exists."""
    BUSY = "busy"
    """Creating, updating, scaling or deleting: another operation would be refused."""
    FAILED = "failed"
    RUNNING = "running"
    """A job that is queued, preparing, running or finalizing."""
    COMPLETED = "completed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Ownership:
    """What our tags on an object say. Keys are `fineforge-<field>`, compared without case."""

    project: str
    spec: str
    digest: str
    fields: str = ""
    """Six hexadecimal characters per compared field, in the order of the kind's rules."""
    attempt: int = 1
    source: str = ""
    """`git url@commit`; written with another change only, never compared."""
    version: str = ""
    """The fineforge version that wrote; never compared."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One file that a data asset needs in the datastore before the asset is created."""

    split: str
    destination: str
    """Path within the workspace's default datastore, below a content address."""


@dataclass(frozen=True, slots=True)
class Desired:
    """One Azure object as the spec wants it, rendered."""

    key: ResourceKey
    text: str
    """The rendered YAML, owner tags included: exactly what is submitted."""
    document: Document
    """`text`, parsed, without our owner tags: what is compared."""
    digest: str
    depends_on: tuple[ResourceKey, ...] = ()
    path: SpecPath = ()
    """Where in the spec this object is described; errors point there."""
    uploads: tuple[Upload, ...] = ()
    fallback: str = ""
    """The text of the one alternative, where the spec allows one."""
    existing: bool = False
    """The spec only names it: read, never made; `text` and `document` are empty."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One Azure object as it is."""

    key: ResourceKey
    document: Document
    """The object in the shape of its template, server spelling normalised where a field rule says so."""
    owner: Ownership | None
    status: Status
    fingerprint: str
    """Over compared fields and status, not over timestamps, counters, or anything that our own earlier steps change."""
    archived: bool = False
    message: str = ""
    """The service's own words where the object failed."""
    tags: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    """When the service says it was created; orders old deployments, decides nothing else."""
    leaving: bool = False
    """BUSY because the service is deleting it."""
    word: str = ""
    """The service's own word for the state."""


@dataclass(frozen=True, slots=True)
class DatasetFact:
    """What is known of one split before it is prepared."""

    split: str
    source: str
    """As messages name it: a path from the spec's folder, or an address without its query."""
    revision: str
    """Local files: the SHA-256 of their bytes. `hf://`: the commit. `https://`: `etag:...` or `sha256:...`."""
    selection: Document
    """The recipe in a canonical form: what else decides about the rows. It and `revision` are all that is digested."""
    rows: int | None = None
    """Rows that the prepared split holds, where known."""
    local_path: str = ""
    """The one file that is read, where it is one."""
    files: tuple[str, ...] = ()
    """What is read, in order: paths, or the whole address."""
    total: int | None = None
    """Rows of the source split, where known before it is read."""
    asset: str = ""
    """`azureml:NAME:VERSION` where the split is a data asset that exists: used as it is, never prepared."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the outside world says and nobody here can change."""

    workspace_id: str
    """ARM id of the workspace, lower case."""
    location: str
    today: str
    """UTC date, ISO. The only place where time enters; part of no digest and no name."""
    model: ModelFact | None
    component: ComponentFact | None
    sizes: Mapping[str, SizeFact]
    """By lower-case name."""
    datasets: Mapping[str, DatasetFact] = field(default_factory=dict)
    """By split name: train, validation, test."""
    metrics: Mapping[str, float] | None = None
    """Last value of each metric of the finished job, where it has been read."""

    def size(self, name: str | None) -> SizeFact | None:
        """The VM size of that name, whatever its capitals."""
        return self.sizes.get((name or "").lower())


@dataclass(frozen=True, slots=True)
class World:
    """Everything that was read. A key that is in neither map was not asked for."""

    observed: Mapping[ResourceKey, Observed | None]
    """`None`: a point GET answered 404. A failed read is never here."""
    listed: frozenset[str] = frozenset()
    """Kinds that were read completely."""
    unread: Mapping[ResourceKey, Diagnostic] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldChange:
    path: str
    """Dotted path in the document: `scale_settings.max_instances`, `traffic.d-0a1b2c`."""
    before: Any
    after: Any
    action: Action
    reason: str
    """`changed in the spec`, `drift`, or the field rule's reason."""


@dataclass(frozen=True, slots=True)
class Step:
    """One planned action on one object. It carries its whole effect: apply looks nothing else up."""

    id: str
    key: ResourceKey
    action: Action
    reason: str
    changes: tuple[FieldChange, ...] = ()
    text: str = ""
    """Create, update: the rendered YAML. Check: the gate as YAML."""
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
    """About what an hour costs, where that is known: of a cluster each node while a job runs, of a job all its nodes while it
    runs, of a deployment all its instances for as long as it exists."""
    path: SpecPath = ()


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
