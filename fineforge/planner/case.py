"""The values that one planning decision starts from and ends with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic
from fineforge.core.facts import Facts, World
from fineforge.core.objects import Desired, Observed, ResourceKey
from fineforge.core.plan import Step

ABSENT = "absent"
"""`Step.expected` of an object that must not exist yet."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a decision may look at."""

    spec: Spec
    facts: Facts
    world: World
    project: str
    desired: Mapping[ResourceKey, Desired]

    def wanted(self, kind: str) -> Iterable[Desired]:
        return (want for want in self.desired.values() if want.key.kind == kind)

    def have(self, key: ResourceKey) -> Observed | None:
        return self.world.observed.get(key)

    def is_existing(self, key: ResourceKey) -> bool:
        """Return True if the spec says `existing: true`, in the block of the kind's name: the object has another owner."""
        return bool(getattr(getattr(self.spec, key.kind, None), "existing", False))

    def is_ours(self, have: Observed) -> bool:
        owner = have.owner
        return owner is not None and owner.project == self.project and owner.spec == self.spec.name

    def is_siblings(self, have: Observed) -> bool:
        """Another spec of our project owns it."""
        return have.owner is not None and have.owner.project == self.project and have.owner.spec != self.spec.name


@dataclass(frozen=True, slots=True)
class Decision:
    steps: list[Step] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
