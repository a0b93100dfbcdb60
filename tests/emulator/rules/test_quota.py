"""Cores: of clusters, of deployments with the 20 % reserve and its exceptions."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fineforge.emulator.rules import AzureError
from fineforge.emulator.rules.sizes import deployment_cores, find


@pytest.mark.parametrize(
    ("size", "instances", "cores"),
    [
        ("Standard_F4s_v2", 1, 8),  # mslearn-azure-ml#30: one 4-core machine, 8 cores needed
        ("Standard_F4s_v2", 5, 24),
        ("Standard_NC4as_T4_v3", 10, 48),  # T4 is not exempt
        ("Standard_NV36ads_A10_v5", 1, 72),  # nor is A10
        ("Standard_NC24ads_A100_v4", 1, 24),  # exempt: NC A100 v4, NC H100 v5, ND
        ("Standard_NC40ads_H100_v5", 2, 80),
        ("Standard_ND96asr_v4", 1, 96),
    ],
)
def test_reserve_of_a_deployment(size: str, instances: int, cores: int) -> None:
    """ceil(1.2 n) machines (quota-allocation-online-deployment.md)."""
    fact = find(size)
    assert fact is not None
    assert deployment_cores(fact, instances) == cores


def test_family_text_counts_what_is_used(world: Any) -> None:
    world.cloud.planted.quota("standardDSv2Family", 10)
    world.deployed()
    with pytest.raises(AzureError, match=r"Current usage/limit: 8/10\. Additional needed: 8"):
        world.cloud.put("deployment", ("answers", "green"), world.deployment_body())


def test_growing_a_deployment_needs_only_the_difference(world: Any) -> None:
    world.cloud.planted.quota("standardDSv2Family", 12)
    world.deployed()
    assert world.cloud.put("deployment", ("answers", "blue"), world.deployment_body(instances=2)).status == 200
    with pytest.raises(AzureError, match=r"Current usage/limit: 12/12\. Additional needed: 4"):
        world.cloud.put("deployment", ("answers", "blue"), world.deployment_body(instances=3))
    assert world.cloud.get("deployment", ("answers", "blue")).body["sku"]["capacity"] == 2


def test_clusters_and_endpoints_share_a_family(world: Any) -> None:
    """QUOTA: one pool of cores per family and region; a cluster holds its minimum nodes."""
    world.cloud.planted.quota("standardDSv2Family", 12)
    scale = {"minNodeCount": 2, "maxNodeCount": 2}
    world.compute(vmSize="Standard_DS3_v2", scaleSettings=scale)
    with pytest.raises(AzureError, match="Current usage/limit: 8/12"):
        world.deployed()


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        (
            {"standardNCADSA100v4Family": 0},
            "The specified subscription has a Standard NCADSA100v4 family vCPU quota of 0 and cannot accomodate for at least 1 "
            "requested managed compute nodes which maps to 24 vCPUs.",
        ),
        ({"total": 0}, "has a total vCPU quota of 0 and cannot accomodate"),
    ],
)
def test_a_cluster_over_quota_leaves_a_failed_record(world: Any, planted: dict[str, int], words: str) -> None:
    """Reported, the spelling as is: raised even with a minimum of 0 nodes; the record keeps the name."""
    for name, limit in planted.items():
        world.cloud.planted.quota(name, limit)
    operation = world.compute().operation
    body = world.cloud.get("compute", ("gpu",)).body["properties"]
    assert body["provisioningState"] == "Failed"
    assert body["provisioningErrors"][0]["error"]["code"] == "ClusterMinNodesExceedCoreQuota"
    assert re.search(re.escape(words), body["provisioningErrors"][0]["error"]["message"])
    status = world.cloud.get("operation", (operation.id,)).body
    assert (status["status"], status["error"]["code"]) == ("Failed", "ClusterMinNodesExceedCoreQuota")


def test_low_priority_draws_on_a_pool_of_its_own(world: Any) -> None:
    """QUOTA; the official walkthrough puts low priority over the refused dedicated cluster (assumed to be accepted)."""
    world.cloud.planted.quota("standardNCADSA100v4Family", 0)
    world.compute()
    assert world.state("compute", "gpu") == "Failed"
    world.compute(vmPriority="LowPriority")
    assert world.state("compute", "gpu") == "Succeeded"
    world.cloud.planted.quota("lowPriority", 0)
    world.compute("second", vmPriority="LowPriority")
    assert world.state("compute", "second") == "Failed"


def test_usages_list_families_and_totals(world: Any) -> None:
    """Official example: dedicatedCores, lowPriorityCores and vmFamily rows; a family without an entry has no row."""
    world.cloud.planted.quota("standardNDSv2Family", None)
    rows = world.cloud.get("usages").body["value"]
    kinds = {row["type"].split("/")[1] for row in rows}
    assert kinds == {"dedicatedCores", "lowPriorityCores", "vmFamily"}
    assert not any("NDSv2" in row["name"]["value"] for row in rows)
