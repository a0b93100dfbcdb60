"""The planner: desired objects, facts and the world in, a plan out. Pure.

`plan` decides every action; `apply` only carries steps out. `decide` holds what is true of any kind, `rollout` deployments and
traffic, `destroy` the way back, `contract` what every plan must keep.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fineforge.core import WRITES, Action, Desired, Document, Facts, Mode, Plan, ResourceKey, Step, World
from fineforge.diagnostics import Diagnostic
from fineforge.kinds import KINDS
from fineforge.ownership import digest
from fineforge.planner import destroy, gates, rollout
from fineforge.planner.contract import check_plan
from fineforge.planner.decide import Case, decide, retired
from fineforge.planner.job import decide_job
from fineforge.spec import Spec

PLAN_FORMAT = 1

__all__ = ["PLAN_FORMAT", "Options", "check_plan", "plan"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line may ask beyond the spec."""

    retry_failed: bool = False
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
    case = Case(spec, facts, world, options.project, options.retry_failed, {want.key: want for want in desired})
    if mode is Mode.DESTROY:
        steps, found = destroy.steps(case)
    else:
        steps, found = _apply_steps(case)
    unread = list(world.unread.values())
    return Plan(
        format=PLAN_FORMAT,
        mode=mode,
        target=options.target,
        spec=spec.name,
        spec_digest=digest(spec.model_dump(mode="json")),
        facts=shown or {},
        steps=tuple(steps),
        drift=tuple(step for step in steps if _is_drift(step)),
        diagnostics=tuple([*unread, *found]),
    )


def _apply_steps(case: Case) -> tuple[list[Step], list[Diagnostic]]:
    steps: list[Step] = []
    found: list[Diagnostic] = []
    for kind in KINDS:
        for want in case.wanted(kind):
            if want.key in case.world.unread:
                continue
            match kind:
                case "job":
                    result = decide_job(case, want)
                case "deployment":
                    result = rollout.decide_deployment(case, want)
                case _:
                    result = decide(case, want)
            steps += result.steps
            found += result.diagnostics
    steps, refused = gates.guard(case, steps)
    steps = _connect(case, steps)
    if any(step.action in (Action.CREATE, Action.NEW_VERSION) and step.key.kind == "job" for step in steps):
        found += retired(case)
    return steps, [*found, *refused]


def _connect(case: Case, steps: list[Step]) -> list[Step]:
    """Adds what each step waits for: the steps of the objects that its own object depends on."""
    by_key: dict[ResourceKey, list[Step]] = {}
    for step in steps:
        if not _moves_traffic(step) and (step.action in WRITES or step.action in (Action.WAIT, Action.CHECK)):
            by_key.setdefault(step.key, []).append(step)
    connected = []
    for step in steps:
        want = case.desired.get(step.key)
        needed = list(step.depends_on)
        if want is not None and step.action in (Action.CREATE, Action.NEW_VERSION, Action.UPDATE, Action.RESTORE, Action.WAIT):
            needed += [other.id for key in want.depends_on for other in by_key.get(key, ()) if other.only_if != step.id]
        depends_on = tuple(dict.fromkeys(entry for entry in needed if entry != step.id))
        connected.append(replace(step, depends_on=depends_on))
    return connected


def _moves_traffic(step: Step) -> bool:
    """Traffic steps wait for deployments, not the other way round."""
    return bool(step.changes) and all(change.path.startswith("traffic.") for change in step.changes)


def _is_drift(step: Step) -> bool:
    return bool(step.changes) and step.action in WRITES and all(change.reason == "drift" for change in step.changes)
