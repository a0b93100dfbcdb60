"""Taking an object under a spec's wing, and letting it go: writes of owner tags, and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.objects import Observed, Ownership, ResourceKey
from fineforge.core.plan import Action, ChangeReason, FieldChange, Step, StepReason
from fineforge.planner.case import Case
from fineforge.planner.steps import step_on
from fineforge.resources import ownership
from fineforge.resources.fields import field_digests
from fineforge.resources.kinds import KINDS, child_kind, parent_of
from fineforge.resources.kinds.base import End


def adopt(case: Case, keys: Sequence[ResourceKey]) -> tuple[list[Step], list[Diagnostic]]:
    """A step for every object that becomes this spec's. It stays as it is: the next plan says what the spec wants otherwise.

    FF190 where an object cannot be adopted: it is not there, or somebody else's.
    """
    steps: list[Step] = []
    found: list[Diagnostic] = []
    for key in keys:
        have = case.have(key)
        if problem := _refused(case, key, have):
            found.append(problem)
        elif have is not None and case.is_ours(have):
            steps.append(step_on(key, Action.NOOP, StepReason.OURS))
        elif have is not None:
            steps.append(_tagged(have, _owner_tags(case, have), StepReason.ADOPTED))
    return _endpoint_first(steps), found


def forget(case: Case, kinds: Sequence[str]) -> list[Step]:
    """A step for every object that ceases to be this spec's; all of them where no kind is named."""
    ours = [have for have in case.world.observed.values() if have is not None and case.is_ours(have)]
    wanted = [have for have in ours if (not kinds or have.key.kind in kinds) and KINDS[have.key.kind].end is not End.STAY]
    steps = []
    for have in wanted:
        gone = {name: None for name in have.tags if ownership.says_whose(name, case.spec.name)}
        steps.append(_tagged(have, gone, StepReason.RELEASED))
    return _endpoint_first(steps)


def _endpoint_first(steps: Sequence[Step]) -> list[Step]:
    """Deployments are not written to while their endpoint is (azure-sdk-for-net#36961)."""
    writes = {step.key: step.id for step in steps if step.action is Action.UPDATE and child_kind(step.key.kind)}

    def ordered(step: Step) -> Step:
        endpoint = parent_of(step.key) if step.action is Action.UPDATE else None
        first = writes.get(endpoint) if endpoint else None
        return replace(step, depends_on=(first,)) if first else step

    return [ordered(step) for step in steps]


def _refused(case: Case, key: ResourceKey, have: Observed | None) -> Diagnostic | None:
    if have is None:
        return Diagnostic("FF190", f"`{key}` does not exist", hint="adopt what exists; `apply` makes the rest")
    if case.is_existing(key):
        hint = f"take `{key.kind}.existing` out of the spec first"
        return Diagnostic("FF190", f"`{key}` is somebody else's: the spec says so", path=(key.kind, "existing"), hint=hint)
    if have.owner is not None and not case.is_ours(have):
        whose = f"the spec `{have.owner.spec}` of project `{have.owner.project}`"
        return Diagnostic("FF190", f"`{key}` belongs to {whose}", hint=f"`fineforge forget` it there first ({key.kind})")
    return None


def _owner_tags(case: Case, have: Observed) -> dict[str, str | None]:
    """The tags that mark it as ours, with the fields as they are: what the spec wants otherwise is its change, no drift."""
    kind = KINDS[have.key.kind]
    want = case.desired.get(have.key)
    digest = want.digest if want is not None else ownership.digest(["adopted", str(have.key)])
    owner = Ownership(case.project, case.spec.name, digest, field_digests(have.document, kind.rules))
    return dict(kind.owner_tags(owner))


def _tagged(have: Observed, tags: Mapping[str, str | None], reason: StepReason) -> Step:
    changes = tuple(
        FieldChange(f"tags.{name}", have.tags.get(name), value, Action.UPDATE, ChangeReason.OWNERSHIP)
        for name, value in tags.items()
    )
    return step_on(have.key, Action.UPDATE, reason, changes=changes, expected=have.fingerprint)
