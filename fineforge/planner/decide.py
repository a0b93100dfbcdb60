"""What to do about one object of any kind: the decisions that need to know no kind by name."""

from __future__ import annotations

from dataclasses import replace

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.objects import Desired, Observed, Status
from fineforge.core.plan import Action, ChangeReason, FieldChange, Step, StepReason
from fineforge.planner.case import Case, Decision
from fineforge.planner.costs import at_low_priority, planned
from fineforge.planner.steps import (
    _field_path,
    _others,
    compare,
    create,
    make,
    prevented,
    restore,
    taken,
    until_gone,
    update,
)
from fineforge.resources import ownership
from fineforge.resources.fields import Change, rule_of
from fineforge.resources.kinds import KINDS
from fineforge.resources.kinds.base import End
from fineforge.resources.kinds.compute import refused_for_quota


def decide(case: Case, want: Desired) -> Decision:
    """Steps for one object, from nothing to whatever it takes. Order matters: each question assumes the answers before it."""
    have = case.have(want.key)
    if have is None:
        return _absent(case, want)
    if KINDS[want.key.kind].end is End.STAY:
        return _published(want, have)
    if have.leaving and not _is_existing(case, want):
        gone = until_gone(have, want.path)
        return Decision([gone, create(case, want, StepReason.AFTER_DELETION, (gone.id,))])
    if not case.is_ours(have) or _is_existing(case, want):
        return _foreign(case, want, have)
    return _ours(case, want, have)


def _absent(case: Case, want: Desired) -> Decision:
    if not _is_existing(case, want):
        return Decision([create(case, want)])
    if want.existing:
        message = f"`{want.key}` does not exist"
        return Decision(
            diagnostics=[Diagnostic("FF301", message, path=want.path, hint="the spec uses it as it is; check its name")]
        )
    hint = f"create it yourself, correct its name, or take `{want.key.kind}.existing` out"
    message = f"`{want.key}` does not exist, but `{want.key.kind}.existing: true` says that it does"
    return Decision(diagnostics=[Diagnostic("FF301", message, path=want.path, hint=hint)])


def _ours(case: Case, want: Desired, have: Observed) -> Decision:
    changes = compare(case, want, have)
    if have.status is Status.FAILED:
        return _heal(case, want, have)
    if refused := _fixed(want, have, changes):
        return refused
    if have.archived:
        return Decision(restore(case, want, have, StepReason.ARCHIVED))
    waits = [make(want, Action.WAIT, StepReason.BUSY)] if have.status is Status.BUSY else []
    if not changes:
        return Decision(waits or [make(want, Action.NOOP, _fits(case, want))])
    if any(change.action is Action.DELETE for change in changes):
        return _replace(case, want, have, changes, waits)
    step = update(want, have, changes, tuple(step.id for step in waits))
    scaled = any(change.path == "instance_count" for change in changes)
    return Decision([*waits, replace(step, usd_hour=planned(case, want.key.kind)) if scaled else step])


def _fixed(want: Desired, have: Observed, changes: tuple[FieldChange, ...]) -> Decision | None:
    """FF304: a version whose content is not what its digest says, or that was made for another digest."""
    kind = KINDS[want.key.kind]
    wrong = [f"`{change.path}`" for change in changes if rule_of(change.path, kind.rules)[0].change is Change.FIXED]
    if not wrong and kind.end is End.ARCHIVE and have.owner is not None and have.owner.digest != want.digest:
        wrong = ["digest"]
    if not wrong:
        return None
    message = f"`{want.key}` exists with another {', '.join(wrong)}, and cannot be changed"
    hint = "rename the spec or the asset, so that a new one is made"
    return Decision(diagnostics=[Diagnostic("FF304", message, path=want.path, hint=hint)])


def _heal(case: Case, want: Desired, have: Observed) -> Decision:
    """A failed object is never updated: `Delete and re-create` (reported for deployments; assumed for clusters and endpoints)."""
    if KINDS[want.key.kind].end is not End.DELETE:
        message = f"`{want.key}` is in a failed state: {have.message or 'the service says no more'}"
        return Decision(diagnostics=[Diagnostic("FF305", message, path=want.path)])
    if others := _others(case, have):
        message = f"`{want.key}` failed and must be created again, but {others} uses it too"
        return Decision(diagnostics=[Diagnostic("FF302", message, path=want.path)])
    why = StepReason.FAILED_WITH_MESSAGE if have.message else StepReason.FAILED
    delete = make(want, Action.DELETE, why, value=have.message, expected=have.fingerprint)
    again = create(case, want, StepReason.AFTER_FAILURE, (delete.id,))
    if again.fallback is not None and refused_for_quota(have.message):
        usd_hour = planned(case, want.key.kind, low_priority=True)
        again = replace(again, text=want.fallback, reason=StepReason.QUOTA_REFUSED, fallback=None, usd_hour=usd_hour)
    return Decision([delete, again], prevented(case, want.key, want.path))


def _replace(case: Case, want: Desired, have: Observed, changes: tuple[FieldChange, ...], waits: list[Step]) -> Decision:
    if others := _others(case, have):
        message = f"`{want.key}` must be replaced, but {others} uses it too"
        return Decision(diagnostics=[Diagnostic("FF302", message, path=want.path, hint="give this spec an object of its own")])
    fields = tuple(change.path for change in changes if change.action is Action.DELETE)
    after = tuple(step.id for step in waits)
    delete = make(
        want,
        Action.DELETE,
        StepReason.FIXED_FIELDS,
        names=fields,
        changes=changes,
        expected=have.fingerprint,
        depends_on=after,
    )
    again = create(case, want, StepReason.REPLACED, (delete.id,))
    return Decision([*waits, delete, again], prevented(case, want.key, want.path))


def _foreign(case: Case, want: Desired, have: Observed) -> Decision:
    """Not ours: used where it fits, never changed. A sibling's cluster gets our `used-by` tag and nothing else."""
    if not KINDS[want.key.kind].shared and not _is_existing(case, want):
        return Decision(diagnostics=[taken(case, want, have)])
    if have.status is Status.FAILED or (have.archived and not want.existing):
        said = f": {have.message}" if have.message else ""
        message = f"`{want.key}` is not this spec's, and its provisioning failed{said}"
        return Decision(diagnostics=[Diagnostic("FF302", message, path=want.path, hint="its owner must mend it")])
    differs = () if want.existing else compare(case, want, have)
    changes = [change for change in differs if _was_written(case, change, want.key.kind)]
    if changes:
        told = "; ".join(f"`{change.path}` is `{change.before}`, the spec wants `{change.after}`" for change in changes)
        hint = "write in the spec what it is, or use another name"
        message = f"`{want.key}` is not this spec's and differs: {told}"
        return Decision(diagnostics=[Diagnostic("FF302", message, path=_field_path(want, changes[0]), hint=hint)])
    waits = [make(want, Action.WAIT, StepReason.BUSY)] if have.status is Status.BUSY else []
    if KINDS[want.key.kind].shared and case.is_siblings(have) and case.spec.name not in ownership.used_by(have.tags):
        tag = ownership.USED_BY + case.spec.name
        change = FieldChange(f"tags.{tag}", None, "true", Action.UPDATE, ChangeReason.SHARED)
        after = tuple(step.id for step in waits)
        share = make(want, Action.UPDATE, StepReason.SHARED, changes=(change,), expected=have.fingerprint, depends_on=after)
        return Decision([*waits, share])
    return Decision(waits or [make(want, Action.READ, StepReason.FITS)])


def _published(want: Desired, have: Observed) -> Decision:
    """A version stands for one digest. Whether a registry keeps the tags of what it copies is not known: none are asked for."""
    if have.owner is not None and have.owner.digest != want.digest:
        message = f"`{want.key}` exists with another digest, and cannot be changed"
        return Decision(diagnostics=[Diagnostic("FF304", message, path=want.path, hint="rename the model in `register.name`")])
    return Decision([make(want, Action.NOOP, StepReason.PUBLISHED)])


def _is_existing(case: Case, want: Desired) -> bool:
    """`existing: true`, or an object that the spec only names: somebody else looks after it, whatever its tags say."""
    return want.existing or case.is_existing(want.key)


def _was_written(case: Case, change: FieldChange, kind: str) -> bool:
    """Only what the spec spells out can be wrong about somebody else's object; our defaults are for our own."""
    place = rule_of(change.path, KINDS[kind].rules)[0].spec
    block, _, key = place.partition(".")
    given = getattr(case.spec, block, None)
    return bool(key) and given is not None and key in given.model_fields_set


def _fits(case: Case, want: Desired) -> StepReason:
    """A cluster that was refused as dedicated once is as the spec wants it, and yet another than its readers think of."""
    return StepReason.AT_LOW_PRIORITY if want.fallback and at_low_priority(case) else StepReason.AS_WANTED
