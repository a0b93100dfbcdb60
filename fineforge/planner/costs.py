"""What a reader of a plan or a status wants to know beyond steps and states: what decided, and what costs money. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fineforge.config.spec import Spec
from fineforge.core.facts import Facts, World
from fineforge.core.objects import Observed, ResourceKey
from fineforge.core.plan import Billing
from fineforge.planner.case import Case
from fineforge.resources.fields import whole_number
from fineforge.resources.kinds import KINDS
from fineforge.resources.kinds.compute import COMPUTE


@dataclass(frozen=True, slots=True)
class State:
    """One object of a spec, for `status`."""

    key: ResourceKey
    observed: Observed | None
    usd_hour: float | None = None
    """What it costs now, an hour; None where it costs nothing, or nobody knows."""

    @property
    def bills(self) -> str:
        """The same in words; empty where nothing is known."""
        until = " until it ends" if KINDS[self.key.kind].billing is Billing.RUN else ""
        return f"about {self.usd_hour:.2f} USD/h{until}" if self.usd_hour else ""


def states(wanted: Sequence[ResourceKey], world: World, owner: tuple[str, str], facts: Facts, spec: Spec) -> tuple[State, ...]:
    """The objects that the spec wants, there or not, then others of its own. `owner` is the project and the name of the spec."""
    mine = [
        key
        for key, have in world.observed.items()
        if key not in wanted and have is not None and have.owner is not None and (have.owner.project, have.owner.spec) == owner
    ]
    found = [(key, world.observed.get(key)) for key in (*wanted, *mine)]
    clusters = [have for _, have in found if have is not None and KINDS[have.key.kind].billing is Billing.NODE]
    return tuple(State(key, have, _current(have, facts, spec, clusters) if have is not None else None) for key, have in found)


def price(facts: Facts, size: Any, count: int = 1, low_priority: bool = False) -> float | None:
    """Return USD per hour for `count` machines of a size; None where that is nothing or not known.

    Pay-as-you-go prices of the region, else of any region, undated.
    """
    known = facts.size(str(size or ""))
    each = known.price_in(facts.location, low_priority) if known else None
    return round(each * count, 4) if each is not None and count else None


def planned(case: Case, kind: str, low_priority: bool = False) -> float | None:
    """Return USD per hour for an object of the kind once it is as the spec wants it; its billing says of what."""
    spec, facts = case.spec, case.facts
    match KINDS[kind].billing:
        case Billing.NODE:
            return price(facts, spec.compute.size, 1, low_priority) if spec.compute else None
        case Billing.EXISTENCE:
            return price(facts, spec.deployment.size, spec.deployment.instances) if spec.deployment else None
        case Billing.RUN:
            return price(facts, _size(spec, _clusters(case)), spec.job.nodes, at_low_priority(case))
        case None:
            return None


def at_low_priority(case: Case) -> bool:
    """Return True if the spec's cluster is, or will be, one of low priority."""
    for cluster in _clusters(case):
        return is_low_priority(cluster)
    return case.spec.compute is not None and case.spec.compute.tier == "low_priority"


def is_low_priority(cluster: Observed) -> bool:
    """Return True if the cluster's nodes cost less, and may be taken away."""
    return bool(cluster.document.get("tier") == "low_priority")


def _current(have: Observed, facts: Facts, spec: Spec, clusters: Sequence[Observed]) -> float | None:
    """A deployment bills for its instances as long as it exists, a failed one too. A cluster bills for its least nodes.

    A running job bills for its nodes beyond these. One that waits for nodes costs nothing yet.
    """
    match KINDS[have.key.kind].billing:
        case Billing.EXISTENCE:
            return price(facts, have.document.get("instance_type"), whole_number(have.document.get("instance_count") or 1, 1))
        case Billing.NODE:
            return price(facts, have.document.get("size"), _nodes(have), is_low_priority(have))
        case Billing.RUN if have.word.lower() in ("running", "finalizing") and spec.compute is not None:
            nodes = max(0, spec.job.nodes - sum(_nodes(cluster) for cluster in clusters))
            return price(facts, _size(spec, clusters), nodes, any(map(is_low_priority, clusters)))
        case _:
            return None


def _clusters(case: Case) -> list[Observed]:
    return [have for want in case.wanted(COMPUTE.name) if (have := case.have(want.key)) is not None]


def _size(spec: Spec, clusters: Sequence[Observed]) -> str | None:
    named = spec.compute.size if spec.compute else None
    return named or next((cluster.document.get("size") for cluster in clusters), None)


def _nodes(have: Observed) -> int:
    return whole_number(have.document.get("min_instances") or 0, 0)
