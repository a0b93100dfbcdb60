"""Many specs at once: loaded, held against each other, planned with shared reads, and applied as one graph.

A spec that is wrong does not hide the others. What one spec's plan says is `engine.plan`'s; here belongs what specs do to each
other: names that two of them want, and clusters that several use, whose writes come one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fineforge.config.loaded import Loaded
from fineforge.config.variables import Given
from fineforge.core.diagnostics import Diagnostic, FineforgeError, errors
from fineforge.core.events import Event, Outcome
from fineforge.core.gateway import READS, Gateway, Reader
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import WRITES, Action, Mode, Plan
from fineforge.engine import applied, data, planfile
from fineforge.engine import loaded as engine_loaded
from fineforge.engine import planned as engine
from fineforge.engine.selection import Batch, Failures, conflicts, load, named
from fineforge.engine.shared_reads import SharedReads
from fineforge.execution import executor as applying
from fineforge.execution import lease as leasing
from fineforge.host import worker
from fineforge.planner import check_plan
from fineforge.planner.sharing import _decides, _joined, one_plan
from fineforge.policies import judge
from fineforge.resources.kinds import KINDS

PARALLEL = 8
"""Steps of all specs that are carried out at the same time."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The plans of a batch. Each is complete in itself, but for `after`."""

    plans: tuple[tuple[Loaded, Plan], ...]
    failed: Failures
    problems: tuple[Diagnostic, ...] = ()
    selected: bool = False
    after: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """(spec, step id) -> the step of another spec that it waits for, since both write to one object."""

    @property
    def writes(self) -> int:
        return sum(len(plan.writes) for _, plan in self.plans)

    @property
    def merged(self) -> Plan:
        """All plans as one graph."""
        return one_plan([plan for _, plan in self.plans], self.after)

    @property
    def broken(self) -> bool:
        """Whether some spec could not be planned, or its plan cannot be applied."""
        return bool(self.failed or errors(self.problems) or any(errors(plan.diagnostics) for _, plan in self.plans))

    @property
    def unplanned(self) -> dict[str, tuple[Diagnostic, ...]]:
        return named(self.failed)


def plan(
    batch: Batch,
    gateway: Reader,
    mode: Mode = Mode.APPLY,
    retry_failed: bool = False,
    told: Callable[[Loaded], None] = lambda _: None,
) -> Planned:
    """Plans every spec, reads shared. What is wrong with one is in `failed`, or its plan's diagnostics; `told` hears of each."""
    clashes = conflicts(batch, gateway.workspace) if mode is Mode.APPLY else {}
    failed = {**batch.failed, **clashes}
    reads = SharedReads(gateway, len(batch.specs))
    wanted = [loaded for loaded in batch.specs if loaded.path not in clashes]

    def make(loaded: Loaded) -> Plan | tuple[Diagnostic, ...]:
        try:
            return engine.plan(loaded, reads, mode, retry_failed).plan
        except FineforgeError as error:
            return error.diagnostics
        finally:
            told(loaded)

    with ThreadPoolExecutor(min(READS, max(len(wanted), 1))) as pool:
        made = list(zip(wanted, pool.map(make, wanted), strict=True))
        if _pretend(reads, [found for _, found in made if isinstance(found, Plan)]):
            made = [(loaded, make(loaded) if isinstance(found, Plan) and _disagrees(found) else found) for loaded, found in made]
    plans = [(loaded, found) for loaded, found in made if isinstance(found, Plan)]
    failed |= {loaded.path: found for loaded, found in made if isinstance(found, tuple)}
    shared, after = _share(plans)
    return Planned(tuple(shared), failed, batch.problems, batch.selected, after)


def beside(planned: Planned, others: Sequence[tuple[Loaded, Plan]]) -> Planned:
    """The plans and others of the same workspace, which may write to the same clusters."""
    plans, after = _share((*planned.plans, *others))
    return replace(planned, plans=tuple(plans), after=after)


def saved(entries: Sequence[tuple[Path, Plan]], allow_outside: bool = False, given: Given | None = None) -> Planned:
    """Plans that were saved, beside their specs as they are now. Raises every spec that cannot be read, at once."""
    found = load([path for path, _ in entries], (), None, allow_outside, entries[0][1].target if entries else None, given)
    if found.failed:
        raise FineforgeError(*(diagnostic for problems in found.failed.values() for diagnostic in problems))
    made: list[tuple[Loaded, Plan]] = []
    for one, (path, plan_) in zip(found.specs, entries, strict=True):
        meant = engine_loaded.at(one, plan_.target)
        planfile.refuse_changed(plan_, meant.spec, path)
        made.append((one, judge.judged(plan_, meant, worker.run)))
    plans, after = _share(made)
    return Planned(tuple(plans), {}, after=after)


def apply(
    planned: Planned,
    gateway: Gateway,
    listener: Callable[[Event], None],
    stop: threading.Event | None = None,
    parallel: int = PARALLEL,
    warn: Callable[[Sequence[Diagnostic]], None] = lambda _: None,
    detach: bool = False,
    terms: leasing.Terms = leasing.AT_ONCE,
    progress: Callable[..., object] = lambda *_: None,
) -> tuple[Outcome, Mapping[Path, FineforgeError]]:
    """Carries out every plan that can be, as one graph; and why a spec's plan was not begun: its data, or its lease. `progress`
    is that of `engine.apply`, with the spec's name before all else.

    Raises FineforgeError before anything is written where the plans break their contract or are for another workspace.
    """
    stop = stop or threading.Event()
    held_back: dict[Path, FineforgeError] = {}
    files: dict[str, Path] = {}
    begun: list[tuple[Loaded, Plan]] = []
    with ExitStack() as stack:
        leases: list[leasing.Lease] = []
        sound = [entry for entry in planned.plans if not errors(entry[1].diagnostics)]
        for loaded, plan_ in sorted(sound, key=lambda entry: entry[1].spec):  # in one order, or two applies wait for each other
            try:
                planfile.refuse_elsewhere(plan_, gateway.workspace)
                held = stack.enter_context(applied.leased(plan_, loaded, gateway, terms, stop))
                files |= _prepared(plan_, loaded, warn, partial(progress, plan_.spec), stop)
            except FineforgeError as error:
                held_back[loaded.path] = error
                continue
            leases += [held] if held is not None else []
            begun.append((loaded, plan_))
        merged = one_plan([plan_ for _, plan_ in _not_in_vain(begun, planned, held_back)], planned.after)
        if broken := check_plan(merged):
            raise FineforgeError(*broken)
        halted = lambda: any(lease.lost() for lease in leases)  # noqa: E731
        outcome = applying.run(merged, applying.Execution(gateway, files, listener, stop, detach, halted), parallel)
        return leasing.judged(outcome, leases), held_back


def _not_in_vain(
    begun: Sequence[tuple[Loaded, Plan]], planned: Planned, held_back: dict[Path, FineforgeError]
) -> tuple[tuple[Loaded, Plan], ...]:
    """The plans but for those that wait for a write to a shared cluster by a spec that is held back, which are held back too."""
    gone = {plan_.spec: held_back[loaded.path] for loaded, plan_ in planned.plans if loaded.path in held_back}
    for loaded, plan_ in begun:
        for other in (other for (spec, _), (other, _) in planned.after.items() if spec == plan_.spec and other in gone):
            message = f"`{plan_.spec}` shares a cluster with `{other}`, which writes to it first and is held back"
            found = Diagnostic("FF185", message, hint=f"see what holds `{other}` back, then apply again")
            held_back[loaded.path] = FineforgeError(found, exit_code=gone[other].exit_code)
    kept = tuple(entry for entry in begun if entry[0].path not in held_back)
    return kept if len(kept) == len(begun) else _not_in_vain(kept, planned, held_back)


def _prepared(
    made: Plan,
    loaded: Loaded,
    warn: Callable[[Sequence[Diagnostic]], None],
    progress: Callable[..., object],
    stop: threading.Event,
) -> Mapping[str, Path]:
    """The files that a plan uploads, by where they go."""
    wanted = {upload.split: upload.destination for step in made.steps for upload in step.uploads}
    context = made.facts.get("context_length")
    files, warnings = data.uploads(engine_loaded.at(loaded, made.target), wanted, context, progress, stop)
    if warnings:
        warn(warnings)
    return files


def _pretend(reads: SharedReads, plans: Sequence[Plan]) -> bool:
    """Shows every spec the clusters as their owners' plans make them; whether there are any."""
    steps = [step for made in plans for step in made.steps if _decides(step) and step.action is Action.UPDATE]
    for step in steps:
        raw = reads.get(step.key)
        if raw is not None:
            reads.pretend(step.key, applying.changed_body(step, raw))
    return bool(steps)


def _disagrees(made: Plan) -> bool:
    """Whether a spec cannot use a cluster as it is; it may agree with what the owner makes of it."""
    return any(found.code == "FF302" and found.path[:1] == ("compute",) for found in errors(made.diagnostics))


def _share(plans: Sequence[tuple[Loaded, Plan]]) -> tuple[list[tuple[Loaded, Plan]], dict[tuple[str, str], tuple[str, str]]]:
    """Clusters that several plans write to: made once, by the first; each of the others waits for the one before it. Who decides
    how a cluster is goes before those who only say that they use it; nobody waits for a plan that cannot be applied."""
    last: dict[ResourceKey, tuple[str, str]] = {}
    made: set[ResourceKey] = set()
    after: dict[tuple[str, str], tuple[str, str]] = {}
    shared: dict[Path, tuple[Loaded, Plan]] = {}
    for loaded, plan_ in sorted(plans, key=lambda entry: not any(_decides(step) for step in entry[1].steps)):
        steps = list(plan_.steps)
        writing = [] if errors(plan_.diagnostics) else [step for step in steps if step.action in WRITES]
        for key in dict.fromkeys(step.key for step in writing if KINDS[step.key.kind].shared):
            if key in made:
                steps = _joined(steps, key, plan_.spec)
            writes = [step for step in steps if step.key == key and step.action in WRITES]
            if key in last and writes:
                after[plan_.spec, writes[0].id] = last[key]
                steps = [replace(step, expected="") if step in writes else step for step in steps]
            made |= {key} if any(step.action is Action.CREATE for step in writes) else set()
            last[key] = (plan_.spec, writes[-1].id)
        shared[loaded.path] = (loaded, replace(plan_, steps=tuple(steps)))
    return [shared[loaded.path] for loaded, _ in plans], after
