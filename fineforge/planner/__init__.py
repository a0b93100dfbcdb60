"""The planner: desired objects, facts and the world in, a plan out. Pure.

`plan` decides every action; `apply` only carries steps out. `decide` holds what is true of any kind, `job` and `gates` the
training job and the model it makes, `rollout` and `traffic` how a deployment comes to answer, `destroy` the way back, `contract`
what every plan must keep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic
from fineforge.core.facts import Facts, World
from fineforge.core.objects import Desired, Document, ResourceKey
from fineforge.core.plan import WRITES, Action, ChangeReason, Mode, Plan, Step
from fineforge.planner import adoption, deployment, destroy, gates
from fineforge.planner.case import Case, Decision
from fineforge.planner.contract import check_plan
from fineforge.planner.decide import decide
from fineforge.planner.job import decide_job
from fineforge.planner.steps import retired
from fineforge.planner.traffic import live_traffic
from fineforge.resources.kinds import KINDS
from fineforge.resources.kinds.base import End
from fineforge.resources.kinds.compute import COMPUTE
from fineforge.resources.kinds.deployment import DEPLOYMENT
from fineforge.resources.kinds.endpoint import ENDPOINT
from fineforge.resources.kinds.job import JOB
from fineforge.resources.kinds.model import MODEL
from fineforge.resources.ownership import digest

PLAN_FORMAT = 2
"""Of saved plans. 2: steps carry their spec, gate and tags as values."""

__all__ = ["PLAN_FORMAT", "Options", "check_plan", "plan", "plan_adoption", "plan_release"]


@dataclass(frozen=True, slots=True)
class Options:
    """Whose plan it is, beyond the spec."""

    project: str = ""
    target: str = ""


def plan(
    spec: Spec,
    desired: tuple[Desired, ...],
    facts: Facts,
    world: World,
    mode: Mode,
    options: Options,
    shown: Document | None = None,
) -> Plan:
    """Every step that makes the world what the spec wants (or, to destroy, what it was without it), in an order that works.

    Problems are in `diagnostics`; a plan with an error among them is for reading, not for applying.
    """
    case = _case(spec, desired, facts, world, options)
    if mode is Mode.DESTROY:
        steps, found = destroy.steps(case)
    else:
        steps, found = _apply_steps(case)
    steps = [_of_spec(step, spec.name) for step in steps]
    return Plan(
        format=PLAN_FORMAT,
        mode=mode,
        target=options.target,
        spec=spec.name,
        spec_digest=digest(spec.model_dump(mode="json")),
        facts={**(shown or {}), "traffic": live_traffic(world)},
        steps=tuple(steps),
        drift=tuple(step for step in steps if _is_drift(step)),
        diagnostics=(*_unread(case), *found),
    )


def _of_spec(step: Step, spec: str) -> Step:
    fallback = None if step.fallback is None else _of_spec(step.fallback, spec)
    return replace(step, spec=spec, fallback=fallback)


def _unread(case: Case) -> list[Diagnostic]:
    """What could not be read; a registry that is not there is named by the spec."""
    places = {want.key: want.path for want in case.desired.values() if KINDS[want.key.kind].end is End.STAY}
    return [replace(problem, path=problem.path or places.get(key, ())) for key, problem in case.world.unread.items()]


def plan_adoption(
    spec: Spec, desired: tuple[Desired, ...], facts: Facts, world: World, options: Options, keys: tuple[ResourceKey, ...]
) -> Plan:
    """Return a plan that writes the spec's owner tags on objects that exist, and changes nothing else."""
    steps, problems = adoption.adopt(_case(spec, desired, facts, world, options), keys)
    return _ownership_plan(spec, world, options, steps, problems)


def plan_release(
    spec: Spec, desired: tuple[Desired, ...], facts: Facts, world: World, options: Options, kinds: tuple[str, ...] = ()
) -> Plan:
    """Return a plan that removes the spec's owner tags from its objects of these kinds, or of all, and changes nothing else."""
    return _ownership_plan(spec, world, options, adoption.forget(_case(spec, desired, facts, world, options), kinds), [])


def _case(spec: Spec, desired: tuple[Desired, ...], facts: Facts, world: World, options: Options) -> Case:
    return Case(spec, facts, world, options.project, {want.key: want for want in desired})


def _ownership_plan(spec: Spec, world: World, options: Options, steps: list[Step], problems: list[Diagnostic]) -> Plan:
    return Plan(
        format=PLAN_FORMAT,
        mode=Mode.APPLY,
        target=options.target,
        spec=spec.name,
        spec_digest=digest(spec.model_dump(mode="json")),
        facts={},
        steps=tuple(_of_spec(step, spec.name) for step in steps),
        diagnostics=(*world.unread.values(), *problems),
    )


def _apply_steps(case: Case) -> tuple[list[Step], list[Diagnostic]]:
    """Kind by kind, so that what an object depends on has been decided before it."""
    steps: list[Step] = []
    found: list[Diagnostic] = []
    blocked = set(case.world.unread)
    for want in (want for kind in KINDS for want in case.wanted(kind)):
        if want.key in blocked or _unread_list(want.key) in blocked:
            blocked.add(want.key)
            continue
        decision = _decide(case, want)
        found += decision.diagnostics
        made = decision.steps
        if not made or any(key in blocked for key in want.depends_on):
            made = [step for step in made if step.action in _QUIET]  # what it needs is not known, or will not come
            blocked |= set() if made else {want.key}
        own = {step.id for step in made}
        steps += [_after_needs(step, want, steps, own) for step in made]
    if any(step.key.kind == JOB.name and step.action in (Action.CREATE, Action.NEW_VERSION) for step in steps):
        found += retired(case)
    return _spare_running(steps), found


_QUIET = frozenset({Action.NOOP, Action.READ})


def _decide(case: Case, want: Desired) -> Decision:
    return _DECISIONS.get(want.key.kind, decide)(case, want)


_DECISIONS: Mapping[str, Callable[[Case, Desired], Decision]] = {
    JOB.name: decide_job,
    MODEL.name: gates.decide_model,
    ENDPOINT.name: deployment.decide_endpoint,
    DEPLOYMENT.name: deployment.decide_deployment,
}
"""Kinds with a decision of their own; all others are decided alike."""


def _unread_list(key: ResourceKey) -> ResourceKey:
    """The key under which the list that a deployment's decision needs is named where it could not be read."""
    return ResourceKey(DEPLOYMENT.name, key.parent) if key.parent else key


def _after_needs(step: Step, want: Desired, before: list[Step], own: set[str]) -> Step:
    """The step, made to wait for what is done to the objects that its own object depends on. What runs already needs nothing.

    Of a rollout the first steps wait, whatever they do: an old deployment is not taken away while its successor still trains.
    A model comes out of the archive after its job: were it there alone, its job would count as not needed, and stay.
    """
    first = want.key.kind == DEPLOYMENT.name and step.action in WRITES and not own.intersection(step.depends_on)
    if step.action is Action.CHECK:
        needed: tuple[ResourceKey, ...] = (step.key,)
    else:
        waits = step.action in _NEEDING or (step.action is Action.RESTORE and step.key.kind == MODEL.name)
        needed = want.depends_on if first or (step.key.kind == want.key.kind and waits) else ()
    needs = [other.id for other in before if other.key in needed and other.action not in _QUIET]
    return replace(step, depends_on=tuple(dict.fromkeys((*step.depends_on, *needs))))


_NEEDING = frozenset({Action.CREATE, Action.NEW_VERSION, Action.UPDATE})


def _spare_running(steps: list[Step]) -> list[Step]:
    """A cluster is not deleted under a job of ours: first the job ends, by itself or by the plan's own cancel."""
    jobs = tuple(step.id for step in steps if step.key.kind == JOB.name and step.action in (Action.WAIT, Action.CANCEL))
    return [replace(step, depends_on=(*step.depends_on, *jobs)) if _deletes_compute(step) else step for step in steps]


def _deletes_compute(step: Step) -> bool:
    return step.key.kind == COMPUTE.name and step.action is Action.DELETE


def _is_drift(step: Step) -> bool:
    return bool(step.changes) and step.action in WRITES and all(change.reason is ChangeReason.DRIFT for change in step.changes)
