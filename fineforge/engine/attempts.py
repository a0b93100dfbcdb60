"""Which attempt of the job counts, and which job or deployment is meant by somebody who names only the spec."""

from __future__ import annotations

import re
from collections.abc import Callable

from fineforge.core.facts import World
from fineforge.core.gateway import Reader
from fineforge.core.objects import Status
from fineforge.engine import observe
from fineforge.resources.naming import Identity

Named = Callable[[int], Identity]
"""The names of the spec's objects, with the job's attempt, from 1."""


def attempt_that_counts(gateway: Reader, named: Named, world: World, retries: int, retry_failed: bool) -> tuple[int, World]:
    """The last attempt that exists; the next one where a retry is due. And the world with what was read for it.

    `retries`, the spec's, is for what the platform did to the job; a mistake in the spec fails again, and is not paid for twice.
    """
    attempt, platform = 1, False
    while True:
        names = named(attempt)
        if names.job is None:
            return attempt, world
        others = [key for key in (names.model, names.deployment) if key is not None] if attempt == 1 else []
        world = observe.read_world(gateway, [names.job, *others], world)
        have = world.observed.get(names.job)
        if have is None:
            due = attempt == 1 or retry_failed or (platform and attempt <= retries + 1)
            return (attempt if due or names.job in world.unread else attempt - 1), world
        if have.status not in (Status.FAILED, Status.CANCELED):
            return attempt, world
        platform = have.status is Status.FAILED and re.search(_PLATFORM, have.message, re.IGNORECASE) is not None
        attempt += 1


_PLATFORM = r"pre-?empt|node.*(lost|unhealthy|failure)|internal ?server ?error|service ?unavailable|infrastructure|platform"
"""Words of failures that are not the spec's (azure-docs#66288 for preemption; the others are assumed)."""
