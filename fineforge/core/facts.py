"""What was read before planning: facts of registries and datasets, and the observed world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fineforge.catalog.facts import ComponentFact, ModelFact, SizeFact
from fineforge.core.diagnostics import Diagnostic
from fineforge.core.objects import Document, Observed, ResourceKey


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
