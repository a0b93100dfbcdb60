"""Many specs at once: loaded, held against each other, planned with shared reads, and applied as one graph.

A spec that is wrong does not hide the others. What one spec's plan says is `engine.plan`'s; here belongs what specs do to each
other: names that two of them want, and clusters that several use, whose writes come one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from fineforge import apply as applying
from fineforge import discovery, engine, identity, layers, leasing, ownership, planfile, preparing
from fineforge.core import WRITES, Action, Event, FieldChange, Mode, Outcome, Plan, ResourceKey, Step
from fineforge.diagnostics import Diagnostic, FineforgeError, errors
from fineforge.engine import Loaded
from fineforge.gateway import READS, Gateway, Reader, Workspace
from fineforge.kinds import KINDS
from fineforge.planner import check_plan
from fineforge.policies import judging, reading
from fineforge.project import shown_path
from fineforge.shared import SharedReads
from fineforge.variables import Given

PARALLEL = 8
"""Steps of all specs that are carried out at the same time."""
Failures = Mapping[Path, tuple[Diagnostic, ...]]


@dataclass(frozen=True, slots=True)
class Batch:
    """The specs that are meant."""

    specs: tuple[Loaded, ...]
    failed: Failures = field(default_factory=dict)
    """Those that could not be read, and why."""
    problems: tuple[Diagnostic, ...] = ()
    """What is wrong with the folders themselves."""
    selected: bool = False
    """Whether some were left out on purpose."""
    left: tuple[Loaded, ...] = ()
    """Those: nothing is done with them, but what they want for themselves nobody else can have."""


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
    def broken(self) -> bool:
        """Whether some spec could not be planned, or its plan cannot be applied."""
        return bool(self.failed or errors(self.problems) or any(errors(plan.diagnostics) for _, plan in self.plans))

    @property
    def unplanned(self) -> dict[str, tuple[Diagnostic, ...]]:
        return named(self.failed)


def named(failed: Failures) -> dict[str, tuple[Diagnostic, ...]]:
    """Specs that could not be read or planned, by the names that people know them by."""
    return {shown_path(path): found for path, found in failed.items()}


def load(
    paths: Sequence[Path],
    select: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    allow_outside: bool = False,
    target: str | None = None,
    given: Given | None = None,
) -> Batch:
    """Every spec below the paths that `select` keeps. Raises FF182 where a selection by git cannot be made, nothing else."""
    files, problems = discovery.find(paths)
    loaded: list[Loaded] = []
    failed: dict[Path, tuple[Diagnostic, ...]] = {}
    for file in files:
        try:
            loaded.append(engine.load(file, overrides, allow_outside, target, given))
        except FineforgeError as error:
            failed[file] = error.diagnostics
    if not select:
        return Batch(tuple(loaded), failed, tuple(problems))
    kept, left = _selected(loaded, failed, select)
    selected = {one.path for one in kept}
    others = tuple(one for one in loaded if one.path not in selected)
    return Batch(tuple(kept), left, tuple(problems), selected=True, left=others)


def at(batch: Batch, target: str) -> Batch:
    """The specs that are for a target; the others say so in `targets`, and are left out."""

    def meant(specs: Sequence[Loaded]) -> tuple[Loaded, ...]:
        return tuple(loaded for loaded in specs if loaded.spec.targets is None or target in loaded.spec.targets)

    return replace(batch, specs=meant(batch.specs), left=meant(batch.left))


def conflicts(batch: Batch, workspace: Workspace | None) -> Failures:
    """Specs that cannot be applied beside another one, selected or not, each with FF183 or FF184 naming the other's line. Without
    a workspace, an endpoint's default name is as unique as the spec's."""
    found: dict[Path, list[Diagnostic]] = {}
    first: dict[tuple[str, str], tuple[Loaded, tuple[str | int, ...]]] = {}
    for loaded in (*batch.specs, *batch.left):
        for (what, name), path in _claims(loaded, workspace):
            other = first.setdefault((what, name), (loaded, path))
            if other[0] is loaded:
                continue
            differs = what != "cluster" or loaded.spec.compute != other[0].spec.compute
            if not differs:
                continue
            code, words = ("FF184", "be different") if what == "cluster" else ("FF183", "have it")
            for one, place, two, there in ((loaded, path, *other), (*other, loaded, path)):
                message = f"the {what} `{name}` is also in `{_line(two, there)}`; both cannot {words}"
                hint = "write the same in both" if what == "cluster" else "give one of them another name"
                found.setdefault(one.path, []).append(one.source.place(Diagnostic(code, message, path=place, hint=hint)))
    return {loaded.path: tuple(found[loaded.path]) for loaded in batch.specs if loaded.path in found}


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
        meant = engine.at(one, plan_.target)
        planfile.refuse_changed(plan_, meant.spec, path)
        made.append((one, judging.judged(plan_, meant)))
    plans, after = _share(made)
    return Planned(tuple(plans), {}, after=after)


def one_plan(planned: Planned) -> Plan:
    """All steps in one plan, each under its spec's name, for one graph. Plans with errors are left out."""
    whole = [(loaded, plan) for loaded, plan in planned.plans if not errors(plan.diagnostics)]
    there = {(plan.spec, step.id) for _, plan in whole for step in plan.steps}
    steps = [_named(step, plan.spec, planned.after, there) for _, plan in whole for step in plan.steps]
    drift = {f"{plan.spec}: {step.id}" for _, plan in whole for step in plan.drift}
    first = whole[0][1] if whole else None
    return Plan(
        format=first.format if first else 1,
        mode=first.mode if first else Mode.APPLY,
        target=first.target if first else "",
        spec=f"{len(whole)} specs" if len(whole) != 1 else whole[0][1].spec,
        spec_digest=ownership.digest([plan.spec_digest for _, plan in whole]),
        facts={"workspace": first.facts.get("workspace")} if first else {},
        steps=tuple(steps),
        drift=tuple(step for step in steps if step.id in drift),
        diagnostics=tuple(diagnostic for _, plan in whole for diagnostic in plan.diagnostics),
    )


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
                held = stack.enter_context(engine.leased(plan_, loaded, gateway, terms, stop))
                files |= _prepared(plan_, loaded, warn, partial(progress, plan_.spec), stop)
            except FineforgeError as error:
                held_back[loaded.path] = error
                continue
            leases += [held] if held is not None else []
            begun.append((loaded, plan_))
        merged = one_plan(replace(planned, plans=_not_in_vain(begun, planned, held_back)))
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
    files, warnings = preparing.uploads(engine.at(loaded, made.target), wanted, context, progress, stop)
    if warnings:
        warn(warnings)
    return files


def _selected(
    loaded: Sequence[Loaded], failed: Failures, select: Sequence[str]
) -> tuple[list[Loaded], dict[Path, tuple[Diagnostic, ...]]]:
    """By name, path, tag, or by what git says has changed. Of specs that cannot be read only the path is known."""
    patterns = [pattern for entry in select for pattern in entry.split(",") if pattern]
    since = [pattern.removeprefix(discovery.CHANGED) for pattern in patterns if pattern.startswith(discovery.CHANGED)]
    patterns = [pattern for pattern in patterns if not pattern.startswith(discovery.CHANGED)]
    root = (loaded[0].project.root if loaded else next(iter(failed), Path()).parent) if since else Path()
    changed = frozenset[Path]().union(*(discovery.changed_since(reference, root) for reference in since))

    def is_meant(path: Path, name: str, tags: Mapping[str, str], made_of: Sequence[Path]) -> bool:
        return discovery.matches(path, name, tags, patterns) or (bool(since) and discovery.is_touched(path, made_of, changed))

    kept = [one for one in loaded if is_meant(one.path, one.spec.name, {**one.project.tags, **one.spec.tags}, _made_of(one))]
    return kept, {path: found for path, found in failed.items() if is_meant(path, "", {}, ())}


def _made_of(loaded: Loaded) -> list[Path]:
    """Files beside the spec that decide what it means, or would if they were there, and what is said to its plan."""
    found = [loaded.project.root / name for name in ("fineforge.yaml", "fineforge.lock.yaml")]
    found += [loaded.project.root / reading.FOLDER, *layers.folder_files(loaded.project, loaded.path.parent)]
    found += [Path(file.file) for file in loaded.given.files] if loaded.given else []
    found += [loaded.project.templates] if loaded.project.templates else []
    dataset = loaded.spec.dataset
    for split in dataset.splits.made() if dataset else ():
        source = dataset.source_of(split) if dataset else ""
        if "://" not in source and not source.startswith("azureml:"):
            found.append(loaded.path.parent / source)
    return found


def _claims(loaded: Loaded, workspace: Workspace | None) -> Iterator[tuple[tuple[str, str], tuple[str | int, ...]]]:
    """The names that a spec wants for itself (clusters: that it wants to be as it says), and where it says so."""
    spec = loaded.spec
    yield ("spec", loaded.whose), ("name",)
    if spec.endpoint is not None and not spec.endpoint.existing:
        default = identity.default_endpoint_name(spec.name, workspace.id) if workspace else f"{spec.name} (by default)"
        yield ("endpoint", spec.endpoint.name or default), ("endpoint", "name") if spec.endpoint.name else ("endpoint",)
    if spec.register_ is not None:
        yield ("model", spec.register_.name), ("register", "name")
    if spec.compute is not None and spec.compute.name is not None and not spec.compute.existing:
        yield ("cluster", spec.compute.name), ("compute",)


def _line(loaded: Loaded, path: tuple[str | int, ...]) -> str:
    span = loaded.source.place(Diagnostic("FF183", "", path=path)).span
    return f"{span.file}:{span.line}" if span else str(loaded.path)


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


def _decides(step: Step) -> bool:
    """Whether a step makes a shared object, or changes more of it than who uses it."""
    if not KINDS[step.key.kind].shared or step.action not in WRITES:
        return False
    return step.action is not Action.UPDATE or any(ownership.USED_BY not in change.path for change in step.changes)


def _joined(steps: Sequence[Step], key: ResourceKey, spec: str) -> list[Step]:
    """A plan's own making of a cluster that another spec of the batch makes: it only says that it uses it too."""
    old = [step for step in steps if step.key == key and step.action in WRITES]
    tag = ownership.USED_BY + spec
    change = FieldChange(f"tags.{tag}", None, "true", Action.UPDATE, "shared with another spec of this project")
    name = f"{Action.UPDATE} {key}"
    step = Step(name, key, Action.UPDATE, "made by another spec; also used by this one", changes=(change,), path=old[0].path)
    gone = {entry.id for entry in old}

    def renamed(entry: Step) -> Step:
        needs = tuple(dict.fromkeys(name if need in gone else need for need in entry.depends_on))
        return replace(entry, depends_on=needs)

    kept = [renamed(entry) for entry in steps if entry.id not in gone]
    return [step, *kept]


def _named(step: Step, spec: str, after: Mapping[tuple[str, str], tuple[str, str]], there: set[tuple[str, str]]) -> Step:
    """The step under its spec's name, and behind the write of another spec to the same object."""
    other = after.get((spec, step.id))
    more = [f"{other[0]}: {other[1]}"] if other in there and other is not None else []
    needs = (*(f"{spec}: {need}" for need in step.depends_on), *more)
    return replace(
        step,
        id=f"{spec}: {step.id}",
        depends_on=needs,
        only_if=f"{spec}: {step.only_if}" if step.only_if else "",
        fallback=step.fallback,
    )
