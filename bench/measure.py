"""Measuring commands: wall and CPU seconds of a process and its children, the best of several runs."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    wall: float
    """Seconds; on a busy machine trust the CPU seconds more."""
    cpu: float
    memory: float
    """MiB at most, of the largest process measured so far."""


def command(words: Sequence[str], environment: Mapping[str, str] | None = None, runs: int = 5) -> Cost:
    """The cheapest of some runs; the first one, which fills the disk cache, does not count."""
    costs = [_once(words, {**os.environ, **(environment or {})}) for _ in range(runs + 1)][1:]
    return min(costs, key=lambda cost: cost.cpu)


def python(code: str, environment: Mapping[str, str] | None = None, runs: int = 5) -> Cost:
    return command([sys.executable, "-c", code], environment, runs)


def _once(words: Sequence[str], environment: Mapping[str, str]) -> Cost:
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ran.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {ran.returncode}:\n{ran.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, after.ru_maxrss / 1024)
