"""Clusters (AmlCompute)."""

from __future__ import annotations

from collections.abc import Iterable

from fineforge.fields import Change, FieldRule
from fineforge.kinds.base import PROVISIONING, USER_TAGS_TOP, Context, End, Kind, Wanted, identity_rules

_SCALE = "properties.properties.scaleSettings"


def _wanted(context: Context) -> Iterable[Wanted]:
    compute, key = context.spec.compute, context.identity.compute
    if compute is None or key is None:
        return
    variables = {
        "name": key.name,
        "size": compute.size or "",
        "tier": "low_priority" if compute.tier == "low_priority" else "dedicated",
        "min_nodes": compute.min_nodes,
        "max_nodes": compute.max_nodes,
        "idle_seconds": compute.idle_seconds,
    }
    yield Wanted(key, variables, ("compute",))


COMPUTE = Kind(
    name="compute",
    rules=(
        *identity_rules("$schema", "type", "name"),
        FieldRule(
            "size",
            "properties.properties.vmSize",
            Change.REPLACE,
            "caseless",
            "compute.size",
            "a cluster's size cannot be changed; the service answers it in capitals (recorded)",
        ),
        FieldRule(
            "tier",
            "properties.properties.vmPriority",
            Change.REPLACE,
            "tier",
            "compute.tier",
            "a cluster's tier cannot be changed",
        ),
        FieldRule("min_instances", f"{_SCALE}.minNodeCount", form="number", spec="compute.min_nodes"),
        FieldRule("max_instances", f"{_SCALE}.maxNodeCount", form="number", spec="compute.max_nodes"),
        FieldRule(
            "idle_time_before_scale_down", f"{_SCALE}.nodeIdleTimeBeforeScaleDown", form="seconds", spec="compute.idle_seconds"
        ),
        USER_TAGS_TOP,
    ),
    wanted=_wanted,
    state="properties.provisioningState",
    states=PROVISIONING,
    end=End.DELETE,
    shared=True,
)
