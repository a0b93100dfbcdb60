"""Merge the plans of several specs: objects that they share are written once, and their writes run one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fineforge.core.diagnostics import errors
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import WRITES, Action, ChangeReason, FieldChange, Mode, Plan, Step, StepReason
from fineforge.planner.steps import step_on
from fineforge.resources import ownership
from fineforge.resources.kinds import KINDS

After = Mapping[tuple[str, str], tuple[str, str]]
"""(spec, step id) -> the step of another spec that it waits for, because both write to one object."""


def share(plans: Sequence[Plan]) -> tuple[list[Plan], dict[tuple[str, str], tuple[str, str]]]:
    """Return the plans with each shared object made once, in the given order, and the order of writes between specs.

    The first plan that makes an object keeps its create; the others only add their `used-by` tag, one after the other. Plans
    that decide how an object is go before plans that only use it. No step waits for a plan that has errors.
    """
    last: dict[ResourceKey, tuple[str, str]] = {}
    created: set[ResourceKey] = set()
    after: dict[tuple[str, str], tuple[str, str]] = {}
    shared: dict[int, Plan] = {}
    for index, plan in sorted(enumerate(plans), key=lambda entry: not any(_decides(step) for step in entry[1].steps)):
        steps = list(plan.steps)
        writing = [] if errors(plan.diagnostics) else [step for step in steps if step.action in WRITES]
        for key in dict.fromkeys(step.key for step in writing if KINDS[step.key.kind].shared):
            if key in created:
                steps = _joined(steps, key, plan.spec)
            writes = [step for step in steps if step.key == key and step.action in WRITES]
            if key in last and writes:
                after[plan.spec, writes[0].id] = last[key]
                steps = [replace(step, expected="") if step in writes else step for step in steps]
            created |= {key} if any(step.action is Action.CREATE for step in writes) else set()
            last[key] = (plan.spec, writes[-1].id)
        shared[index] = replace(plan, steps=tuple(steps))
    return [shared[index] for index in range(len(plans))], after


def shared_updates(plans: Sequence[Plan]) -> list[Step]:
    """Return the updates after which other specs see a shared object differently."""
    return [step for plan in plans for step in plan.steps if _decides(step) and step.action is Action.UPDATE]


def disagrees(plan: Plan) -> bool:
    """Return True if the spec cannot use a shared object as it is. It may fit what the object's owner makes of it."""
    shared = {kind.name for kind in KINDS.values() if kind.shared}
    return any(problem.code == "FF302" and problem.path[:1] and problem.path[0] in shared for problem in errors(plan.diagnostics))


def spare(plan: Plan, wanted: frozenset[ResourceKey]) -> Plan:
    """Return the plan without the deletion of objects that other specs want: a cluster may outlive the spec that made it."""
    steps = [
        replace(step, action=Action.NOOP, reason=StepReason.WANTED_ELSEWHERE, expected="", changes=())
        if step.key in wanted and step.action is Action.DELETE
        else step
        for step in plan.steps
    ]
    return replace(plan, steps=tuple(steps))


def one_plan(plans: Sequence[Plan], after: After) -> Plan:
    """All steps in one plan, each under its spec's name, for one graph. Plans with errors are left out."""
    whole = [plan for plan in plans if not errors(plan.diagnostics)]
    there = {(plan.spec, step.id) for plan in whole for step in plan.steps}
    steps = [_named(step, plan.spec, after, there) for plan in whole for step in plan.steps]
    drift = {f"{plan.spec}: {step.id}" for plan in whole for step in plan.drift}
    first = whole[0] if whole else None
    return Plan(
        format=first.format if first else 1,
        mode=first.mode if first else Mode.APPLY,
        target=first.target if first else "",
        spec=f"{len(whole)} specs" if len(whole) != 1 else whole[0].spec,
        spec_digest=ownership.digest([plan.spec_digest for plan in whole]),
        facts={"workspace": first.facts.get("workspace")} if first else {},
        steps=tuple(steps),
        drift=tuple(step for step in steps if step.id in drift),
        diagnostics=tuple(diagnostic for plan in whole for diagnostic in plan.diagnostics),
    )


def _decides(step: Step) -> bool:
    """Whether a step makes a shared object, or changes more of it than who uses it."""
    if not KINDS[step.key.kind].shared or step.action not in WRITES:
        return False
    return step.action is not Action.UPDATE or any(ownership.USED_BY not in change.path for change in step.changes)


def _joined(steps: Sequence[Step], key: ResourceKey, spec: str) -> list[Step]:
    """A plan's own making of a cluster that another spec of the batch makes: it only says that it uses it too."""
    old = [step for step in steps if step.key == key and step.action in WRITES]
    tag = ownership.USED_BY + spec
    change = FieldChange(f"tags.{tag}", None, "true", Action.UPDATE, ChangeReason.SHARED)
    step = step_on(key, Action.UPDATE, StepReason.SHARED_NEW, changes=(change,), spec=spec, path=old[0].path)
    gone = {entry.id for entry in old}

    def renamed(entry: Step) -> Step:
        needs = tuple(dict.fromkeys(step.id if need in gone else need for need in entry.depends_on))
        return replace(entry, depends_on=needs)

    kept = [renamed(entry) for entry in steps if entry.id not in gone]
    return [step, *kept]


def _named(step: Step, spec: str, after: After, there: set[tuple[str, str]]) -> Step:
    """The step under its spec's name, and behind the write of another spec to the same object."""
    other = after.get((spec, step.id))
    more = [f"{other[0]}: {other[1]}"] if other in there and other is not None else []
    needs = (*(f"{spec}: {need}" for need in step.depends_on), *more)
    return replace(
        step,
        id=f"{spec}: {step.id}",
        spec=spec,
        merged=True,
        depends_on=needs,
        only_if=f"{spec}: {step.only_if}" if step.only_if else "",
    )
