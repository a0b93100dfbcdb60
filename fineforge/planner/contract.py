"""What every plan must keep, whoever made it: checked on each plan before it is applied, a loaded one too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import combinations

import yaml

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import WRITES, Action, Plan, Step
from fineforge.resources import ownership

_MAKES = frozenset({Action.CREATE, Action.NEW_VERSION})


def check_plan(plan: Plan) -> tuple[Diagnostic, ...]:
    """FF309 for every breach: ids are unique, references exist, there is no cycle, each step carries its whole effect, and writes
    to one object come one after the other."""
    known = {step.id for step in plan.steps}
    found = [f"the step `{name}` stands twice" for name, count in Counter(step.id for step in plan.steps).items() if count > 1]
    for step in plan.steps:
        found += [f"`{step.id}` waits for `{other}`, which is not in the plan" for other in step.needs if other not in known]
        found += _effect(step)
    if not found and (cycle := _cycle(plan.steps)):
        found.append("steps wait for each other: " + " -> ".join(f"`{name}`" for name in cycle))
    if not found:
        found += _racing(plan)
    return tuple(Diagnostic("FF309", words) for words in found)


def _effect(step: Step) -> list[str]:
    """What is wrong with a step by itself: it must say what it writes, to what, and what it expects to find."""
    found = _effect(step.fallback) if step.fallback else []
    if step.action in _MAKES and not step.text:
        found.append(f"`{step.id}` does not say what it writes")
    if step.action is Action.CHECK and step.gate is None:
        found.append(f"`{step.id}` does not say what it checks")
    if step.action in _MAKES and step.text:
        found += _made(step)
    if step.action is Action.UPDATE and not step.changes:
        found.append(f"`{step.id}` changes nothing")
    if step.action in WRITES and not step.expected and not step.depends_on:
        found.append(f"`{step.id}` does not say what it expects to find")
    return found


def _made(step: Step) -> list[str]:
    """What is created must be what the key says, and carry the tags by which it is known again."""
    try:
        document = yaml.safe_load(step.text)
    except yaml.YAMLError:
        document = None
    if not isinstance(document, dict):
        return [f"`{step.id}` writes something that is not a YAML mapping"]
    want = (step.key.name, step.key.version, step.key.parent)
    have = (document.get("name"), document.get("version"), document.get("endpoint_name") or document.get("registry"))
    found = [] if have == want else [f"`{step.id}` writes the text of something else, `{document.get('name')}`"]
    tags = document.get("tags")
    owner = ownership.from_tags(tags) if isinstance(tags, dict) else None
    return found if owner and owner.digest else [*found, f"`{step.id}` would create something without owner tags"]


def _cycle(steps: tuple[Step, ...]) -> list[str]:
    """Steps that wait for each other, the first one again at the end; or nothing."""
    try:
        TopologicalSorter({step.id: step.needs for step in steps}).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _racing(plan: Plan) -> list[str]:
    """Pairs of writes to one object of which neither waits for the other: the service would refuse one, or lose it."""
    needs = {step.id: step.needs for step in plan.steps}
    by_key: dict[ResourceKey, list[str]] = {}
    for step in plan.writes:
        by_key.setdefault(step.key, []).append(step.id)
    return [
        f"`{one}` and `{two}` write to one object at the same time"
        for names in by_key.values()
        for one, two in combinations(names, 2)
        if two not in _before(one, needs) and one not in _before(two, needs)
    ]


def _before(name: str, needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Everything that is done before a step."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        fresh = set(needs[todo.pop()]) - seen
        seen |= fresh
        todo += fresh
    return seen
