"""Races: another process's write came between the read and the write of a step."""

from __future__ import annotations

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.gateway import Reader
from fineforge.core.objects import Status
from fineforge.core.plan import Step
from fineforge.resources.kinds import KINDS

_RACES = frozenset({"FF414", "FF415"})
"""Another operation runs on the object, or a job or version of this name has been created."""


def find_winner(step: Step, gateway: Reader, refusal: Diagnostic) -> Diagnostic | None:
    """Return FF501 if the service refused the step's write because another process was faster, else None.

    The object is read again. It was changed by another process if it is in an operation now, or carries the digest of what this
    step writes.
    """
    raw = gateway.get(step.key) if refusal.code in _RACES else None
    if raw is None:
        return None
    have = KINDS[step.key.kind].observe(step.key, raw)
    digest = have.owner.digest if have.owner is not None else ""
    if have.status is not Status.BUSY and not (digest and digest in step.text):
        return None
    message = f"`{step.key}` was changed by another process at the same time: {refusal.message}"
    return Diagnostic("FF501", message, hint="plan again")
