"""Destroying what is only found by its tags and names, and nothing that came in between."""

from __future__ import annotations

import shutil

from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, Mode
from tests.scenarios.stories.telling import Telling
from tests.support.azure_bodies import path_of


def test_the_files_of_the_data_are_gone(told: Telling) -> None:
    """The versions that they stood for cannot be computed any more; the assets are found by name, the job and model by tags."""
    told.apply()
    shutil.rmtree(told.folder / "data")
    made = told.apply(Mode.DESTROY)
    archived = [step.key.kind for step in made.writes if step.action is Action.ARCHIVE]
    assert sorted(archived) == ["data", "data", "job", "model"]
    assert told.pending(Mode.DESTROY) == []


def test_a_stranger_moves_into_the_endpoint_after_the_plan(told: Telling) -> None:
    """Deleting the endpoint would delete their deployment too."""
    told.apply()
    made = told.plan(Mode.DESTROY)
    delete = next(step for step in made.writes if step.key.kind == "endpoint")
    assert delete.action is Action.DELETE
    mine = next(iter(told.gateway.list("deployment", delete.key.name)))
    theirs = ResourceKey("deployment", "theirs", parent=delete.key.name)
    body = dict(told.gateway.get(mine) or {}) | {"tags": {}}
    told.gateway.cloud.put("deployment", path_of(theirs), body)
    told.gateway.wait(theirs, lambda _: None, lambda: False)
    outcome = told.carry_out(made)
    assert outcome.moved[delete.id].code == "FF501" and "`theirs`" in outcome.moved[delete.id].message
    assert told.gateway.get(theirs) is not None and told.gateway.get(mine) is not None
