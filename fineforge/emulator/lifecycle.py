"""How long busy objects stay busy: the one choice that turns the emulator from a fast fake into a slow service.

Nothing here sleeps; who asks gets an answer for the moment of the injected clock, which tests may move.
The idea of states that advance at once, after some time or after some reads is moto's (ManagedState).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import assert_never

SECONDS = {
    "compute.create": 4.0,
    "compute.update": 1.0,
    "compute.delete": 2.0,
    "endpoint.create": 5.0,
    "endpoint.update": 2.0,
    "endpoint.delete": 3.0,
    "deployment.create": 8.0,
    "deployment.update": 4.0,
    "deployment.delete": 3.0,
    "registry_resource.create": 3.0,
    "registry_resource.update": 1.0,
    "registry_resource.delete": 2.0,
    "registry_model.create": 1.0,
    "registry_model.import": 2.0,
    "job.start": 2.0,
    "job.finish": 0.5,
}
"""Seconds of `timed`. Azure takes 90 s for an endpoint and 10 minutes for a deployment (recorded); nobody should wait so here."""


@dataclass(slots=True)
class Clock:
    """The system's, as far ahead of it as tests have moved it."""

    ahead: float = 0.0
    """Seconds."""

    def __call__(self) -> float:
        return time.time() + self.ahead


class Progression(StrEnum):
    INSTANT = "instant"
    """Busy in the answer to the write, done before the next request."""
    TIMED = "timed"
    STEPPED = "stepped"
    """Done after a number of reads of the object or of its operation."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    progression: Progression = Progression.INSTANT
    reads: int = 2
    seconds: Mapping[str, float] = field(default_factory=lambda: SECONDS)
    clock: Callable[[], float] = field(default_factory=Clock)
    """Seconds since the epoch."""

    def due(self, action: str, active_since: float, reads: int) -> bool:
        """Whether an operation (`deployment.create`) that became active then, and was read so often, is over."""
        match self.progression:
            case Progression.INSTANT:
                return True
            case Progression.TIMED:
                return self.clock() >= active_since + self.seconds[action]
            case Progression.STEPPED:
                return reads >= self.reads
            case _ as never:
                assert_never(never)

    def timestamp(self, moment: float | None = None) -> str:
        """As the service writes it: `2022-10-28T19:14:54.254161+00:00`."""
        return datetime.fromtimestamp(self.clock() if moment is None else moment, UTC).isoformat(timespec="microseconds")
