"""Builders of plan steps: create, update, restore, retire. Whether to take one is decided in `decide`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fineforge.catalog.snapshot import still_offered
from fineforge.core.diagnostics import Diagnostic
from fineforge.core.objects import Desired, Observed, ResourceKey, SpecPath
from fineforge.core.plan import Action, ChangeReason, FieldChange, Step, StepReason
from fineforge.planner.case import ABSENT, Case
from fineforge.planner.costs import planned
from fineforge.resources import ownership
from fineforge.resources.fields import FieldRule, differences, rule_of
from fineforge.resources.kinds import KINDS


def create(case: Case, want: Desired, reason: StepReason | None = None, after: tuple[str, ...] = ()) -> Step:
    """The one write that makes an object; what must lie in the datastore first goes with it."""
    older = any(_is_older(case, want, have) for have in case.world.observed.values() if have is not None)
    action = Action.NEW_VERSION if older and not after else Action.CREATE
    if want.key.attempt > 1:
        why = StepReason.RETRY
    elif want.key.version is None:
        why = StepReason.JOB_CHANGED if older else StepReason.ABSENT
    else:
        why = StepReason.NEW_CONTENT if older else StepReason.ABSENT
    expected = "" if after else ABSENT
    step = make(want, action, reason or why, expected=expected, text=want.text, uploads=want.uploads, depends_on=after)
    step = replace(step, value=str(want.key.attempt)) if step.reason is StepReason.RETRY else step
    usd_hour = planned(case, want.key.kind, case.spec.compute is not None and case.spec.compute.tier == "low_priority")
    if want.fallback:
        cheaper = replace(step, id=f"{step.id} at low priority", text=want.fallback, reason=StepReason.IF_REFUSED)
        return replace(step, usd_hour=usd_hour, fallback=cheaper)
    return replace(step, usd_hour=usd_hour)


def make(want: Desired, action: Action, reason: StepReason, **more: Any) -> Step:
    """A step on a desired object, named after its action and object."""
    return step_on(want.key, action, reason, path=want.path, **more)


def step_on(key: ResourceKey, action: Action, reason: StepReason, *, path: SpecPath = (), suffix: str = "", **more: Any) -> Step:
    """A step on an object that need not be desired."""
    name = f"{action} {key}" + (f" {suffix}" if suffix else "")
    kind = KINDS[key.kind]
    return Step(name, key, action, reason, path=path, billing=kind.billing, is_output=kind.is_output, **more)


def until_gone(have: Observed, path: SpecPath = ()) -> Step:
    """For what the service is deleting already: it needs no second deletion, and its name is free only afterwards."""
    return step_on(have.key, Action.WAIT, StepReason.LEAVING, path=path, expected=ABSENT)


def compare(case: Case, want: Desired, have: Observed) -> tuple[FieldChange, ...]:
    """What differs, less what the spec's `lifecycle.ignore` leaves to others."""
    applied = have.owner.fields if have.owner else ""
    ignored = set(case.spec.lifecycle.ignore)
    if case.spec.compute is not None and case.spec.compute.tier == "dedicated_then_low_priority":
        ignored.add("compute.tier")  # either is what the spec wants
    rules = KINDS[want.key.kind].rules
    found = differences(want.document, have.document, rules, applied, ignored)
    return tuple(change for change in found if _spec_entry(change, rules) not in ignored)


def _spec_entry(change: FieldChange, rules: Sequence[FieldRule]) -> str:
    """`lifecycle.ignore` may name one entry of a map: `tags.cost-center`, `deployment.environment_variables.LOG_LEVEL`."""
    rule, rest = rule_of(change.path, rules)
    return ".".join((rule.spec, *rest))


def update(want: Desired, have: Observed, changes: tuple[FieldChange, ...], after: tuple[str, ...] = ()) -> Step:
    """The one write that changes an object in place."""
    drifted = all(change.reason is ChangeReason.DRIFT for change in changes)
    reason = StepReason.DRIFTED if drifted else StepReason.CHANGED
    return make(want, Action.UPDATE, reason, changes=changes, tags=want.owner_tags, expected=have.fingerprint, depends_on=after)


def restore(case: Case, want: Desired, have: Observed, reason: StepReason) -> list[Step]:
    """Out of the archive, and then as the spec wants it: what was archived long ago may carry old tags."""
    back = make(want, Action.RESTORE, reason, expected=have.fingerprint)
    changes = compare(case, want, have)
    if not changes:
        return [back]
    restored = KINDS[want.key.kind].fingerprint(have.document, have.owner, have.tags, archived=False, failed=False)
    return [back, update(want, replace(have, fingerprint=restored), changes, (back.id,))]


def fingerprint_after(want: Desired, have: Observed, changes: tuple[FieldChange, ...]) -> str:
    """What the object's fingerprint will be once our own changes are in."""
    if not changes:
        return have.fingerprint
    document = {**have.document, **{key: value for key, value in want.document.items() if key in have.document}}
    return KINDS[want.key.kind].fingerprint(document, have.owner, have.tags, have.archived, failed=False)


def prevented(case: Case, key: ResourceKey, path: SpecPath, end: str = "deleted") -> list[Diagnostic]:
    """FF306 where the spec forbids that the object ends."""
    if key.kind not in case.spec.lifecycle.prevent_destroy:
        return []
    hint = f"take `{key.kind}` out of `lifecycle.prevent_destroy` if this is meant"
    return [Diagnostic("FF306", f"`{key}` would be {end}, which `lifecycle.prevent_destroy` forbids", path=path, hint=hint)]


def taken(case: Case, want: Desired, have: Observed) -> Diagnostic:
    """FF303: the name is somebody else's."""
    owner = have.owner
    whose = f"the spec `{owner.spec}` of project `{owner.project}`" if owner else "somebody who does not use fineforge"
    hint = "choose another name" + (", or set `endpoint.existing: true`" if want.key.kind == "endpoint" else "")
    if owner is None and want.key.kind in ("endpoint", "deployment"):
        hint += "; `fineforge adopt` makes it this spec's own"
    if owner is not None and owner.spec == case.spec.name:
        hint += f"; if this project was `{owner.project}` once, it must keep that name: it says whose objects are"
    return Diagnostic("FF303", f"`{want.key}` exists already and belongs to {whose}", path=want.path, hint=hint)


def retired(case: Case) -> list[Diagnostic]:
    """Retirement is an error only where a job must be created; an existing model stays usable."""
    model, today = case.facts.model, case.facts.today
    if model is None or not model.finetune_retirement or model.finetune_retirement > today or case.spec.model.allow_retired:
        return []
    message = f"fine-tuning of `{model.name}` was retired on {model.finetune_retirement}, and this plan needs a new job"
    hint = f"{still_offered(case.spec.task, today)}; or set `model.allow_retired: true`"
    return [Diagnostic("FF141", message, path=("model", "version"), hint=hint)]


def _field_path(want: Desired, change: FieldChange) -> SpecPath:
    return tuple(rule_of(change.path, KINDS[want.key.kind].rules)[0].spec.split("."))


def _others(case: Case, have: Observed) -> str:
    return ", ".join(f"`{name}`" for name in sorted(ownership.used_by(have.tags) - {case.spec.name}))


def _is_older(case: Case, want: Desired, have: Observed) -> bool:
    """An earlier version of the asset, or an earlier run of ours."""
    if have.key.kind != want.key.kind or have.key == want.key:
        return False
    return case.is_ours(have) if want.key.kind == "job" else want.key.version is not None and have.key.name == want.key.name
