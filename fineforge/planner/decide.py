"""What to do about one object of any kind: the decisions that need to know no kind by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fineforge import ownership
from fineforge.catalog.snapshot import still_offered
from fineforge.core import Action, Desired, Facts, FieldChange, Observed, ResourceKey, SpecPath, Status, Step, World
from fineforge.diagnostics import Diagnostic
from fineforge.fields import Change, FieldRule, differences, rule_of
from fineforge.kinds import KINDS
from fineforge.kinds.base import End
from fineforge.kinds.compute import refused_for_quota
from fineforge.spec import Spec

ABSENT = "absent"
"""`Step.expected` of an object that must not exist yet."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a decision may look at."""

    spec: Spec
    facts: Facts
    world: World
    project: str
    desired: Mapping[ResourceKey, Desired]

    def wanted(self, kind: str) -> Iterable[Desired]:
        return (want for want in self.desired.values() if want.key.kind == kind)

    def have(self, key: ResourceKey) -> Observed | None:
        return self.world.observed.get(key)

    def is_ours(self, have: Observed) -> bool:
        owner = have.owner
        return owner is not None and owner.project == self.project and owner.spec == self.spec.name

    def is_siblings(self, have: Observed) -> bool:
        """Another spec of our project owns it."""
        return have.owner is not None and have.owner.project == self.project and have.owner.spec != self.spec.name


@dataclass(frozen=True, slots=True)
class Decision:
    steps: list[Step] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def decide(case: Case, want: Desired) -> Decision:
    """Steps for one object, from nothing to whatever it takes. Order matters: each question assumes the answers before it."""
    have = case.have(want.key)
    if have is None:
        return _absent(case, want)
    if KINDS[want.key.kind].end is End.STAY:
        return _published(want, have)
    if have.leaving and not _is_existing(case, want):
        gone = until_gone(have, want.path)
        return Decision([gone, create(case, want, "created again once the old one is gone", (gone.id,))])
    if not case.is_ours(have) or _is_existing(case, want):
        return _foreign(case, want, have)
    return _ours(case, want, have)


def create(case: Case, want: Desired, reason: str = "", after: tuple[str, ...] = ()) -> Step:
    """The one write that makes an object; what must lie in the datastore first goes with it."""
    older = any(_is_older(case, want, have) for have in case.world.observed.values() if have is not None)
    action = Action.NEW_VERSION if older and not after else Action.CREATE
    retry = re.search(r"-r(\d+)\Z", want.key.name) if want.key.kind == "job" else None
    if retry:
        why = f"attempt {retry[1]}, after the last one failed"
    elif want.key.kind == "job":
        why = "what decides its result changed" if older else DOES_NOT_EXIST
    else:
        why = "a new version: its content changed" if older else DOES_NOT_EXIST
    expected = "" if after else ABSENT
    step = make(want, action, reason or why, expected=expected, text=want.text, uploads=want.uploads, depends_on=after)
    cheaper = replace(step, id=f"{step.id} at low priority", text=want.fallback, reason=IF_REFUSED) if want.fallback else None
    low_priority = want.key.kind == "compute" and case.spec.compute is not None and case.spec.compute.tier == "low_priority"
    return replace(step, usd_hour=_usd_hour(case, want.key.kind, low_priority), fallback=cheaper)


DOES_NOT_EXIST = "does not exist"
IF_REFUSED = "low priority, where quota is the reason"
LOW_PRIORITY = "at low priority: the quota of dedicated cores was refused"
EVICTED = "at low priority, whose nodes may be taken away while a job runs"


def make(want: Desired, action: Action, reason: str, **more: Any) -> Step:
    """A step on a desired object, named after its action and object."""
    return step_on(want.key, action, reason, path=want.path, **more)


def step_on(key: ResourceKey, action: Action, reason: str, *, path: SpecPath = (), suffix: str = "", **more: Any) -> Step:
    """A step on an object that need not be desired."""
    name = f"{action} {key}" + (f" {suffix}" if suffix else "")
    return Step(name, key, action, reason, path=path, **more)


def until_gone(have: Observed, path: SpecPath = ()) -> Step:
    """For what the service is deleting already: it needs no second deletion, and its name is free only afterwards."""
    return step_on(have.key, Action.WAIT, "is being deleted", path=path, expected=ABSENT)


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
    reason = "drift: somebody changed it" if all(change.reason == "drift" for change in changes) else "changed in the spec"
    return make(want, Action.UPDATE, reason, changes=changes, text=want.text, expected=have.fingerprint, depends_on=after)


def restore(case: Case, want: Desired, have: Observed, reason: str) -> list[Step]:
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
        return Decision(restore(case, want, have, "is archived"))
    waits = [make(want, Action.WAIT, "another operation is still running")] if have.status is Status.BUSY else []
    if not changes:
        return Decision(waits or [make(want, Action.NOOP, _fits(case, want))])
    if any(change.action is Action.DELETE for change in changes):
        return _replace(case, want, have, changes, waits)
    step = update(want, have, changes, tuple(step.id for step in waits))
    scaled = any(change.path == "instance_count" for change in changes)
    return Decision([*waits, replace(step, usd_hour=_usd_hour(case, want.key.kind, False)) if scaled else step])


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
    why = f"its provisioning failed: {have.message}" if have.message else "its provisioning failed"
    delete = make(want, Action.DELETE, why, expected=have.fingerprint)
    again = create(case, want, "created again after the failure", (delete.id,))
    if again.fallback is not None and refused_for_quota(have.message):
        usd_hour = _usd_hour(case, want.key.kind, low_priority=True)
        again = replace(again, text=want.fallback, reason=LOW_PRIORITY, fallback=None, usd_hour=usd_hour)
    return Decision([delete, again], prevented(case, want.key, want.path))


def _replace(case: Case, want: Desired, have: Observed, changes: tuple[FieldChange, ...], waits: list[Step]) -> Decision:
    if others := _others(case, have):
        message = f"`{want.key}` must be replaced, but {others} uses it too"
        return Decision(diagnostics=[Diagnostic("FF302", message, path=want.path, hint="give this spec an object of its own")])
    fields = ", ".join(f"`{change.path}`" for change in changes if change.action is Action.DELETE)
    why = f"{fields} cannot be changed in place"
    after = tuple(step.id for step in waits)
    delete = make(want, Action.DELETE, why, changes=changes, expected=have.fingerprint, depends_on=after)
    again = create(case, want, "replaced", (delete.id,))
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
    waits = [make(want, Action.WAIT, "another operation is still running")] if have.status is Status.BUSY else []
    if KINDS[want.key.kind].shared and case.is_siblings(have) and case.spec.name not in ownership.used_by(have.tags):
        tag = ownership.USED_BY + case.spec.name
        change = FieldChange(f"tags.{tag}", None, "true", Action.UPDATE, "shared with another spec of this project")
        after = tuple(step.id for step in waits)
        share = make(
            want, Action.UPDATE, "also used by this spec", changes=(change,), expected=have.fingerprint, depends_on=after
        )
        return Decision([*waits, share])
    return Decision(waits or [make(want, Action.READ, "exists and fits; fineforge only uses it")])


def _published(want: Desired, have: Observed) -> Decision:
    """A version stands for one digest. Whether a registry keeps the tags of what it copies is not known: none are asked for."""
    if have.owner is not None and have.owner.digest != want.digest:
        message = f"`{want.key}` exists with another digest, and cannot be changed"
        return Decision(diagnostics=[Diagnostic("FF304", message, path=want.path, hint="rename the model in `register.name`")])
    return Decision([make(want, Action.NOOP, "published")])


def _is_existing(case: Case, want: Desired) -> bool:
    """`existing: true`, or an object that the spec only names: somebody else looks after it, whatever its tags say."""
    if want.existing:
        return True
    block = {"compute": case.spec.compute, "endpoint": case.spec.endpoint}.get(want.key.kind)
    return block is not None and block.existing


def _was_written(case: Case, change: FieldChange, kind: str) -> bool:
    """Only what the spec spells out can be wrong about somebody else's object; our defaults are for our own."""
    place = rule_of(change.path, KINDS[kind].rules)[0].spec
    block, _, key = place.partition(".")
    given = getattr(case.spec, block, None)
    return bool(key) and given is not None and key in given.model_fields_set


def _field_path(want: Desired, change: FieldChange) -> SpecPath:
    return tuple(rule_of(change.path, KINDS[want.key.kind].rules)[0].spec.split("."))


def _others(case: Case, have: Observed) -> str:
    return ", ".join(f"`{name}`" for name in sorted(ownership.used_by(have.tags) - {case.spec.name}))


def _is_older(case: Case, want: Desired, have: Observed) -> bool:
    """An earlier version of the asset, or an earlier run of ours."""
    if have.key.kind != want.key.kind or have.key == want.key:
        return False
    return case.is_ours(have) if want.key.kind == "job" else want.key.version is not None and have.key.name == want.key.name


def at_low_priority(case: Case) -> bool:
    """Whether the spec's cluster is, or is about to be, one of low priority."""
    for want in case.wanted("compute"):
        if (have := case.have(want.key)) is not None:
            return bool(have.document.get("tier") == "low_priority")
    return case.spec.compute is not None and case.spec.compute.tier == "low_priority"


def _fits(case: Case, want: Desired) -> str:
    """A cluster that was refused as dedicated once is as the spec wants it, and yet another than its readers think of."""
    return EVICTED if want.fallback and at_low_priority(case) else "as the spec wants it"


def _usd_hour(case: Case, kind: str, low_priority: bool) -> float | None:
    """What a cluster's node or a deployment costs by existing; pay-as-you-go prices of the region, else of any (undated)."""
    deployment = case.spec.deployment
    block = {"compute": case.spec.compute, "deployment": deployment}.get(kind)
    size = case.facts.size(block.size) if block else None
    price = size.price_in(case.facts.location, low_priority) if size else None
    instances = deployment.instances if deployment and kind == "deployment" else 1
    return None if price is None else round(price * instances, 4)
