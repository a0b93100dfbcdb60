"""VM sizes, quota and what of it is used. Cores are shared by clusters and endpoints of one family (QUOTA)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from fineforge.catalog import snapshot
from fineforge.catalog.facts import SizeFact
from fineforge.emulator.rules.base import Body, Key, Kind, Reply
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import refuse

TOTAL, LOW_PRIORITY, ENDPOINTS, DEPLOYMENTS = "total", "lowPriority", "endpoints", "deployments"
DEFAULT_LIMITS = {TOTAL: 5000, LOW_PRIORITY: 1000, ENDPOINTS: 100, DEPLOYMENTS: 500}
FAMILY_LIMIT = 1000
"""Cores of a family, where a test did not plant another number. A new subscription of Azure has 0 for GPU families (QUOTA)."""


@dataclass(frozen=True, slots=True)
class Quota:
    context: Context

    def limit(self, name: str) -> int | None:
        """None: there is no entry for the family."""
        planted = self.context.store.get("quota", (name,))
        if planted is None:
            return DEFAULT_LIMITS.get(name, FAMILY_LIMIT)
        return None if planted["limit"] is None else int(planted["limit"])

    def used(self, family: str | None = None, low_priority: bool = False) -> int:
        """Cores held by clusters' minimum nodes and by deployments, failed ones too (FIELD 5.1), of one family or of all."""
        cores = 0
        for _, body in self.context.store.list("compute"):
            properties = body["properties"]["properties"]
            low = properties["vmPriority"] == "LowPriority"
            if low == low_priority and body["properties"]["provisioningState"] != "Failed":
                cores += _cores(properties["vmSize"], family) * properties["scaleSettings"]["minNodeCount"]
        if low_priority:
            return cores
        deployments = (document for _, document in self.context.store.list("deployment"))
        return cores + sum(int(document["cores"]) for document in deployments if family in (None, document["family"]))

    def check_deployment(self, size: SizeFact, instances: int, held: int) -> int:
        """Cores that a deployment will hold; `held` are those it has already. Raises in each of the texts that users met."""
        needed = deployment_cores(size, instances)
        more = needed - held
        limit, total = self.limit(size.family), self.limit(TOTAL)
        if more <= 0:
            return needed
        if limit is None or total is None:
            raise refuse("no_quota_entry", needed=more)
        if self.used(size.family) + more > limit:
            where = self.context.settings.subscription_id
            raise refuse(
                "family_quota", size=size.name, subscription=where, usage=self.used(size.family), limit=limit, needed=more
            )
        if self.used() + more > total:
            raise refuse("total_quota", needed=more, usage=self.used(), limit=total)
        return needed

    def cluster_refusal(self, size: SizeFact, nodes: int, low_priority: bool) -> dict[str, str] | None:
        """Why a cluster cannot be: even with no minimum, one node must fit (reported)."""
        name = LOW_PRIORITY if low_priority else size.family
        cores = max(nodes, 1) * size.vcpus
        label = LOW_PRIORITY if low_priority else f"{_family(size.family)} family"
        limits = [(label, self.limit(name) or 0)]
        if not low_priority:
            limits.append((TOTAL, self.limit(TOTAL) or 0))
        for label, limit in limits:
            used = self.used(None if label in (TOTAL, LOW_PRIORITY) else size.family, low_priority)
            if used + cores > limit:
                error = refuse("cluster_quota", family=label, limit=limit, cores=cores)
                return {"code": error.code, "message": error.message}
        return None


class VmSizes(Kind):
    name = "vm_sizes"

    def get(self, path: Key) -> Reply:
        return Reply(200, {"value": [_size_body(size) for size in snapshot.sizes().values()]})


class Usages(Kind):
    """Rows as in the official example: the same name may stand in several; filter by type."""

    name = "usages"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._quota = Quota(context)

    def get(self, path: Key) -> Reply:
        families = sorted({size.family for size in snapshot.sizes().values() if size.family})
        rows = [
            self._row("dedicatedCores", "Total Cluster Dedicated Regional vCPUs", self._quota.used(), self._quota.limit(TOTAL)),
            self._row(
                "lowPriorityCores",
                "Total Cluster LowPriority Regional vCPUs",
                self._quota.used(low_priority=True),
                self._quota.limit(LOW_PRIORITY),
            ),
        ]
        for family in families:
            limit = self._quota.limit(family)
            if limit is not None:
                label = f"{_family(family)} Family Cluster Dedicated vCPUs"
                rows.append(self._row("vmFamily", label, self._quota.used(family), limit))
        return Reply(200, {"value": rows})

    def _row(self, kind: str, label: str, used: int, limit: int | None) -> Body:
        return {
            "id": f"/subscriptions/{self._context.settings.subscription_id}/usages",
            "type": f"Microsoft.MachineLearningServices/{kind}/usages",
            "currentValue": used,
            "limit": limit,
            "name": {"localizedValue": label, "value": label},
            "unit": "Count",
        }


def deployment_cores(size: SizeFact, instances: int) -> int:
    """ceil(1.2 n) x cores, but for the sizes that skip the reserve (quota-allocation-online-deployment.md)."""
    machines = instances if size.skip_reserve else math.ceil(1.2 * instances)
    return machines * size.vcpus


def find(name: str) -> SizeFact | None:
    return snapshot.sizes().get(name.lower())


def _cores(name: str, family: str | None) -> int:
    size = find(name)
    return size.vcpus if size and family in (None, size.family) else 0


def _family(name: str) -> str:
    """`standardNCADSA100v4Family` in words: `Standard NCADSA100v4` (official example, reported refusal)."""
    return re.sub(r"\Astandard\s*", "Standard ", name.removesuffix("Family").strip())


def _size_body(size: SizeFact) -> Body:
    """As the official example has it; `MIR` means managed online endpoints."""
    types = [("AmlCompute", size.training), ("ComputeInstance", size.training), ("MIR", size.endpoint)]
    return {
        "name": size.name,
        "family": size.family,
        "vCPUs": size.vcpus,
        "gpus": size.gpus,
        "osVhdSizeMB": 1047552,
        "maxResourceVolumeMB": 65536,
        "memoryGB": size.memory_gib,
        "lowPriorityCapable": bool(size.low_priority_price_hour),
        "premiumIO": True,
        "supportedComputeTypes": [name for name, supported in types if supported],
    }
