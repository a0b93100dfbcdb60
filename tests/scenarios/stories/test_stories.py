"""Random stories: the spec changes, the world changes, an apply fails; each apply must converge, and nothing is done twice.

`make torture` tells more of them. A story that fails prints its chapters; `tell(folder, SEED)` tells it again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, Mode
from fineforge.emulator.rules.errors import AzureError
from tests.scenarios.stories.telling import Telling
from tests.support import single
from tests.support.azure_bodies import path_of

CHAPTERS = 7


def choose(data: dict[str, Any], block: str, key: str, values: list[Any], dice: random.Random) -> str:
    value = dice.choice(values)
    inner = data.setdefault(block, {})
    if value is None:
        inner.pop(key, None)
    else:
        inner[key] = value
    return f"{block}.{key} = {value}"


SPEC: list[tuple[str, str, list[Any]]] = [
    ("training", "learning_rate", [1e-5, 2e-5, 5e-6]),
    ("training", "num_train_epochs", [None, 2, 3]),
    ("training", "logging_steps", [None, 5, 50]),
    ("compute", "size", ["Standard_NC96ads_A100_v4", "Standard_NC48ads_A100_v4"]),
    ("compute", "max_nodes", [None, 2, 4]),
    ("compute", "idle_seconds", [None, 300]),
    ("deployment", "size", ["Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4"]),
    ("deployment", "instances", [None, 2]),
    ("deployment", "probe", [{"initial_delay": 600}, {"initial_delay": 300, "timeout": 9}]),
    ("deployment", "request", [{"timeout_ms": 90000}, {"timeout_ms": 60000, "max_concurrent_per_instance": 4}]),
    ("deployment", "environment_variables", [{}, {"A": "1"}, {"A": "2", "B": "x"}, {"LOG_LEVEL": "info"}]),
    ("deployment", "rollout", ["blue_green", "recreate", "in_place"]),
    ("deployment", "traffic_steps", [[100], [10, 100], [20, 50, 100]]),
    ("deployment", "keep_previous", [None, 1]),
    ("tags", "team", [None, "it", "helpdesk"]),
    ("tags", "Stage", [None, "dev"]),
    ("job", "display_name", [None, "mine"]),
    ("register", "name", ["support", "desk"]),
    ("register", "registry", [None, "shop-models"]),
    ("deployment", "egress", [None, "private", "public"]),
    ("deployment", "environment", [None, "azureml:serving:3"]),
    ("compute", "tier", ["dedicated", "dedicated_then_low_priority"]),
    ("endpoint", "auth", ["key", "aml_token"]),
    ("gates", "smoke", [[], [{"messages": [{"role": "user", "content": "What is moon 0?"}]}]]),
    ("lifecycle", "ignore", [[], ["compute.max_nodes"], ["deployment.instances", "tags.team"]]),
    ("optimization", "lora_r", [None, 8, 64]),
]

OUTSIDE = [
    "scale",
    "capacity",
    "their tag",
    "drop deployment",
    "drop endpoint",
    "drop cluster",
    "archive",
    "stranger",
    "data",
    "fail",
    "power cut",
]


def existing(told: Telling, kind: str) -> list[ResourceKey]:
    """What there is of the spec's endpoint, cluster, assets and jobs."""
    found = [want.key for want in _desired(told)]
    if kind == "deployment":
        endpoint = next(key for key in found if key.kind == "endpoint")
        return list(told.gateway.list("deployment", endpoint.name))
    return [key for key in found if key.kind == kind and told.gateway.get(key) is not None]


def _desired(told: Telling) -> Any:

    return single.plan(told.loaded(), told.gateway, Mode.DESTROY).desired


def outside(told: Telling, what: str, dice: random.Random) -> str:
    """Somebody changes the world behind our back, as far as the service lets them."""
    try:
        return _outside(told, what, dice)
    except AzureError as error:
        return f"{what}: {error.code}"


def _outside(told: Telling, what: str, dice: random.Random) -> str:
    match what:
        case "scale":
            return edit(told, "compute", "properties.properties.scaleSettings", lambda scale: scale | {"maxNodeCount": 7})
        case "capacity":
            return edit(told, "deployment", "sku", lambda sku: sku | {"capacity": 3})
        case "their tag":
            return edit(told, dice.choice(["compute", "endpoint", "deployment"]), "tags", lambda tags: tags | {"cost": "7"})
        case "archive":
            kind = dice.choice(["data", "job", "model"])
            return edit(told, kind, "properties", lambda properties: properties | {"isArchived": True})
        case "drop deployment":
            return drop(told, "deployment")
        case "drop endpoint":
            return drop(told, "endpoint")
        case "drop cluster":
            return drop(told, "compute")
        case "stranger":
            return stranger(told)
        case "data":
            told.rows("train", dice.choice([0, 100, 200]))
            return "other rows"
        case "fail":
            return fail(told)
        case "power cut":
            return power_cut(told, dice)
        case _:
            raise AssertionError(what)


def edit(told: Telling, kind: str, place: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
    for key in existing(told, kind)[:1]:
        body = dict(told.gateway.get(key) or {})
        *parents, last = place.split(".")
        inner = body
        for part in parents:
            inner = inner[part]
        inner[last] = change(inner[last])
        told.gateway.cloud.put(kind, path_of(key), body)
        told.gateway.wait(key, lambda _: None, lambda: False)
        return f"{place} of {key} changed"
    return f"no {kind}"


def drop(told: Telling, kind: str) -> str:
    for key in existing(told, kind)[:1]:
        if kind == "deployment":
            endpoint = ResourceKey("endpoint", key.parent or "")
            body: Any = told.gateway.get(endpoint)
            if body is None:  # a destroy that was cut off has just taken it away, and the deployment with it
                return f"no {kind}"
            body["properties"]["traffic"] = {}
            told.gateway.cloud.put("endpoint", path_of(endpoint), body)
            told.gateway.wait(endpoint, lambda _: None, lambda: False)
        told.gateway.cloud.delete(kind, path_of(key))
        told.gateway.wait(key, lambda _: None, lambda: False)
        return f"{key} deleted"
    return f"no {kind}"


def stranger(told: Telling) -> str:
    """A deployment of nobody, without traffic, in our endpoint."""
    for key in existing(told, "deployment")[:1]:
        body = dict(told.gateway.get(key) or {}) | {"tags": {}}
        theirs = ResourceKey("deployment", "theirs", parent=key.parent)
        told.gateway.cloud.put("deployment", path_of(theirs), body)
        told.gateway.wait(theirs, lambda _: None, lambda: False)
        return f"{theirs} appears"
    return "no deployment"


def fail(told: Telling) -> str:
    """The next deployment that is wanted will not come up; an apply says so, the next one mends it."""
    made = told.plan()
    wanted = next((step.key for step in made.writes if step.key.kind == "deployment" and step.action is Action.CREATE), None)
    if wanted is None:
        return "nothing to fail"
    told.gateway.cloud.planted.failure("deployment", path_of(wanted), "ResourceNotReady", "User container has crashed")
    outcome = told.carry_out(made)
    assert not outcome.moved, outcome.moved
    return f"{wanted} fails: {sorted(outcome.failed)}"


def power_cut(told: Telling, dice: random.Random) -> str:
    """An apply dies at one of its writes."""
    made = told.plan()
    if not made.writes:
        return "nothing to cut off"
    number, got = dice.randrange(len(made.writes)), dice.random() < 0.5
    told.gateway.dies = (len(told.gateway.writes) + number, got)
    told.carry_out(made)
    told.gateway.dead, told.gateway.dies = False, None
    return f"power cut {'after' if got else 'before'} write {number}"


def tell(folder: Path, seed: int) -> list[str]:
    dice = random.Random(seed)
    told = Telling(folder)
    story: list[str] = []
    try:
        for _ in range(CHAPTERS):
            for _ in range(dice.randint(1, 3)):
                if dice.random() < 0.6:
                    story.append(choose(told.data, *dice.choice(SPEC), dice))
                else:
                    story.append(outside(told, dice.choice(OUTSIDE), dice))
            if dice.random() < 0.15:
                story.append("destroy")
                told.apply(Mode.DESTROY)
                assert told.pending(Mode.DESTROY) == []
            story.append("apply")
            told.apply()
            assert told.pending() == [], "a plan after an apply has nothing to do"
            assert len(set(told.gateway.submitted)) == len(told.gateway.submitted), "a job was submitted twice"
    except BaseException as error:
        error.add_note("the story: " + "; ".join(story))
        raise
    return story


@pytest.mark.parametrize("seed", range(6))
def test_a_story(seed: int, tmp_path: Path) -> None:
    assert "apply" in tell(tmp_path, seed)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_stories(seed: int, tmp_path: Path) -> None:
    assert "apply" in tell(tmp_path, seed)
