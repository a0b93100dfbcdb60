"""What a job tells while it runs, as values: pieces of its logs, and metrics with the run that each is from. Pure.

A pipeline is many runs: its own, and one for each step below it. Here belongs which of them counts; reading is the gateway's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job: the job's own, or one of a step below it."""

    id: str
    name: str
    """What people call it: the step's name, or the job's."""


@dataclass(frozen=True, slots=True)
class Last:
    """The latest value of a metric in one run."""

    run: Run
    time: int
    """Milliseconds since the epoch, as the tracking server says."""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of a job."""

    run: Run
    points: tuple[tuple[int, float], ...]
    """(step, value), in the order in which they were logged."""
    also: tuple[Run, ...] = ()
    """Other runs of the job that have a metric of this name."""

    @property
    def last(self) -> float | None:
        return self.points[-1][1] if self.points else None


@dataclass(frozen=True, slots=True)
class LogText:
    """New text of one log file."""

    source: str
    """Which file of which step; empty for the log of the job itself."""
    text: str


LogPosition = Mapping[str, int]
"""How far each log file has been read, in characters; empty: nothing yet. Only who made one can read it."""


def deciding(job: str, found: Sequence[Last]) -> Last:
    """Which run's metric counts where several have one of the same name: the job's own, else the one that was logged last.

    The fine-tuning components log what they measure to their own run and to the pipeline's (azureml-assets,
    `log_metrics_at_root`), so that mostly both are the same.
    """
    own = [last for last in found if last.run.id == job]
    return own[0] if own else max(found, key=lambda last: last.time)
