"""What a reader of a plan or a status wants to know beyond steps and states: what decided, and what costs money. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fineforge.config.spec import Spec
from fineforge.core.facts import Facts, World
from fineforge.core.objects import Observed, ResourceKey
from fineforge.core.plan import Billing
from fineforge.resources.kinds import KINDS


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
    clusters = [have for _, have in found if have is not None and have.key.kind == "compute"]
    return tuple(State(key, have, _usd_hour(have, facts, spec, clusters) if have is not None else None) for key, have in found)


def _usd_hour(have: Observed, facts: Facts, spec: Spec, clusters: Sequence[Observed]) -> float | None:
    """A deployment bills for its instances as long as it exists, a failed one too; a cluster for its least nodes; a job that runs
    for its nodes beyond these. One that waits for nodes costs nothing yet."""
    match have.key.kind:
        case "deployment":
            return _price(have.document.get("instance_type"), facts, int(have.document.get("instance_count") or 1))
        case "compute":
            return _price(have.document.get("size"), facts, _nodes(have), is_low_priority(have))
        case "job" if have.word.lower() in ("running", "finalizing") and spec.compute is not None:
            nodes = max(0, spec.job.nodes - sum(_nodes(cluster) for cluster in clusters))
            size = spec.compute.size or next((cluster.document.get("size") for cluster in clusters), None)
            return _price(size, facts, nodes, any(map(is_low_priority, clusters)))
        case _:
            return None


def _nodes(have: Observed) -> int:
    return int(have.document.get("min_instances") or 0)


def is_low_priority(cluster: Observed) -> bool:
    """Whether its nodes cost less, and may be taken away."""
    return bool(cluster.document.get("tier") == "low_priority")


def _price(size: Any, facts: Facts, count: int, low_priority: bool = False) -> float | None:
    known = facts.size(str(size or ""))
    price = known.price_in(facts.location, low_priority) if known else None
    return price * count if price is not None and count else None
