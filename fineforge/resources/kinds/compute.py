"""Clusters (AmlCompute)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fineforge.core.plan import Billing
from fineforge.resources.fields import Change, FieldRule
from fineforge.resources.kinds.base import PROVISIONING, USER_TAGS_TOP, Api, Context, End, Kind, Wanted, identity_rules

_SCALE = "properties.properties.scaleSettings"


QUOTA = re.compile("quota", re.IGNORECASE)
"""In every text with which a cluster is refused for want of cores (ClusterMinNodesExceedCoreQuota and older ones, reported)."""


def refused_for_quota(message: str) -> bool:
    """Whether a cluster's failure is one that low priority, whose cores are counted apart, may not have."""
    return QUOTA.search(message) is not None


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
        "subnet": compute.subnet,
        "public_ip": compute.public_ip,
        "identity": compute.identity,
        "user_identities": [{"resource_id": identity} for identity in compute.user_identities],
    }
    cheaper = {"tier": "low_priority"} if compute.tier == "dedicated_then_low_priority" else {}
    yield Wanted(key, variables, ("compute",), fallback=cheaper)


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
        FieldRule(
            "network_settings.subnet",
            "properties.properties.subnet.id",
            Change.REPLACE,
            "caseless",
            "compute.subnet",
            "a cluster stays in its subnet",
        ),
        FieldRule(
            "enable_node_public_ip",
            "properties.properties.enableNodePublicIp",
            Change.REPLACE,
            spec="compute.public_ip",
            reason="set when a cluster is created",
        ),
        FieldRule("identity.type", "identity.type", form="identity", spec="compute.identity"),
        FieldRule(
            "identity.user_assigned_identities",
            "identity.userAssignedIdentities",
            form="identities",
            spec="compute.user_identities",
        ),
        USER_TAGS_TOP,
    ),
    wanted=_wanted,
    state="properties.provisioningState",
    states=PROVISIONING,
    end=End.DELETE,
    api=Api(
        "computes/{name}",
        "2023-08-01-preview",
        "load_compute",
        "compute",
        "begin_create_or_update",
        delete_query="&underlyingResourceAction=Delete",
        required=(),
    ),
    end_order=60,
    billing=Billing.NODE,
    shared=True,
)
