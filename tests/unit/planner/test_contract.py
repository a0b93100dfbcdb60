"""The contract of a plan, broken in each way that it can be broken: by hand in a plan file, or by a mistake in the planner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fineforge.core.plan import Action, ChangeReason, FieldChange, Plan, Step
from fineforge.planner import check_plan
from tests.unit.planner.case import CASES, Case

PLAN = Case(CASES / "retrain").plan()


def edited(id_part: str, edit: Callable[[Step], Step]) -> Plan:
    """The plan with its one step of that name changed."""
    assert sum(id_part in step.id for step in PLAN.steps) == 1, [step.id for step in PLAN.steps]
    return replace(PLAN, steps=tuple(edit(step) if id_part in step.id else step for step in PLAN.steps))


def waiting(id_part: str, *others: str) -> Plan:
    return edited(id_part, lambda step: replace(step, depends_on=others))


def job_with(old: str, new: str) -> Plan:
    return edited("new_version job", lambda step: replace(step, text=step.text.replace(old, new)))


MODEL = next(step.id for step in PLAN.steps if step.key.kind == "model")
JOB = next(step.id for step in PLAN.steps if step.key.kind == "job")
STEPS = {step.id: step for step in PLAN.steps}
JOB_NAME = JOB.rsplit("/", 1)[1]

BREACHES: dict[str, tuple[Plan, str]] = {
    "stands twice": (replace(PLAN, steps=(*PLAN.steps, PLAN.steps[-1])), "stands twice"),
    "waits for nobody": (waiting("new_version job", "create data/other:1"), "not in the plan"),
    "asks a gate that is not there": (edited("new_version model", lambda s: replace(s, only_if="check x")), "not in the plan"),
    "a cycle": (waiting("new_version job", MODEL), f"`{JOB}` -> `{MODEL}` -> `{JOB}`"),
    "waits for itself": (waiting("new_version job", JOB), f"`{JOB}` -> `{JOB}`"),
    "creates nothing": (edited("new_version job", lambda s: replace(s, text="")), "does not say what it writes"),
    "updates nothing": (edited("traffic 100", lambda s: replace(s, changes=())), "changes nothing"),
    "expects nothing": (edited("new_version job", lambda s: replace(s, expected="", depends_on=())), "what it expects"),
    "writes no YAML": (edited("new_version job", lambda s: replace(s, text="a: [")), "not a YAML mapping"),
    "writes another name": (job_with(JOB_NAME, "other"), "the text of something else, `other`"),
    "writes into another endpoint": (
        edited("create deployment", lambda s: replace(s, text=s.text.replace("support-desk", "theirs"))),
        "the text of something else",
    ),
    "writes twice at once": (
        replace(PLAN, steps=(*PLAN.steps, replace(STEPS["update endpoint/support-desk traffic 100"], id="again", depends_on=()))),
        "write to one object at the same time",
    ),
    "creates what nobody owns": (job_with("fineforge-", "other-"), "without owner tags"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_is_found(name: str) -> None:
    broken, words = BREACHES[name]
    found = check_plan(broken)
    assert {entry.code for entry in found} == {"FF309"}
    assert any(words in entry.message for entry in found), [entry.message for entry in found]


def test_breaches_are_told_all_at_once() -> None:
    empty = [replace(step, text="", depends_on=("nothing",)) for step in PLAN.steps if step.key.kind in ("job", "model")]
    assert len(check_plan(replace(PLAN, steps=tuple(empty)))) == 4


def test_a_long_chain_is_no_cycle() -> None:
    """As long as a plan may get; nothing may depend on the depth of Python's stack."""
    change = (FieldChange("tags.a", None, "b", Action.UPDATE, ChangeReason.SPEC),)
    step = replace(PLAN.steps[0], action=Action.UPDATE, changes=change, expected="x")
    chain = [
        replace(step, id=str(n), key=replace(step.key, name=str(n)), depends_on=(str(n + 1),) if n < 4999 else ())
        for n in range(5000)
    ]
    assert check_plan(replace(PLAN, steps=tuple(chain))) == ()
    looped = [*chain[:-1], replace(chain[-1], depends_on=("0",))]
    assert [entry.code for entry in check_plan(replace(PLAN, steps=tuple(looped)))] == ["FF309"]
