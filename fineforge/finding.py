"""Which attempt of the job counts, and which job or deployment is meant by somebody who names only the spec."""

from __future__ import annotations

import re
from collections.abc import Callable

from fineforge import observe
from fineforge.core import ResourceKey, Status, World
from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.gateway import Reader
from fineforge.identity import Identity
from fineforge.kinds import KINDS

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


def find_job(gateway: Reader, named: Named, owner: tuple[str, str], attempt: int | None = None) -> ResourceKey:
    """The job of the spec as it is now: the attempt that is asked for, else the last that exists. FF421 where there is none.

    `owner` is the project and the name of the spec; jobs that it had before it was changed are named where there is nothing else.
    """
    wanted = named(attempt or 1).job
    if wanted is None:
        raise FineforgeError(
            Diagnostic("FF421", "this spec trains nothing", hint="it has no `dataset`, or deploys a registered model")
        )
    last = _last(gateway, named)
    if last is None:
        older = ", ".join(f"`{name}`" for name in _ours(gateway, owner))
        hint = f"it was changed since; the workspace has {older} of it" if older else "`fineforge apply` submits it"
        raise FineforgeError(Diagnostic("FF421", f"`{named(1).job}` does not exist", hint=hint))
    if attempt is None or attempt == last:
        return named(last).job or wanted
    if attempt > last:
        raise FineforgeError(Diagnostic("FF421", f"`{wanted}` does not exist", hint=f"the last attempt is {last}"))
    return wanted


def find_deployment(gateway: Reader, named: Named, owner: tuple[str, str]) -> ResourceKey:
    """The deployment that the spec wants, else the newest of its own, which still serves. FF404 where there is none."""
    wanted = named(1).deployment
    if wanted is None:
        raise FineforgeError(Diagnostic("FF404", "this spec deploys nothing", hint="`deployment` is missing in it"))
    found = {key: KINDS["deployment"].observe(key, raw) for key, raw in gateway.list("deployment", wanted.parent).items()}
    ours = [have for have in found.values() if have.owner is not None and (have.owner.project, have.owner.spec) == owner]
    if wanted in found or not ours:
        return wanted
    return max(ours, key=lambda have: (have.created, have.key.name)).key


def _last(gateway: Reader, named: Named) -> int | None:
    """The number of the last attempt that exists."""
    number = 0
    while (key := named(number + 1).job) is not None and gateway.get(key) is not None:
        number += 1
    return number or None


def _ours(gateway: Reader, owner: tuple[str, str]) -> list[str]:
    ours = [KINDS["job"].observe(key, raw) for key, raw in gateway.list("job", "/".join(owner)).items()]
    return [have.key.name for have in sorted(ours, key=lambda have: have.created, reverse=True)][:3]
