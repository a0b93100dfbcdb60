"""Plan and apply the specs that a command selects, one or many: with shared reads, and as one graph.

An invalid spec does not block the others. Here belongs what specs do to each other: names that two of them claim, and clusters
that several of them use, whose writes run one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fineforge.config.loaded import DEFAULTS, SpecFile, SpecOptions, TargetedSpec
from fineforge.core.diagnostics import Diagnostic, FineforgeError, errors, refused
from fineforge.core.events import Event, Outcome
from fineforge.core.gateway import READS, Gateway, Reader
from fineforge.core.plan import Mode, Plan
from fineforge.engine import data, planfile
from fineforge.engine.leases import Leases, all_of, hold_leases
from fineforge.engine.planned import plan_apply, plan_destroy
from fineforge.engine.selection import Batch, Failures, TargetedBatch, conflicts
from fineforge.engine.shared_reads import SharedReads
from fineforge.execution import executor
from fineforge.execution.lease import AT_ONCE, Terms, judged
from fineforge.host import worker
from fineforge.planner import check_plan
from fineforge.planner.sharing import After, disagrees, one_plan, share, shared_updates
from fineforge.policies import judge

SpecPlan = tuple[TargetedSpec, Plan]

PARALLEL = 8
"""Steps of all specs that are carried out at the same time."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The plans of a batch. Each is complete in itself, but for `after`."""

    plans: tuple[SpecPlan, ...]
    failed: Failures = field(default_factory=dict)
    """Specs that could not be planned, and why."""
    problems: tuple[Diagnostic, ...] = ()
    """What is wrong with the selection itself."""
    after: After = field(default_factory=dict)
    """(spec, step id) -> the step of another spec that it waits for, since both write to one object."""

    @property
    def sound(self) -> tuple[SpecPlan, ...]:
        """The plans that can be applied."""
        return tuple(entry for entry in self.plans if not errors(entry[1].diagnostics))

    @property
    def writes(self) -> int:
        """The number of writes of all plans, those that cannot be applied included."""
        return sum(len(plan.writes) for _, plan in self.plans)

    @property
    def merged(self) -> Plan:
        """The plans as one graph. The plan of a single spec is its own."""
        return _merge([plan for _, plan in self.plans], self.after)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """Everything that is wrong, in the order in which it is reported."""
        unplanned = [problem for problems in self.failed.values() for problem in problems]
        return [*self.problems, *unplanned, *(problem for _, plan in self.plans for problem in plan.diagnostics)]

    @property
    def broken(self) -> bool:
        """True if a spec could not be planned, or its plan cannot be applied."""
        return bool(self.failed or errors(self.diagnostics))


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How an apply proceeds."""

    parallel: int = PARALLEL
    """Steps at the same time, at most."""
    detach: bool = False
    """True if no job is waited for: it is `running` in the outcome, what needs it is skipped, and a later apply continues."""
    lease: Terms = AT_ONCE
    """How the apply leases are acquired."""


DEFAULT_APPLY = ApplyOptions()


@dataclass(frozen=True, slots=True)
class ApplyHooks:
    """How the caller watches an apply, and interrupts it. Called from several threads."""

    event: Callable[[Event], None] = lambda _: None
    """Gets what happens to each step."""
    warn: Callable[[Sequence[Diagnostic]], None] = lambda _: None
    """Gets what the checks of data rows found short of an error."""
    progress: Callable[..., object] = lambda *_: None
    """Gets the spec's name and the arguments of `fineforge.dataset.Progress` while data is prepared."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Once set, nothing more is started or waited for."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How an apply ended."""

    outcome: Outcome
    held_back: Mapping[Path, FineforgeError]
    """Specs whose plans were not begun, and why: errors in the plan, its data, its lease, or a shared cluster."""

    @property
    def exit_code(self) -> int:
        """The worst exit code of the outcome and of everything that was held back."""
        codes = {outcome_exit_code(self.outcome), *(error.exit_code for error in self.held_back.values())}
        return next((code for code in (130, 1, 5, 4) if code in codes), 0)


def plan(
    batch: Batch,
    gateway: Reader,
    mode: Mode = Mode.APPLY,
    retry_failed: bool = False,
    report: Callable[[TargetedSpec], None] = lambda _: None,
) -> Planned:
    """Plan every spec of the batch that is for the gateway's target, with shared reads.

    What is wrong with a spec is in `failed`, or in its plan's diagnostics. `report` is called for each spec once it is planned.
    """
    at = TargetedBatch.of(batch, gateway.workspace.target)
    clashes = conflicts(at, gateway.workspace) if mode is Mode.APPLY else {}
    reads = SharedReads(gateway, len(at.specs))
    wanted = [spec for spec in at.specs if spec.path not in clashes]

    def make(spec: TargetedSpec) -> Plan | tuple[Diagnostic, ...]:
        try:
            return (plan_apply(spec, reads, retry_failed) if mode is Mode.APPLY else plan_destroy(spec, reads)).plan
        except FineforgeError as error:
            return error.diagnostics
        finally:
            report(spec)

    with ThreadPoolExecutor(min(READS, max(len(wanted), 1))) as pool:
        made = list(zip(wanted, pool.map(make, wanted), strict=True))
        if _pretend(reads, [plan for _, plan in made if isinstance(plan, Plan)]):
            made = [(spec, make(spec) if isinstance(plan, Plan) and disagrees(plan) else plan) for spec, plan in made]
    failed = {**at.failed, **clashes, **{spec.path: problems for spec, problems in made if isinstance(problems, tuple)}}
    return beside(Planned((), failed, batch.problems), [(spec, plan) for spec, plan in made if isinstance(plan, Plan)])


def beside(planned: Planned, others: Sequence[SpecPlan]) -> Planned:
    """Return the plans together with others of the same workspace, which may write to the same clusters."""
    plans, after = _share((*planned.plans, *others))
    return replace(planned, plans=tuple(plans), after=after)


def saved(entries: Sequence[tuple[Path, Plan]], options: SpecOptions = DEFAULTS) -> Planned:
    """Return saved plans, next to their specs as they are now. Raises every spec that cannot be read, at once."""
    specs: list[TargetedSpec] = []
    problems: list[Diagnostic] = []
    for path, plan in entries:
        try:
            specs.append(SpecFile.read(path, replace(options, target=plan.target)).at(plan.target))
        except FineforgeError as error:
            problems += error.diagnostics
    if problems:
        raise FineforgeError(*problems)
    for spec, (path, plan) in zip(specs, entries, strict=True):
        planfile.refuse_changed(plan, spec.spec, path)
    return beside(
        Planned(()), [(spec, judge.judged(plan, spec, worker.run)) for spec, (_, plan) in zip(specs, entries, strict=True)]
    )


def apply(
    planned: Planned,
    gateway: Gateway,
    options: ApplyOptions = DEFAULT_APPLY,
    hooks: ApplyHooks | None = None,
    leases: Leases | None = None,
) -> Applied:
    """Carry out every plan that can be, as one graph. Data is prepared and its rows checked before the first write.

    `leases` are those that are held already; what is missing of them is acquired.

    Raises FineforgeError before anything is written where no plan could be begun, or where the plans break their contract. What
    happens to single steps is in the outcome.
    """
    hooks = hooks or ApplyHooks()
    if leases is None:
        with hold_leases(gateway, options.lease, hooks.stop) as leases:
            return apply(planned, gateway, options, hooks, leases)
    held_back: dict[Path, FineforgeError] = {}
    files: dict[str, Path] = {}
    begun: list[SpecPlan] = []
    leases.acquire(planned.sound)
    for spec, plan in planned.plans:
        try:
            begun.append((spec, _refuse_unsound(judge.judged(plan, spec, worker.run), spec, gateway, leases)))
            files |= _prepare(spec, plan, hooks)
        except FineforgeError as error:
            held_back[spec.path] = error
    begun = _without_dependents([entry for entry in begun if entry[0].path not in held_back], planned, held_back)
    if held_back and not begun:
        raise all_of(held_back)
    merged = _merge([plan for _, plan in begun], planned.after)
    if broken := check_plan(merged):
        raise FineforgeError(*broken)
    execution = executor.Execution(gateway, files, hooks.event, hooks.stop, options.detach, leases.lost)
    outcome = executor.run(merged, execution, options.parallel)
    return Applied(judged(outcome, [*leases.held.values()]), held_back)


def outcome_exit_code(outcome: Outcome) -> int:
    """Return 0 if everything is done, or continues unwatched as asked; 5 if the world has moved since the plan, 4 if a gate
    refused, 130 if the apply was interrupted, else 1."""
    if outcome.failed:
        return 1
    if outcome.moved or outcome.lost:
        return 5
    if outcome.refused:
        return 4
    return 130 if (outcome.running or outcome.skipped) and not outcome.detached else 0


def _refuse_unsound(plan: Plan, spec: TargetedSpec, gateway: Gateway, leases: Leases) -> Plan:
    """Return the plan. Raises where it has errors by the policies of today, is for another workspace, or has no lease."""
    if broken := errors(plan.diagnostics):
        raise FineforgeError(*broken, exit_code=4 if refused(broken) else 1)
    planfile.refuse_elsewhere(plan, gateway.workspace)
    if spec.path in leases.refused:
        raise leases.refused[spec.path]
    return plan


def _prepare(spec: TargetedSpec, plan: Plan, hooks: ApplyHooks) -> Mapping[str, Path]:
    """Return the files that a plan uploads, by destination."""
    wanted = {upload.split: upload.destination for step in plan.steps for upload in step.uploads}
    progress = partial(hooks.progress, plan.spec)
    files, warnings = data.uploads(spec, wanted, plan.facts.get("context_length"), progress, hooks.stop)
    if warnings:
        hooks.warn(warnings)
    return files


def _without_dependents(begun: list[SpecPlan], planned: Planned, held_back: dict[Path, FineforgeError]) -> list[SpecPlan]:
    """Hold back the plans that wait for a write to a shared cluster by a plan that is held back. Return the others."""
    gone = {plan.spec: held_back[spec.path] for spec, plan in planned.plans if spec.path in held_back}
    for spec, plan in begun:
        for other in (other for (waiting, _), (other, _) in planned.after.items() if waiting == plan.spec and other in gone):
            message = f"`{plan.spec}` shares a cluster with `{other}`, which writes to it first and did not start"
            problem = Diagnostic("FF185", message, hint=f"resolve the problem of `{other}`, then apply again")
            held_back[spec.path] = FineforgeError(problem, exit_code=gone[other].exit_code)
    kept = [entry for entry in begun if entry[0].path not in held_back]
    return kept if len(kept) == len(begun) else _without_dependents(kept, planned, held_back)


def _merge(plans: Sequence[Plan], after: Mapping[tuple[str, str], tuple[str, str]]) -> Plan:
    return plans[0] if len(plans) == 1 and not errors(plans[0].diagnostics) else one_plan(plans, after)


def _pretend(reads: SharedReads, plans: Sequence[Plan]) -> bool:
    """Replace shared objects in the read cache by their planned state. Return True if any were replaced."""
    steps = shared_updates(plans)
    for step in steps:
        raw = reads.get(step.key)
        if raw is not None:
            reads.pretend(step.key, executor.changed_body(step, raw))
    return bool(steps)


def _share(plans: Sequence[SpecPlan]) -> tuple[list[SpecPlan], After]:
    """Merge writes to shared objects, and pair each plan with its spec again."""
    shared, after = share([plan for _, plan in plans])
    return [(spec, plan) for (spec, _), plan in zip(plans, shared, strict=True)], after
