"""What to do about the training job: the one object that costs hours, and that must never run twice for one digest."""

from __future__ import annotations

from fineforge.core import Action, Desired, Observed, Status, Step
from fineforge.diagnostics import Diagnostic
from fineforge.planner.decide import Case, Decision, compare, create, make, step_on, update


def decide_job(case: Case, want: Desired) -> Decision:
    """Steps for the job. `want` is already the attempt that counts: the last one that exists, or the next where a retry is due."""
    if _model_stands(case):
        return Decision([make(want, Action.NOOP, "its model is registered; the job is not needed")])
    have = case.have(want.key)
    if have is None:
        cancels = _superseded(case, want)
        return Decision([*cancels, create(case, want)])
    if not case.is_ours(have):
        return Decision(diagnostics=[Diagnostic("FF303", f"`{want.key}` exists already and is not this spec's", path=want.path)])
    match have.status:
        case Status.FAILED | Status.CANCELED:
            return Decision(diagnostics=[_ended(want, have)])
        case Status.RUNNING | Status.BUSY:
            return Decision([make(want, Action.WAIT, "is running")])
        case Status.COMPLETED | Status.READY:
            return _completed(case, want, have)


def _completed(case: Case, want: Desired, have: Observed) -> Decision:
    if have.archived:
        return Decision(
            [make(want, Action.RESTORE, "completed and archived; nothing is trained again", expected=have.fingerprint)]
        )
    changes = compare(case, want, have)
    return Decision([update(want, have, changes)] if changes else [make(want, Action.NOOP, "completed")])


def _model_stands(case: Case) -> bool:
    """The model of exactly this job exists: a completed job is then never needed again, not even if it was deleted."""
    for want in case.wanted("model"):
        have = case.have(want.key)
        if (
            have is not None
            and case.is_ours(have)
            and have.owner is not None
            and have.owner.digest == want.digest
            and not have.archived
        ):
            return True
    return False


def _ended(want: Desired, have: Observed) -> Diagnostic:
    said = f": {have.message}" if have.message else ""
    word = "failed" if have.status is Status.FAILED else "was cancelled"
    hint = "`--retry-failed` submits it again as a new attempt; `job.retries` does so by itself"
    return Diagnostic("FF305", f"`{want.key}` {word}{said}", path=want.path, hint=hint)


def _superseded(case: Case, want: Desired) -> list[Step]:
    """Our jobs of an older digest that still run and cost money."""
    if case.spec.job.on_superseded == "keep":
        return []
    return [
        step_on(key, Action.CANCEL, "superseded: the spec wants another job", path=want.path, expected=have.fingerprint)
        for key, have in case.world.observed.items()
        if key.kind == "job" and key != want.key and have is not None and have.status is Status.RUNNING and case.is_ours(have)
    ]
