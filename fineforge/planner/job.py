"""What to do about the training job: the one object that costs hours, and that must never run twice for one digest."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.objects import Desired, Observed, Status
from fineforge.core.plan import Action, Step, StepReason
from fineforge.planner.case import Case, Decision
from fineforge.planner.costs import planned
from fineforge.planner.steps import compare, create, make, restore, step_on, taken, update
from fineforge.resources.kinds.model import MODEL


def decide_job(case: Case, want: Desired) -> Decision:
    """Steps for the job. `want` is the attempt that counts: the last one that exists, or the next where a retry is due.

    What the spec no longer wants goes first: were the new job submitted and this apply killed in between, the old one would run
    on unseen. It goes whatever is done about the wanted one, which may be there already where a spec returns to what it was.
    """
    decision = _wanted(case, want)
    if decision.diagnostics:
        return decision
    older = _superseded(case, want)
    cancels = tuple(step.id for step in older if step.action is Action.CANCEL)
    steps = [replace(step, depends_on=cancels) if step.action in _SUBMITS else step for step in decision.steps]
    return Decision([*older, *steps])


_SUBMITS = frozenset({Action.CREATE, Action.NEW_VERSION})


def _wanted(case: Case, want: Desired) -> Decision:
    have, model = case.have(want.key), _model(case)
    if model is not None and (have is None or not model.archived):
        return _not_needed(case, want, have, model)
    if have is None:
        return Decision([create(case, want)])
    if not case.is_ours(have):
        return Decision(diagnostics=[taken(case, want, have)])
    match have.status:
        case Status.FAILED | Status.CANCELED:
            return Decision(diagnostics=[_ended(want, have)])
        case Status.RUNNING | Status.BUSY:
            return Decision([replace(make(want, Action.WAIT, StepReason.RUNNING), usd_hour=planned(case, want.key.kind))])
        case Status.COMPLETED | Status.READY:
            return _completed(case, want, have)
        case _:
            assert_never(have.status)


def _not_needed(case: Case, want: Desired, have: Observed | None, model: Observed) -> Decision:
    """Nothing is trained; what can still be changed of a completed job (its display name, tags) is kept as the spec says."""
    if have is not None and case.is_ours(have) and have.status is Status.COMPLETED and not have.archived:
        changes = compare(case, want, have)
        if changes:
            return Decision([update(want, have, changes)])
    reason = StepReason.MODEL_ARCHIVED if model.archived else StepReason.MODEL_REGISTERED
    return Decision([make(want, Action.NOOP, reason)])


def _completed(case: Case, want: Desired, have: Observed) -> Decision:
    if have.archived:
        return Decision(restore(case, want, have, StepReason.COMPLETED_ARCHIVED))
    changes = compare(case, want, have)
    return Decision([update(want, have, changes)] if changes else [make(want, Action.NOOP, StepReason.COMPLETED)])


def _model(case: Case) -> Observed | None:
    """The model of exactly this job: while it exists the job is never needed again, not even if it was deleted."""
    for want in case.wanted(MODEL.name):
        have = case.have(want.key)
        if have is not None and case.is_ours(have) and have.owner is not None and have.owner.digest == want.digest:
            return have
    return None


def _ended(want: Desired, have: Observed) -> Diagnostic:
    said = f": {have.message}" if have.message else ""
    word = "failed" if have.status is Status.FAILED else "was cancelled"
    hint = "`--retry-failed` submits it again as a new attempt"
    if have.status is Status.FAILED:
        hint += "; `job.retries` does so by itself, where the platform failed it"
    return Diagnostic("FF305", f"`{want.key}` {word}{said}", path=want.path, hint=hint)


def _superseded(case: Case, want: Desired) -> list[Step]:
    """Our jobs of another digest that still run and cost money: cancelled, or said to run on."""
    keep = case.spec.job.on_superseded == "keep"
    return [
        step_on(key, Action.NOOP, StepReason.SUPERSEDED_RUNS, path=want.path)
        if keep
        else step_on(key, Action.CANCEL, StepReason.SUPERSEDED, path=want.path, expected=have.fingerprint)
        for key, have in case.world.observed.items()
        if key.kind == want.key.kind
        and key != want.key
        and have is not None
        and have.status is Status.RUNNING
        and case.is_ours(have)
    ]
