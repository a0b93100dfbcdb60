"""Decide which attempt of a training job counts, from what was read of each attempt."""

from __future__ import annotations

import re

from fineforge.core.objects import Observed, Status

_PLATFORM = r"pre-?empt|node.*(lost|unhealthy|failure)|internal ?server ?error|service ?unavailable|infrastructure|platform"
"""Failures of the platform, as the service words them (azure-docs#66288 for preemption; the others are assumed)."""


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
