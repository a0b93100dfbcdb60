"""What a reader of a plan or a status wants to know beyond steps and states: what decided, and what costs money. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fineforge import params
from fineforge.core import Facts, Observed
from fineforge.gateway import Workspace
from fineforge.params import Parameter


def shown_facts(where: Workspace, facts: Facts, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """The facts that a reader of the plan wants to see."""
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
            name: {"source": fact.source, "revision": fact.revision, **fact.selection} for name, fact in facts.datasets.items()
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


def bills(have: Observed, facts: Facts) -> str:
    """A deployment bills for as long as it exists; a cluster for its nodes, at least `min_instances`."""
    name = str(have.document.get("instance_type") or have.document.get("size") or "").lower()
    size = facts.sizes.get(name)
    price = (size.price_hour.get(facts.location) or next(iter(size.price_hour.values()), None)) if size else None
    if price is None:
        return ""
    if have.key.kind == "deployment":
        return f"about {price * int(have.document.get('instance_count') or 1):.2f} USD/h"
    nodes = int(have.document.get("min_instances") or 0)
    return f"about {price * nodes:.2f} USD/h" if have.key.kind == "compute" and nodes else ""
