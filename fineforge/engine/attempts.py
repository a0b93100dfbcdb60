"""Read the attempts of a spec's training job. Which one counts is decided in `planner.attempts`."""

from __future__ import annotations

from collections.abc import Callable

from fineforge.core.facts import World
from fineforge.core.gateway import Reader
from fineforge.engine import observe
from fineforge.planner.attempts import attempt_after, has_ended_badly
from fineforge.resources.naming import Identity

Named = Callable[[int], Identity]
"""The names of the spec's objects, with the job's attempt, from 1."""


def attempt_that_counts(gateway: Reader, named: Named, world: World, retries: int, retry_failed: bool) -> tuple[int, World]:
    """Read attempts until one is missing or has not failed. Return the attempt that counts, and the extended world."""
    attempt, previous = 1, None
    while True:
        names = named(attempt)
        if names.job is None:
            return attempt, world
        others = [key for key in (names.model, names.deployment) if key is not None] if attempt == 1 else []
        world = observe.read_world(gateway, [names.job, *others], world)
        if names.job in world.unread:
            return attempt, world
        job = world.observed.get(names.job)
        if job is None:
            return attempt_after(attempt, previous, retries, retry_failed), world
        if not has_ended_badly(job):
            return attempt, world
        attempt, previous = attempt + 1, job
