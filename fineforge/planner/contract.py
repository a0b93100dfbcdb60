"""What every plan must keep, whoever made it: checked on each plan before it is applied, a loaded one too."""

from __future__ import annotations

from collections import Counter

from fineforge.core import WRITES, Action, Plan, Step
from fineforge.diagnostics import Diagnostic

_NEEDS_TEXT = frozenset({Action.CREATE, Action.NEW_VERSION, Action.CHECK})
_NEEDS_CHANGES = frozenset({Action.UPDATE})


def check_plan(plan: Plan) -> tuple[Diagnostic, ...]:
    """FF309 for every breach: ids are unique, references exist, there is no cycle, each step carries its whole effect."""
    known = {step.id for step in plan.steps}
    found = [f"the step `{name}` stands twice" for name, count in Counter(step.id for step in plan.steps).items() if count > 1]
    for step in plan.steps:
        found += [
            f"`{step.id}` waits for `{other}`, which is not in the plan" for other in _references(step) if other not in known
        ]
        found += _effect(step)
    if not found and (cycle := _cycle(plan.steps)):
        found.append("steps wait for each other: " + " -> ".join(f"`{name}`" for name in cycle))
    return tuple(Diagnostic("FF309", words) for words in found)


def _references(step: Step) -> tuple[str, ...]:
    return (*step.depends_on, *((step.only_if,) if step.only_if else ()))


def _effect(step: Step) -> list[str]:
    found = []
    if step.action in _NEEDS_TEXT and not step.text:
        found.append(f"`{step.id}` does not say what it writes")
    if step.action in _NEEDS_CHANGES and not step.changes:
        found.append(f"`{step.id}` changes nothing")
    if step.action in (WRITES - {Action.UPDATE}) and not step.expected and not step.depends_on:
        found.append(f"`{step.id}` does not say what it expects to find")
    return found


def _cycle(steps: tuple[Step, ...]) -> list[str]:
    """A cycle among the steps, or nothing; depth first, three colours."""
    needs = {step.id: _references(step) for step in steps}
    done: set[str] = set()

    def walk(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for other in needs[name]:
            if found := walk(other, [*trail, name]):
                return found
        done.add(name)
        return []

    return next((found for step in steps if (found := walk(step.id, []))), [])
