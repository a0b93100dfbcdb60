"""The way back: every object of a spec ends as its kind ends, in reverse order; what is not ours, or still used, stays."""

from __future__ import annotations

from dataclasses import replace

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.objects import Observed, ResourceKey, Status
from fineforge.core.plan import Action, ChangeReason, FieldChange, Step, StepReason
from fineforge.planner.case import Case
from fineforge.planner.deployment import deployments
from fineforge.planner.steps import prevented, step_on, until_gone
from fineforge.planner.traffic import to_zero, traffic_of
from fineforge.resources import ownership
from fineforge.resources.kinds import KINDS, child_kind, parent_of
from fineforge.resources.kinds.base import End


def steps(case: Case) -> tuple[list[Step], list[Diagnostic]]:
    """Destroy twice is the same as once: what is gone or archived already needs nothing."""
    case = replace(case, desired={})  # what the spec would change now is not done first
    found: list[Diagnostic] = []
    planned: list[Step] = []
    ours = [
        have
        for have in case.world.observed.values()
        if have is not None and case.is_ours(have) and KINDS[have.key.kind].end is not End.STAY
    ]
    for have in sorted(ours, key=lambda have: KINDS[have.key.kind].end_order):
        planned += _end(case, have, planned)
    for have in ours:
        if end := _fate(have.key, planned):
            found += prevented(case, have.key, (have.key.kind,), end)
    planned += _leave_shared(case)
    planned += [
        step_on(key, Action.NOOP, StepReason.COPIED)
        for key, have in case.world.observed.items()
        if have is not None and KINDS[key.kind].end is End.STAY
    ]
    return planned, found


def _fate(key: ResourceKey, planned: list[Step]) -> str:
    """How the object ends, in a word; a deployment ends with its endpoint too."""
    ends = {step.key: step.action for step in planned if step.action in (Action.DELETE, Action.ARCHIVE)}
    parent = parent_of(key)
    end = ends.get(key) or (ends.get(parent) if parent else None)
    return {Action.DELETE: "deleted", Action.ARCHIVE: "archived"}[end] if end else ""


def _end(case: Case, have: Observed, planned: list[Step]) -> list[Step]:
    key = have.key
    if have.leaving:
        return [until_gone(have)]
    if child_kind(key.kind) is not None:
        return _end_endpoint(case, have)
    if (endpoint := parent_of(key)) is not None:
        return _end_deployment(case, have, endpoint, planned)
    if KINDS[key.kind].is_followed:
        return _end_job(have, planned)
    if KINDS[key.kind].end is End.ARCHIVE:
        if have.archived:
            return []
        return [step_on(key, Action.ARCHIVE, StepReason.ARCHIVE, expected=have.fingerprint)]
    others = ownership.used_by(have.tags) - {case.spec.name}
    if others:
        return [step_on(key, Action.NOOP, StepReason.STILL_USED, names=tuple(sorted(others)))]
    running = tuple(step.id for step in planned if KINDS[step.key.kind].is_followed)
    return [step_on(key, Action.DELETE, StepReason.CREATED_HERE, expected=have.fingerprint, depends_on=running)]


def _end_endpoint(case: Case, have: Observed) -> list[Step]:
    """Deleting an endpoint deletes its deployments: only where all of them were read, and every one is ours."""
    inside = deployments(case, have.key)
    if child_kind(have.key.kind) not in case.world.listed:
        return []
    if foreign := tuple(other.key.name for other in inside if not case.is_ours(other)):
        return [step_on(have.key, Action.NOOP, StepReason.HOLDS_FOREIGN, names=foreign)]
    names = tuple(deployment.key.name for deployment in inside)
    reason = StepReason.WITH_DEPLOYMENTS if names else StepReason.CREATED_HERE
    return [step_on(have.key, Action.DELETE, reason, names=names, expected=have.fingerprint)]


def _end_deployment(case: Case, have: Observed, endpoint: ResourceKey, planned: list[Step]) -> list[Step]:
    if any(step.key == endpoint and step.action in (Action.DELETE, Action.WAIT) for step in planned):
        return []
    ours = [other.key.name for other in deployments(case, endpoint) if case.is_ours(other)]
    moved = any(step.key == endpoint and step.action is Action.UPDATE for step in planned)
    stop = [] if moved else to_zero(case, endpoint, traffic_of(case, endpoint), ours)[0]
    after = tuple(step.id for step in [*planned, *stop] if step.key == endpoint and step.action is Action.UPDATE)
    return [*stop, step_on(have.key, Action.DELETE, StepReason.CREATED_HERE, expected=have.fingerprint, depends_on=after)]


def _end_job(have: Observed, planned: list[Step]) -> list[Step]:
    cancel = []
    if have.status is Status.RUNNING:
        cancel = [step_on(have.key, Action.CANCEL, StepReason.RUNNING, expected=have.fingerprint)]
    if have.archived:
        return cancel
    after = tuple(step.id for step in cancel)
    return [*cancel, step_on(have.key, Action.ARCHIVE, StepReason.ARCHIVE_JOB, expected=have.fingerprint, depends_on=after)]


def _leave_shared(case: Case) -> list[Step]:
    """A sibling's cluster, or one that was let go, loses our `used-by` tag, and nothing else. In another project that tag is of a
    spec of the same name."""
    tag = ownership.USED_BY + case.spec.name
    return [
        step_on(
            key,
            Action.UPDATE,
            StepReason.UNUSED,
            expected=have.fingerprint,
            changes=(FieldChange(f"tags.{tag}", "true", None, Action.UPDATE, ChangeReason.SHARED),),
        )
        for key, have in case.world.observed.items()
        if have is not None
        and KINDS[key.kind].shared
        and not case.is_ours(have)
        and (have.owner is None or have.owner.project == case.project)
        and case.spec.name in ownership.used_by(have.tags)
    ]
