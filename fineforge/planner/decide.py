"""What to do about one object of any kind: the decisions that need to know no kind by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fineforge import ownership
from fineforge.core import Action, Desired, Facts, FieldChange, Observed, ResourceKey, SpecPath, Status, Step, World
from fineforge.diagnostics import Diagnostic, Severity
from fineforge.fields import Change, differences, fingerprint, rule_of
from fineforge.kinds import KINDS
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
    retry_failed: bool
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
        return Decision([create(case, want)])
    if not case.is_ours(have):
        return _foreign(case, want, have)
    return _ours(case, want, have)


def create(case: Case, want: Desired, reason: str = "", after: tuple[str, ...] = ()) -> Step:
    """The one write that makes an object; what must lie in the datastore first goes with it."""
    older = any(key.kind == want.key.kind and key.name == want.key.name and key != want.key for key in _existing(case))
    action = Action.NEW_VERSION if older and want.key.version is not None else Action.CREATE
    expected = "" if after else ABSENT
    why = reason or ("a new version: its content changed" if action is Action.NEW_VERSION else "does not exist")
    return make(want, action, why, expected=expected, text=want.text, uploads=want.uploads, depends_on=after, case=case)


def make(want: Desired, action: Action, reason: str, *, case: Case | None = None, **more: object) -> Step:
    """A step on a desired object, named after its action and object."""
    step = Step(f"{action} {want.key}", want.key, action, reason, path=want.path, **more)  # type: ignore[arg-type]
    return step if case is None else _estimated(case, step)


def step_on(key: ResourceKey, action: Action, reason: str, *, path: SpecPath = (), suffix: str = "", **more: object) -> Step:
    """A step on an object that need not be desired."""
    name = f"{action} {key}" + (f" {suffix}" if suffix else "")
    return Step(name, key, action, reason, path=path, **more)  # type: ignore[arg-type]


def compare(case: Case, want: Desired, have: Observed) -> tuple[FieldChange, ...]:
    applied = have.owner.fields if have.owner else ""
    return differences(want.document, have.document, KINDS[want.key.kind].rules, applied, case.spec.lifecycle.ignore)


def update(want: Desired, have: Observed, changes: tuple[FieldChange, ...], after: tuple[str, ...] = ()) -> Step:
    reason = "drift: somebody changed it" if all(change.reason == "drift" for change in changes) else "changed in the spec"
    return make(want, Action.UPDATE, reason, changes=changes, text=want.text, expected=have.fingerprint, depends_on=after)


def fingerprint_after(want: Desired, have: Observed, changes: tuple[FieldChange, ...]) -> str:
    """What the object's fingerprint will be once our own changes are in."""
    if not changes:
        return have.fingerprint
    rules = KINDS[want.key.kind].rules
    document = {**have.document, **{key: value for key, value in want.document.items() if key in have.document and key != "tags"}}
    tags = {key: value for key, value in (want.document.get("tags") or {}).items() if not ownership.is_owner_tag(key)}
    document["tags"] = {**(have.document.get("tags") or {}), **tags}
    return fingerprint(document, rules, have.archived)


def prevented(case: Case, key: ResourceKey, path: SpecPath) -> list[Diagnostic]:
    """FF306 where the spec forbids the deletion."""
    if key.kind not in case.spec.lifecycle.prevent_destroy:
        return []
    hint = f"take `{key.kind}` out of `lifecycle.prevent_destroy` if this is meant"
    return [Diagnostic("FF306", f"`{key}` would be deleted, which `lifecycle.prevent_destroy` forbids", path=path, hint=hint)]


def retired(case: Case) -> list[Diagnostic]:
    """Retirement is an error only where a job must be created; an existing model stays usable."""
    model, today = case.facts.model, case.facts.today
    if model is None or not model.finetune_retirement or model.finetune_retirement > today or case.spec.model.allow_retired:
        return []
    message = f"fine-tuning of `{model.name}` was retired on {model.finetune_retirement}, and this plan needs a new job"
    hint = "choose a model that is still offered, or set `model.allow_retired: true`"
    return [Diagnostic("FF141", message, path=("model", "version"), hint=hint)]


def _ours(case: Case, want: Desired, have: Observed) -> Decision:
    changes = compare(case, want, have)
    if have.status is Status.FAILED:
        return _heal(case, want, have)
    if have.archived:
        restore = make(want, Action.RESTORE, "is archived", expected=have.fingerprint)
        return _fixed(want, changes) or Decision([restore])
    waits = [make(want, Action.WAIT, "another operation is still running")] if have.status is Status.BUSY else []
    if not changes:
        return Decision(waits or [make(want, Action.NOOP, "as the spec wants it")])
    after = tuple(step.id for step in waits)
    if refused := _fixed(want, changes):
        return refused
    if any(change.action is Action.DELETE for change in changes):
        return _replace(case, want, have, changes, waits)
    return Decision([*waits, update(want, have, changes, after)])


def _fixed(want: Desired, changes: tuple[FieldChange, ...]) -> Decision | None:
    """FF304: a version or name whose content is not what its digest says."""
    rules = KINDS[want.key.kind].rules
    wrong = [change for change in changes if rule_of(change.path, rules)[0].change is Change.FIXED]
    if not wrong:
        return None
    names = ", ".join(f"`{change.path}`" for change in wrong)
    message = f"`{want.key}` exists with another {names}, and cannot be changed"
    return Decision(
        diagnostics=[Diagnostic("FF304", message, path=want.path, hint="rename the spec or the asset, so that a new one is made")]
    )


def _heal(case: Case, want: Desired, have: Observed) -> Decision:
    """A failed object cannot be updated; the service says `Delete and re-create` (reported for deployments, clusters, endpoints)."""
    if KINDS[want.key.kind].end.value != "delete":
        message = f"`{want.key}` is in a failed state: {have.message or 'the service says no more'}"
        return Decision(diagnostics=[Diagnostic("FF305", message, path=want.path)])
    why = f"its provisioning failed: {have.message}" if have.message else "its provisioning failed"
    delete = make(want, Action.DELETE, why, expected=have.fingerprint)
    again = create(case, want, "created again after the failure", (delete.id,))
    return Decision([delete, again], prevented(case, want.key, want.path))


def _replace(case: Case, want: Desired, have: Observed, changes: tuple[FieldChange, ...], waits: list[Step]) -> Decision:
    others = ownership.used_by(have.tags) - {case.spec.name}
    if others:
        names = ", ".join(f"`{name}`" for name in sorted(others))
        return Decision(
            diagnostics=[Diagnostic("FF302", f"`{want.key}` must be replaced, but {names} uses it too", path=want.path)]
        )
    fields = ", ".join(f"`{change.path}`" for change in changes if change.action is Action.DELETE)
    after = tuple(step.id for step in waits)
    delete = make(
        want, Action.DELETE, f"{fields} cannot be changed in place", changes=changes, expected=have.fingerprint, depends_on=after
    )
    again = create(case, want, "replaced", (delete.id,))
    return Decision([*waits, delete, again], prevented(case, want.key, want.path))


def _foreign(case: Case, want: Desired, have: Observed) -> Decision:
    """Not ours: used where it fits, never changed. A sibling's cluster gets our `used-by` tag and nothing else."""
    changes = tuple(change for change in compare(case, want, have) if not change.path.startswith("tags."))
    if have.status is Status.FAILED or have.archived:
        state = "archived" if have.archived else "in a failed state"
        return Decision(diagnostics=[Diagnostic("FF303", f"`{want.key}` is {state} and not this spec's", path=want.path)])
    if not KINDS[want.key.kind].shared and not _may_be_foreign(case, want):
        return Decision(diagnostics=[_taken(case, want, have)])
    if changes:
        told = "; ".join(f"`{change.path}` is `{change.before}`, the spec wants `{change.after}`" for change in changes)
        hint = "write in the spec what it is, or use another name"
        return Decision(
            diagnostics=[Diagnostic("FF302", f"`{want.key}` is not this spec's and differs: {told}", path=want.path, hint=hint)]
        )
    if case.is_siblings(have) and case.spec.name not in ownership.used_by(have.tags):
        tag = ownership.USED_BY + case.spec.name
        change = FieldChange(f"tags.{tag}", None, "true", Action.UPDATE, "shared with another spec of this project")
        shared = make(want, Action.UPDATE, "also used by this spec", changes=(change,), expected=have.fingerprint)
        return Decision([shared])
    return Decision([make(want, Action.READ, "exists and fits; it is not this spec's")])


def _may_be_foreign(case: Case, want: Desired) -> bool:
    return want.key.kind == "endpoint" and case.spec.endpoint is not None and case.spec.endpoint.existing


def _taken(case: Case, want: Desired, have: Observed) -> Diagnostic:
    owner = (
        f"the spec `{have.owner.spec}` of project `{have.owner.project}`" if have.owner else "somebody who does not use fineforge"
    )
    hint = "choose another name" + (", or set `endpoint.existing: true`" if want.key.kind == "endpoint" else "")
    return Diagnostic("FF303", f"`{want.key}` exists already and belongs to {owner}", path=want.path, hint=hint)


def _existing(case: Case) -> Iterable[ResourceKey]:
    return (key for key, have in case.world.observed.items() if have is not None)


def _estimated(case: Case, step: Step) -> Step:
    from dataclasses import replace

    name = str(_size_name(case, step) or "")
    size = case.facts.sizes.get(name.lower())
    price = size.price_hour.get(case.facts.location) or next(iter(size.price_hour.values()), None) if size else None
    if price is None or size is None:
        return step
    if step.key.kind == "deployment" and case.spec.deployment is not None:
        total = price * case.spec.deployment.instances
        return replace(step, estimate=f"about {total:.2f} USD/h for as long as it exists")
    return (
        replace(step, estimate=f"about {price:.2f} USD/h per node while a job runs, nothing when idle")
        if step.key.kind == "compute"
        else step
    )


def _size_name(case: Case, step: Step) -> str | None:
    if step.key.kind == "compute" and case.spec.compute is not None:
        return case.spec.compute.size
    return case.spec.deployment.size if step.key.kind == "deployment" and case.spec.deployment is not None else None


def warning(code: str, message: str, path: SpecPath = (), hint: str = "") -> Diagnostic:
    return Diagnostic(code, message, Severity.WARNING, path, hint=hint)
