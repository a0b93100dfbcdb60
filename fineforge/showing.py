"""What a reader of a plan or a status wants to know beyond steps and states: what decided, and what costs money. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fineforge import params
from fineforge.core import Facts, Observed, ResourceKey, World
from fineforge.gateway import Workspace
from fineforge.params import Parameter
from fineforge.spec import Spec


def shown_facts(
    where: Workspace, facts: Facts, parameters: Mapping[str, Parameter], checked: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The facts that a reader of the plan wants to see. `checked`: by split, the summary of rows that were checked already."""
    return {
        "workspace": {
            "target": where.target,
            "subscription_id": where.subscription_id,
            "resource_group": where.resource_group,
            "name": where.name,
            "location": facts.location,
        },
        "model": facts.model.id if facts.model else None,
        "twin": bool(facts.model and facts.model.twin),
        "context_length": facts.model.context_length if facts.model else None,
        "component": facts.component.id if facts.component else None,
        "data": {
            name: {
                "source": fact.source,
                "revision": fact.revision,
                **fact.selection,
                **({"asset": fact.asset} if fact.asset else {"checked": checked.get(name)}),
            }
            for name, fact in facts.datasets.items()
        },
        "parameters": {
            name: {
                "value": parameter.value,
                "origin": parameter.origin,
                "overridden": [{"origin": origin, "value": value} for origin, value in parameter.overridden],
            }
            for name, parameter in params.explicit(parameters).items()
        },
    }


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
        until = " until it ends" if self.key.kind == "job" else ""
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
