"""Plan and apply one spec as a library user does: a batch of one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fineforge import engine
from fineforge.core.events import Event, Outcome
from fineforge.core.gateway import Gateway, Reader
from fineforge.core.plan import Mode, Plan
from fineforge.engine import batch
from fineforge.engine.leases import Leases
from fineforge.execution.lease import AT_ONCE, Terms


def load(path: Path, **options: Any) -> engine.SpecFile:
    return engine.SpecFile.read(path, engine.SpecOptions(**options))


Either = engine.SpecFile | engine.TargetedSpec


def at(spec: Either, gateway: Reader) -> engine.TargetedSpec:
    return spec if isinstance(spec, engine.TargetedSpec) else spec.at(gateway.workspace.target)


def plan(spec: Either, gateway: Reader, mode: Mode = Mode.APPLY, retry_failed: bool = False) -> engine.PlannedSpec:
    """The plan of one spec, and what it was made from. Raises where the spec cannot be planned."""
    if mode is Mode.DESTROY:
        return engine.plan_destroy(at(spec, gateway), gateway)
    return engine.plan_apply(at(spec, gateway), gateway, retry_failed)


def apply(
    plan: Plan,
    spec: Either,
    gateway: Gateway,
    event: Callable[[Event], None],
    stop: threading.Event | None = None,
    *,
    detach: bool = False,
    lease: Terms = AT_ONCE,
    leases: Leases | None = None,
    progress: Callable[..., object] = lambda *_: None,
) -> Outcome:
    """Carry out the plan of one spec. Raises where it could not be begun."""
    hooks = engine.ApplyHooks(event, progress=progress, stop=stop or threading.Event())
    planned = engine.Planned(((at(spec, gateway), plan),))
    return batch.apply(planned, gateway, engine.ApplyOptions(detach=detach, lease=lease), hooks, leases).outcome
