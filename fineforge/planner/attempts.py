"""Decide what counts after a failure: which attempt of a job, which alternative of a step, which objects that were read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fineforge.core.objects import Observed, ResourceKey, Status
from fineforge.core.plan import Step
from fineforge.resources.kinds import parent_of
from fineforge.resources.kinds.compute import refused_for_quota

_PLATFORM = r"pre-?empt|node.*(lost|unhealthy|failure)|internal ?server ?error|service ?unavailable|infrastructure|platform"
"""Failures of the platform, as the service words them (azure-docs#66288 for preemption; the others are assumed)."""


def fallback_after(step: Step, refusal: str) -> Step | None:
    """Return the alternative that the plan shows for a refused create; None where this refusal is no reason for it."""
    return step.fallback if refused_for_quota(refusal) else None


def without_lost(observed: Mapping[ResourceKey, Observed | None]) -> Mapping[ResourceKey, Observed | None]:
    """Return what was read, with the contents of objects that do not exist gone too: they were read before the deletion ended."""
    gone = {key for key, have in observed.items() if have is None}
    return {key: None if parent_of(key) in gone else have for key, have in observed.items()}


def has_ended_badly(job: Observed) -> bool:
    """Return True if a later attempt may exist, or may be due."""
    return job.status in (Status.FAILED, Status.CANCELED)


def attempt_after(attempt: int, previous: Observed | None, retries: int, retry_failed: bool) -> int:
    """Return the attempt that counts where attempt number `attempt` does not exist: that one if it is due, else the one before.

    `retries` of the spec are for failures of the platform. A mistake in the spec would fail again, and is not paid for twice.
    """
    platform = (
        previous is not None
        and previous.status is Status.FAILED
        and re.search(_PLATFORM, previous.message, re.IGNORECASE) is not None
    )
    due = attempt == 1 or retry_failed or (platform and attempt <= retries + 1)
    return attempt if due else attempt - 1
