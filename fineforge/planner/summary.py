"""The facts a plan records for its reader: workspace, model, component, data and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fineforge.core.facts import Facts
from fineforge.core.gateway import Workspace
from fineforge.resources import parameters as params
from fineforge.resources.parameters import Parameter


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
