"""Killed before and after the effect of each single write, then run again: it converges, nothing is lost, nothing is done twice.

The same walk over HTTPS with a client that is a process of its own is an acceptance test; here it is cheap enough for every way
of rolling out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Mode
from fineforge.resources.kinds import KINDS
from tests.scenarios.stories.telling import Telling
from tests.support import single
from tests.support.azure_bodies import path_of

RETRAIN = {"training": {"learning_rate": 2e-5}}
CHANGES: dict[str, dict[str, Any]] = {
    "from nothing": {},
    "blue green": {**RETRAIN, "deployment": {"traffic_steps": [10, 50, 100]}},
    "keeping the previous": {**RETRAIN, "deployment": {"keep_previous": 1}},
    "recreate": {**RETRAIN, "deployment": {"rollout": "recreate"}},
    "in place": {**RETRAIN, "deployment": {"rollout": "in_place"}},
    "another cluster and more": {
        "compute": {"size": "Standard_NC48ads_A100_v4"},
        "tags": {"team": "it"},
        "deployment": {"instances": 2},
    },
    "destroy": {},
    "after a destroy, changed": {"tags": {"team": "it"}, "deployment": {"instances": 2}},
}
"""Name -> what changes in the spec before the apply that is killed."""


def over(data: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {
        **data,
        **{key: {**data[key], **value} if isinstance(data.get(key), dict) else value for key, value in change.items()},
    }


def begin(name: str, folder: Path) -> tuple[Telling, Mode]:
    """The world just before the apply that is to be killed."""
    told = Telling(folder)
    if name != "from nothing":
        told.apply()
    if name == "after a destroy, changed":
        told.apply(Mode.DESTROY)
    told.data = over(told.data, CHANGES[name])
    return told, Mode.DESTROY if name == "destroy" else Mode.APPLY


def world(told: Telling) -> dict[ResourceKey, str]:
    """Everything of the spec that exists, and how it is."""
    planned = single.plan(told.loaded(), told.gateway, Mode.DESTROY)
    found = {}
    for key in {*(want.key for want in planned.desired), *planned.world.observed}:
        raw = told.gateway.get(key)
        if raw is not None:
            have = KINDS[key.kind].observe(key, raw)
            found[key] = (
                f"{have.status} {'archived ' if have.archived else ''}{have.fingerprint} {have.document.get('traffic', '')}"
            )
    return found


@pytest.mark.parametrize("name", CHANGES)
def test_killed_at_every_write(name: str, tmp_path: Path) -> None:
    told, mode = begin(name, tmp_path / "story")
    told.gateway.cloud.snapshot(tmp_path / "before")
    written, submitted = list(told.gateway.writes), list(told.gateway.submitted)
    told.apply(mode)
    wanted, count = world(told), len(told.gateway.writes) - len(written)
    assert count >= 3
    for number in range(count):
        for got in (False, True):
            gateway = told.gateway
            gateway.cloud.restore(tmp_path / "before")
            gateway.writes, gateway.submitted = list(written), list(submitted)
            gateway.dies = (len(written) + number, got)
            outcome = told.carry_out(told.plan(mode))
            assert gateway.dead and outcome.failed, f"write {number} never came"
            gateway.dead, gateway.dies = False, None
            told.apply(mode)
            when = "after" if got else "before"
            where = f"killed {when} write {number}: {gateway.writes[len(written) : len(written) + number + 1][-1:]}"
            assert told.pending(mode) == [], where
            assert world(told) == wanted, where
            assert len(set(gateway.submitted)) == len(gateway.submitted), where
            assert len(gateway.submitted) <= 2, where


def test_destroy_of_a_changed_spec_beside_a_stranger(tmp_path: Path) -> None:
    """The endpoint stays, so its traffic is moved; what the spec would change in it now is not waited for."""
    told = Telling(tmp_path)
    told.apply()
    mine = next(iter(told.gateway.list("deployment", _endpoint(told))))
    body = dict(told.gateway.get(mine) or {}) | {"tags": {}}
    theirs = ResourceKey("deployment", "theirs", parent=mine.parent)
    told.gateway.cloud.put("deployment", path_of(theirs), body)
    told.gateway.wait(theirs, lambda _: None, lambda: False)
    told.data = over(told.data, {"tags": {"team": "it"}, "endpoint": {"auth": "aml_token"}})
    told.apply(Mode.DESTROY)
    assert told.pending(Mode.DESTROY) == []
    assert list(told.gateway.list("deployment", _endpoint(told))) == [theirs]


def _endpoint(told: Telling) -> str:
    return next(str(step.key.name) for step in told.plan().steps if step.key.kind == "endpoint")
