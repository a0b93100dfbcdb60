"""The planner's cases: each folder in cases/ is one situation.

`UPDATE_CASES=1 pytest tests/unit/planner` rewrites the expected plans.
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fineforge.core.facts import World
from fineforge.core.plan import Action, Plan, Step
from fineforge.planner import check_plan
from fineforge.resources.ownership import USED_BY
from tests.unit.planner.case import PROJECT, Case, crossing, folders, shown

FOLDERS = list(folders())


def found(folder: Path) -> tuple[Case, World, Plan]:
    case = Case(folder)
    world = case.world()
    return case, world, case.plan(world)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_case(folder: Path) -> None:
    case, world, made = found(folder)
    told = shown(case, made, world)
    file = folder / "expected.yaml"
    if os.environ.get("UPDATE_CASES"):
        file.write_text(yaml.safe_dump(told, sort_keys=False, width=120, allow_unicode=True), encoding="utf-8")
    assert told == yaml.safe_load(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_holds_in_every_case(folder: Path) -> None:
    case, world, made = found(folder)
    assert check_plan(made) == () and crossing(made) == []
    order = list(world.observed.items())
    random.Random(folder.name).shuffle(order)
    again = case.plan(replace(world, observed=dict(order)))
    assert {step.id: step for step in again.steps} == {step.id: step for step in made.steps}, (
        "the order of reading decides nothing"
    )
    for step in made.writes:
        have = world.observed.get(step.key)
        assert step.key not in world.unread
        assert have is None or _is_ours(step, case, world) or _touches_only_ours(step, world), f"{step.id} is not ours"
        if step.action is Action.DELETE:
            assert have is not None and have.owner is not None and have.owner.project == PROJECT


def _is_ours(step: Step, case: Case, world: World) -> bool:
    have = world.observed.get(step.key)
    return have is not None and have.owner is not None and (have.owner.project, have.owner.spec) == (PROJECT, case.now.spec.name)


def _touches_only_ours(step: Step, world: World) -> bool:
    """On somebody else's object: our own `used-by` tag, and traffic entries of our own deployments."""
    ours = {key.name for key, have in world.observed.items() if key.kind == "deployment" and (have is None or have.owner)}
    return step.action is Action.UPDATE and all(
        change.path.removeprefix("tags.").startswith(USED_BY) or change.path.removeprefix("traffic.") in ours
        for change in step.changes
    )


def test_the_cases_cover_every_action_and_every_refusal() -> None:
    """Counted, so that a case that is not found is missed."""
    assert len(FOLDERS) >= 50
    plans = [found(folder)[2] for folder in FOLDERS]
    assert {step.action for made in plans for step in made.steps} == set(Action)
    codes = {entry.code for made in plans for entry in made.diagnostics}
    assert codes >= {"FF141", "FF301", "FF302", "FF303", "FF304", "FF305", "FF306", "FF307", "FF308"}
    assert all(yaml.safe_load((folder / "world.yaml").read_text(encoding="utf-8")) is not None for folder in FOLDERS)
    assert all((folder / "world.yaml").read_text(encoding="utf-8").startswith("# ") for folder in FOLDERS)
