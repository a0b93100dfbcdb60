"""Words for the reasons of steps: the one place where a `StepReason` becomes English."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fineforge.core.plan import ChangeReason, FieldChange, Step, StepReason


def reason_text(step: Step) -> str:
    """Return why the step is planned."""
    value, plural = step.value, "" if step.value == "1" else "s"
    reason = _WORDS[step.reason].format(names=_listed(step.names), value=value, s=plural)
    if not step.beside:
        return reason
    quota = f"beside {_listed(step.beside)}: quota is needed for each"
    return quota if step.reason in _OBVIOUS else f"{reason}; {quota}"


def notable_reason(step: Step) -> str:
    """Return why the step is planned; empty where the word for its action says so already."""
    return "" if step.reason in _OBVIOUS and not step.beside else reason_text(step)


def explains(step: Step, change: FieldChange) -> bool:
    """Return True if the reason of the step is that of the change, which then needs no words of its own."""
    return _EXPLAINED.get(step.reason) is change.reason


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


_OBVIOUS = frozenset({StepReason.ABSENT, StepReason.AS_WANTED})

_EXPLAINED: Mapping[StepReason, ChangeReason] = {
    StepReason.CHANGED: ChangeReason.SPEC,
    StepReason.DRIFTED: ChangeReason.DRIFT,
}

_WORDS: Mapping[StepReason, str] = {
    StepReason.ABSENT: "does not exist",
    StepReason.JOB_CHANGED: "what decides its result changed",
    StepReason.NEW_CONTENT: "a new version: its content changed",
    StepReason.RETRY: "attempt {value}, after the last one failed",
    StepReason.IF_REFUSED: "low priority, where quota is the reason",
    StepReason.QUOTA_REFUSED: "at low priority: the quota of dedicated cores was refused",
    StepReason.AT_LOW_PRIORITY: "at low priority, whose nodes may be taken away while a job runs",
    StepReason.AS_WANTED: "as the spec wants it",
    StepReason.FITS: "exists and fits; fineforge only uses it",
    StepReason.PUBLISHED: "published",
    StepReason.CHANGED: "changed in the spec",
    StepReason.DRIFTED: "drift: somebody changed it",
    StepReason.SHARED: "also used by this spec",
    StepReason.SHARED_NEW: "made by another spec; also used by this one",
    StepReason.UNUSED: "no longer used by this spec",
    StepReason.ARCHIVED: "is archived",
    StepReason.BUSY: "another operation is still running",
    StepReason.LEAVING: "is being deleted",
    StepReason.FAILED: "its provisioning failed",
    StepReason.FAILED_WITH_MESSAGE: "its provisioning failed: {value}",
    StepReason.FIXED_FIELDS: "{names} cannot be changed in place",
    StepReason.REPLACED: "replaced",
    StepReason.AFTER_DELETION: "created again once the old one is gone",
    StepReason.AFTER_FAILURE: "created again after the failure",
    StepReason.AFTER_OLD: "created after the old one is gone; the endpoint does not answer in between",
    StepReason.SUCCEEDED: "{names} takes its place",
    StepReason.TRAFFIC: "{value} % of the traffic to {names}",
    StepReason.NO_TRAFFIC: "no traffic to what is deleted next",
    StepReason.SMOKE: "{value} smoke request{s} must be answered as expected",
    StepReason.SMOKE_BEFORE_TRAFFIC: "{value} smoke request{s} must be answered as expected before traffic moves",
    StepReason.METRICS: "{names} must pass before the model is registered",
    StepReason.TWIN: "metric gates are not judged on a twin",
    StepReason.RUNNING: "is running",
    StepReason.COMPLETED: "completed",
    StepReason.COMPLETED_ARCHIVED: "completed and archived; nothing is trained again",
    StepReason.MODEL_REGISTERED: "its model is registered; the job is not needed",
    StepReason.MODEL_ARCHIVED: "its model is archived, and is restored; the job is not needed",
    StepReason.SUPERSEDED: "superseded: the spec wants another job",
    StepReason.SUPERSEDED_RUNS: "superseded, but `job.on_superseded: keep`: it runs on, and bills",
    StepReason.OURS: "is this spec's already",
    StepReason.ADOPTED: "becomes this spec's",
    StepReason.RELEASED: "is let go; nothing else of it changes",
    StepReason.CREATED_HERE: "created by this spec",
    StepReason.WITH_DEPLOYMENTS: "with its deployment {names}",
    StepReason.ARCHIVE: "kept, but out of sight; apply restores it",
    StepReason.ARCHIVE_JOB: "kept, but out of sight; a completed job is never run again",
    StepReason.STILL_USED: "still used by {names}",
    StepReason.HOLDS_FOREIGN: "stays: {names} in it is not this spec's",
    StepReason.COPIED: "stays: other workspaces may use it",
    StepReason.WANTED_ELSEWHERE: "stays: another spec uses it",
}
"""With `{names}` and `{value}` of the step; `{s}` is the plural of a value that is a number."""
