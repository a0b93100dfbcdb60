"""Apply the plan of one spec."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from fineforge.config.loaded import Loaded
from fineforge.core.diagnostics import Diagnostic, FineforgeError, errors, refused
from fineforge.core.events import Event, Outcome
from fineforge.core.gateway import Gateway
from fineforge.core.plan import Plan
from fineforge.engine import data as preparing
from fineforge.engine import planfile
from fineforge.engine.loaded import at
from fineforge.execution import executor as applying
from fineforge.execution import lease as leasing
from fineforge.host import worker
from fineforge.planner import check_plan
from fineforge.policies import judge

if TYPE_CHECKING:
    from fineforge.dataset import Progress


def apply(
    made: Plan,
    loaded: Loaded,
    gateway: Gateway,
    listener: Callable[[Event], None],
    stop: threading.Event | None = None,
    parallel: int = 8,
    warn: Callable[[Sequence[Diagnostic]], None] = lambda _: None,
    detach: bool = False,
    lease: leasing.Terms | leasing.Lease = leasing.AT_ONCE,
    progress: Progress = lambda *_: None,
) -> Outcome:
    """Carries out exactly the plan's steps. Datasets are prepared and their rows checked before the first write.

    `warn` gets what the rows' checks found short of an error, if anything. With `detach` a job that runs is not waited for: it is
    `running` in the outcome, what needs it is skipped, and the next apply goes on from there. `lease`: see
    `fineforge.execution.lease.ensured`; `progress`: `fineforge.dataset.Progress`.

    Raises FineforgeError before anything is written where the plan has errors, breaks its contract, or rows are bad. What happens
    to single steps is in the outcome.
    """
    loaded = at(loaded, gateway.workspace.target)
    made = judge.judged(made, loaded, worker.run)
    if broken := [*errors(made.diagnostics), *check_plan(made)]:
        raise FineforgeError(*broken, exit_code=4 if refused(broken) else 1)
    planfile.refuse_elsewhere(made, gateway.workspace)
    uploads = {upload.split: upload.destination for step in made.steps for upload in step.uploads}
    stop = stop or threading.Event()
    with leased(made, loaded, gateway, lease, stop) as held:
        files, warnings = preparing.uploads(loaded, uploads, made.facts.get("context_length"), progress, stop)
        if warnings:
            warn(warnings)
        halted = held.lost if held else lambda: False
        shared = applying.Execution(gateway, files, listener, stop, detach, halted)
        return leasing.judged(applying.run(made, shared, parallel), [held] if held else [])


def leased(
    made: Plan, loaded: Loaded, gateway: Gateway, lease: leasing.Terms | leasing.Lease, stop: threading.Event
) -> AbstractContextManager[leasing.Lease | None]:
    """The apply lease of the plan's spec, for as long as the block lasts; see `fineforge.execution.lease.ensured`."""
    return leasing.ensured(lease, made, loaded.owner, loaded.path.parent, gateway, stop)


def outcome_exit_code(outcome: Outcome) -> int:
    """0 where all is done, or goes on unwatched as was asked; 5 where the world moved, 4 where a gate refused, 130 where it was
    interrupted, else 1."""
    if outcome.failed:
        return 1
    if outcome.moved or outcome.lost:
        return 5
    if outcome.refused:
        return 4
    return 130 if (outcome.running or outcome.skipped) and not outcome.detached else 0
