"""`tier: dedicated_then_low_priority`: tried as the plan says, once, and for want of quota only."""

from __future__ import annotations

from typing import Any

import pytest

from fineforge import engine
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, Plan, StepReason
from tests.scenarios.stories.telling import Telling

CLUSTER = ResourceKey("compute", "gpu-a100")


@pytest.fixture
def cheap(told: Telling) -> Telling:
    told.data["compute"]["tier"] = "dedicated_then_low_priority"
    del told.data["endpoint"], told.data["deployment"]  # which would need cores of the same family
    return told


def quota(told: Telling, cores: int | None, low_priority: int | None = None) -> None:
    planted = told.gateway.cloud.planted
    planted.quota("standardNCADSA100v4Family", cores)
    if low_priority is not None:
        planted.quota("lowPriority", low_priority)


def tier(told: Telling) -> Any:
    raw = told.gateway.get(CLUSTER)
    return raw and raw["properties"]["properties"]["vmPriority"]


def writes(told: Telling) -> list[str]:
    return [verb for verb, key in told.gateway.writes if key == str(CLUSTER)]


def on_cluster(made: Plan) -> list[Action]:
    return [step.action for step in made.steps if step.key == CLUSTER]


def test_dedicated_where_there_is_quota(cheap: Telling) -> None:
    step = next(step for step in cheap.plan().steps if step.key == CLUSTER)
    assert step.fallback is not None and step.fallback.reason is StepReason.IF_REFUSED
    assert "dedicated" in step.text and "low_priority" in step.fallback.text
    cheap.apply()
    assert (tier(cheap), writes(cheap)) == ("Dedicated", ["create"])


def test_low_priority_where_there_is_none(cheap: Telling) -> None:
    quota(cheap, 0)
    outcome = cheap.carry_out(cheap.plan())
    assert engine.outcome_exit_code(outcome) == 0, outcome
    assert (tier(cheap), writes(cheap)) == ("LowPriority", ["create", "create"])
    assert cheap.pending() == [], "either is what the spec wants"
    cluster = next(step for step in cheap.plan().steps if step.key == CLUSTER)
    assert cluster.action is Action.NOOP and cluster.reason is StepReason.AT_LOW_PRIORITY, "and its readers are told which"


def test_low_priority_costs_what_low_priority_costs(told: Telling) -> None:
    def estimates() -> list[float | None]:
        return [step.usd_hour for step in told.plan().steps if step.key.kind in ("compute", "job")]

    dedicated = estimates()
    told.data["compute"]["tier"] = "low_priority"
    assert all(dedicated) and all(estimates()) and not set(dedicated) & set(estimates())
    quota(told, 0)
    told.data["compute"]["tier"] = "dedicated_then_low_priority"
    assert estimates() == dedicated


def test_a_job_on_a_cluster_that_the_spec_only_names_costs_what_that_cluster_does(cheap: Telling) -> None:
    def estimate() -> float | None:
        return next(step.usd_hour for step in cheap.plan().steps if step.key.kind == "job")

    usual = estimate()
    cheap.apply()
    cheap.data["compute"] = {"name": CLUSTER.name, "existing": True}
    assert usual and estimate() == usual


def test_without_the_word_for_it_a_refusal_is_a_refusal(told: Telling) -> None:
    quota(told, 0)
    outcome = told.carry_out(told.plan())
    (failure,) = outcome.failed.values()
    assert failure.code == "FF503" and "quota" in failure.message
    assert writes(told) == ["create"]


def test_no_quota_at_all(cheap: Telling) -> None:
    """Both are refused: nothing is tried a third time, and the next plan says why."""
    quota(cheap, 0, low_priority=0)
    outcome = cheap.carry_out(cheap.plan())
    assert len(outcome.failed) == 1 and writes(cheap) == ["create", "create"]
    again = cheap.plan()
    assert on_cluster(again) == [Action.DELETE, Action.CREATE]
    assert "low_priority" in again.steps[1].text and again.steps[1].fallback is None
    quota(cheap, 0, low_priority=960)
    cheap.apply()
    assert tier(cheap) == "LowPriority" and cheap.pending() == []


def test_another_failure_is_not_healed_by_a_cheaper_tier(cheap: Telling) -> None:
    planted = cheap.gateway.cloud.planted
    planted.failure("compute", (CLUSTER.name,), "SubnetNotFound", "the subnet is not there")
    outcome = cheap.carry_out(cheap.plan())
    assert [diagnostic.code for diagnostic in outcome.failed.values()] == ["FF503"]
    assert writes(cheap) == ["create"]


def test_killed_between_the_refusal_and_the_alternative(cheap: Telling) -> None:
    quota(cheap, 0)
    made = cheap.plan()
    cluster = next(step for step in made.steps if step.key == CLUSTER)
    cheap.gateway.create(CLUSTER, cluster.text)  # what a runner that died next would have left
    assert on_cluster(cheap.plan()) == [Action.WAIT]
    cheap.gateway.wait(CLUSTER, lambda _: None, lambda: False)
    assert on_cluster(cheap.plan()) == [Action.DELETE, Action.CREATE]
    cheap.apply()
    assert tier(cheap) == "LowPriority" and cheap.pending() == []
