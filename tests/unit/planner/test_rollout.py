"""Rollouts, costs and jobs in worlds that the folders of `cases` cannot describe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fineforge.core.facts import World
from fineforge.core.objects import Observed, ResourceKey
from fineforge.core.plan import Action, Mode, Plan
from fineforge.planner import Options, plan
from tests.unit.planner.case import CASES, PROJECT, Case

ROLLOUT = {"now": ["compute", "data/train", "data/validation", "endpoint"], "before": ["job", "model", "deployment"]}
RETRAINED = {**ROLLOUT, "was": {"training": {"num_train_epochs": 3}}, "traffic": {"before": 100}}


def a_case(story: dict[str, Any], **spec: Any) -> Case:
    """A case without a folder: the spec of all cases with some of its blocks replaced."""
    case = Case(CASES / "none")
    base = Case(CASES / "nothing-exists").spec_data
    case.__dict__ |= {"story": story, "spec_data": {**base, **{key: {**base.get(key, {}), **spec[key]} for key in spec}}}
    return case


def added(world: World, *objects: Observed) -> World:
    return replace(world, observed={**world.observed, **{have.key: have for have in objects}})


@pytest.mark.parametrize("rollout", ["blue_green", "in_place"])
def test_the_deployment_that_answers_is_kept(rollout: str) -> None:
    """A newer one of ours, which has answered before, comes after it."""
    case = a_case(RETRAINED, deployment={"keep_previous": 1, "rollout": rollout})
    world = case.world()
    (answers,) = [have for key, have in world.observed.items() if key.kind == "deployment" and have is not None]
    endpoint = world.observed[case.now["endpoint"].key]
    assert endpoint is not None
    newer = replace(answers, key=replace(answers.key, name="d-newer"), created="2027-01-01T00:00:00Z")
    shared = {**endpoint.document["traffic"], "d-newer": 0}
    made = case.plan(added(world, newer, replace(endpoint, document={**endpoint.document, "traffic": shared})))
    deleted = [step.key for step in made.steps if step.action is Action.DELETE]
    updated = [step.key for step in made.steps if step.action is Action.UPDATE and step.key.kind == "deployment"]
    expected = {"blue_green": ([newer.key], []), "in_place": ([], [answers.key])}
    assert (deleted, updated) == expected[rollout]


def test_a_first_step_of_one_percent() -> None:
    made = a_case(RETRAINED, deployment={"traffic_steps": [1, 100]}).plan()
    assert [step.id.rpartition(" ")[2] for step in made.writes if step.key.kind == "endpoint"] == ["1", "100"]


def costs(made: Plan) -> dict[str, float | None]:
    return {step.key.kind: step.usd_hour for step in made.steps if step.action is Action.CREATE}


def test_instances_multiply_the_price_of_a_deployment_only() -> None:
    one, three = (costs(a_case({}, deployment={"instances": count}).plan()) for count in (1, 3))
    assert one["deployment"] and three["deployment"] == pytest.approx(3 * one["deployment"])
    assert one["compute"] and three["compute"] == one["compute"]
    assert one["job"] and three["job"] == one["job"]


@pytest.mark.parametrize("known", [True, False])
def test_a_size_whose_price_is_unknown(known: bool) -> None:
    """`known`: the region has the size, but not its price."""
    case = a_case({})
    priceless = {name: replace(size, price_hour={}, low_priority_price_hour={}) for name, size in case.facts.sizes.items()}
    facts = replace(case.facts, sizes=priceless if known else {})
    made = plan(case.now.spec, case.now.desired, facts, case.world(), Mode.APPLY, Options(project=PROJECT, target="dev"))
    assert set(costs(made).values()) == {None}


def test_another_attempt_that_was_read_and_does_not_exist() -> None:
    case = a_case({})
    world = case.world()
    absent: dict[ResourceKey, Observed | None] = {ResourceKey("job", "support-gone-r2"): None}
    assert case.plan(replace(world, observed={**world.observed, **absent})).steps == case.plan(world).steps
