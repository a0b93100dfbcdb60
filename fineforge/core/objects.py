"""The core types: what every part of fineforge passes to every other part.

Here belong frozen dataclasses and enumerations without behaviour beyond their own text form and looking up what they hold.
Here does not belong anything that reads a file, a clock, an environment variable or the network, nor any rule about Azure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

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
    attempt: int = field(default=1, compare=False)
    """Of a job that the spec wants, counted from 1. Keys that were read have 1: the name alone identifies the job."""

    def __str__(self) -> str:
        owner = f"{self.parent}/" if self.parent else ""
        version = f":{self.version}" if self.version is not None else ""
        return f"{self.kind}/{owner}{self.name}{version}"


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
    owner_tags: Mapping[str, str] = field(default_factory=dict)
    """Our tags in `text`: what an update of the object writes along."""
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
