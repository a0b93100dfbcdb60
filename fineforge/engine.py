"""The library API: what the command line does, for programs. Prints nothing, asks nothing, exits nowhere.

    loaded = engine.load(Path("specs/quickstart.yaml"))
    with engine.connect(loaded, "local") as gateway:
        planned = engine.plan(loaded, gateway)
        outcome = engine.apply(planned.plan, loaded, gateway, print)

Every function raises `FineforgeError` with placed diagnostics; `exit_code` on it is what a command should end with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from fineforge import apply as applying
from fineforge import (
    checks,
    finding,
    git,
    identity,
    leasing,
    locking,
    observe,
    params,
    planfile,
    preparing,
    project,
    reaching,
)
from fineforge import lock as locks
from fineforge.core import DatasetFact, Desired, Event, Facts, Mode, Outcome, Plan, ResourceKey, World
from fineforge.diagnostics import Diagnostic, FineforgeError, Severity, errors, refused
from fineforge.following import tell_log
from fineforge.gateway import LOCAL, Gateway, Reader
from fineforge.gating import answer_text, chat_request
from fineforge.kinds import Context, desired_all
from fineforge.loading import Loaded, at, load, only_target
from fineforge.locking import Moved
from fineforge.params import Parameter
from fineforge.planner import Options, check_plan
from fineforge.planner import plan as make_plan
from fineforge.policies import judging, reading
from fineforge.render import Templates
from fineforge.series import Series
from fineforge.showing import State, shown_facts, states

if TYPE_CHECKING:
    from fineforge.dataset import Progress


__all__ = [
    "Loaded",
    "Moved",
    "Planned",
    "State",
    "Validated",
    "apply",
    "at",
    "connect",
    "data",
    "deployment_log",
    "invoke",
    "leased",
    "load",
    "lock",
    "logs",
    "metrics",
    "outcome_exit_code",
    "plan",
    "render",
    "status",
    "validate",
]


@dataclass(frozen=True, slots=True)
class Validated:
    """What can be said without a network."""

    parameters: Mapping[str, Parameter]
    facts: Facts
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    plan: Plan
    facts: Facts
    world: World
    desired: tuple[Desired, ...]
    parameters: Mapping[str, Parameter]


def validate(loaded: Loaded, target: str | None = None, today: str | None = None) -> Validated:
    """Every check that needs no network, against the dated snapshot of the catalog. Errors are in the result, none is raised."""
    target = target or only_target(loaded)
    loaded = at(loaded, target)
    found: list[Diagnostic] = []
    datasets = {}
    try:
        datasets = preparing.described(loaded)
    except FineforgeError as error:
        found += error.diagnostics
    facts, unknown = observe.snapshot_facts(loaded.spec, today or _today(), datasets, "/offline", loaded.pins)
    found += unknown
    parameters, problems = _parameters(loaded, facts)
    found += problems
    found += checks.check(loaded.spec, facts, parameters, target)
    found += [problem for book in reading.books(loaded.project) for problem in book.problems]
    if loaded.project.templates is not None and not errors(found):  # those that are shipped raise nothing; somebody's own may
        try:
            _desired(loaded, facts, parameters)
        except FineforgeError as error:
            found += error.diagnostics
    return Validated(parameters, facts, loaded.place(found))


def connect(loaded: Loaded, target: str | None = None) -> AbstractContextManager[Gateway]:
    """A gateway to the target. The target `local` is the emulator, which must run (FF701)."""
    name = loaded.project.target(target)
    if name != LOCAL:
        _refuse_target(loaded, name)
    return reaching.reach(loaded.project, name)


def plan(loaded: Loaded, gateway: Reader, mode: Mode = Mode.APPLY, retry_failed: bool = False) -> Planned:
    """What would change. Reads, writes nothing, asks for no secret.

    Raises FineforgeError where the spec cannot be planned at all; what is wrong with single objects is in `plan.diagnostics`.
    """
    target = gateway.workspace.target
    open_spec, loaded = loaded.spec, at(loaded, target)
    _refuse_target(loaded, target)
    datasets = preparing.described(loaded) if mode is Mode.APPLY else preparing.described_if_there(loaded)
    asked = locking.newer(open_spec, loaded.pins, gateway, preparing.resolve) if mode is Mode.APPLY else list
    with _placed(loaded):
        live, world, lists = _read(loaded, gateway, datasets, mode)
    facts = locks.hold(live, loaded.pins)
    parameters, problems = _parameters(loaded, facts)
    found = [*problems, *(_without_retirement(checks.check(loaded.spec, facts, parameters, target)))]
    if mode is Mode.APPLY and errors(found):
        raise FineforgeError(*loaded.place(found))
    named = partial(identity.identify, loaded.spec, facts, parameters)
    world = _only(world, named(1).keys)
    attempt, world = finding.attempt_that_counts(gateway, named, world, loaded.spec.job.retries, retry_failed)
    desired = _desired(loaded, facts, parameters, attempt)
    world = observe.read_world(gateway, [want.key for want in desired], world)
    world = observe.add_listed(gateway, world, _lists(loaded, gateway, desired, world, mode), lists)
    seen = checks.check_seen(loaded.spec, facts, parameters, observe.cluster_size(world))
    if mode is Mode.APPLY and errors(seen):
        raise FineforgeError(*loaded.place(seen))
    facts = observe.with_metrics(gateway, loaded.spec, facts, [want.key for want in desired], world)
    options = Options(loaded.project_name, target)
    made = make_plan(loaded.spec, desired, facts, world, mode, options, _shown(loaded, gateway, facts, parameters, mode))
    notes = [d for d in (*found, *seen) if d.severity is Severity.WARNING] if mode is Mode.APPLY else []
    notes += [*locks.moved(live, loaded.pins), *asked()] if mode is Mode.APPLY else []
    made = replace(made, diagnostics=loaded.place([*notes, *made.diagnostics]))
    return Planned(judging.judged(made, loaded), facts, world, desired, parameters)


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
    `fineforge.leasing.ensured`; `progress`: `fineforge.dataset.Progress`.

    Raises FineforgeError before anything is written where the plan has errors, breaks its contract, or rows are bad. What happens
    to single steps is in the outcome.
    """
    loaded = at(loaded, gateway.workspace.target)
    made = judging.judged(made, loaded)
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
    """The apply lease of the plan's spec, for as long as the block lasts; see `fineforge.leasing.ensured`."""
    return leasing.ensured(lease, made, loaded.owner, loaded.path.parent, gateway, stop)


def status(loaded: Loaded, gateway: Reader) -> tuple[State, ...]:
    """Every object of the spec as it is, and what costs money now. What could not be read is raised, for it is not absent."""
    loaded = at(loaded, gateway.workspace.target)
    planned = plan(loaded, gateway, Mode.DESTROY)
    if planned.world.unread:
        raise FineforgeError(*planned.world.unread.values())
    wanted = [want.key for want in planned.desired]
    return states(wanted, planned.world, loaded.owner, planned.facts, loaded.spec)


def logs(
    loaded: Loaded,
    gateway: Gateway,
    write: Callable[[str], None],
    attempt: int | None = None,
    follow: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Writes the job's log line by line; with `follow` until the job is over. FF421 where there is no such job."""
    tell_log(_job(loaded, gateway, attempt).name, gateway, write, follow, stopped)


def deployment_log(loaded: Loaded, gateway: Gateway, lines: int) -> str:
    """The last lines of the log of the deployment's container. FF420 while it comes or goes."""
    key = finding.find_deployment(gateway, _named(loaded, gateway), loaded.owner)
    return gateway.read_deployment_log(key, lines)


def metrics(loaded: Loaded, gateway: Gateway, attempt: int | None = None) -> tuple[ResourceKey, Mapping[str, Series]]:
    """The job, and its metrics by name. FF421 where there is no such job."""
    job = _job(loaded, gateway, attempt)
    return job, gateway.read_metrics(job.name)


def lock(specs: Sequence[Loaded], gateway: Reader, upgrade: Sequence[str] = ()) -> tuple[locks.Lock, tuple[Moved, ...]]:
    """The lock of the specs' project with all that they need at this target, and what moved. Writes no file.

    `upgrade`: see `fineforge.locking.pin`. Raises FF172 where the specs are of several projects.
    """
    first = specs[0].lock
    if len({loaded.lock.path.resolve() for loaded in specs}) > 1:
        message, hint = "these specs belong to several projects, which have a lock file each", "lock each project's by themselves"
        raise FineforgeError(Diagnostic("FF172", message, hint=hint))
    target = gateway.workspace.target
    for loaded in specs:
        _refuse_target(loaded, target)
    try:
        pins, moves = locking.pin([loaded.spec for loaded in specs], first.at(target), gateway, preparing.resolve, upgrade)
    except FineforgeError as error:
        raise FineforgeError(*specs[0].place(error.diagnostics)) from None
    return replace(first, targets={**first.targets, target: pins}), moves


def invoke(
    loaded: Loaded, gateway: Gateway, messages: list[dict[str, str]], parameters: Mapping[str, Any], deployment: str | None
) -> str:
    """The deployed model's answer. Raises FF404 where there is no endpoint, FF4xx as the service refuses."""
    if loaded.spec.endpoint is None:
        raise FineforgeError(*loaded.place([Diagnostic("FF121", "`endpoint` is missing", hint="this spec deploys nothing")]))
    name = loaded.spec.endpoint.name or identity.default_endpoint_name(loaded.spec.name, gateway.workspace.id)
    return answer_text(gateway.invoke(name, deployment, chat_request(messages, parameters)))


def data(loaded: Loaded, target: str | None = None, progress: Progress | None = None) -> preparing.Data:
    """Prepares every split and checks its rows; uploads nothing, and asks no workspace. Raises every split's errors at once."""
    loaded = at(loaded, target or only_target(loaded))
    model = observe.snapshot_facts(loaded.spec, _today(), {}, "/offline", loaded.pins)[0].model
    return preparing.prepared(loaded, model.context_length if model else None, progress)


def render(loaded: Loaded, target: str | None = None) -> tuple[Desired, ...]:
    """The YAML of every object, offline. Raises every error of the spec at once."""
    validated = validate(loaded, target)
    if broken := errors(validated.diagnostics):
        raise FineforgeError(*broken)
    loaded = at(loaded, target or only_target(loaded))
    return _desired(loaded, validated.facts, validated.parameters)


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


def _shown(loaded: Loaded, gateway: Reader, facts: Facts, parameters: Mapping[str, Parameter], mode: Mode) -> dict[str, Any]:
    checked = preparing.checked(facts.datasets) if mode is Mode.APPLY else {}
    return shown_facts(gateway.workspace, facts, parameters, checked)


def _job(loaded: Loaded, gateway: Reader, attempt: int | None) -> ResourceKey:
    return finding.find_job(gateway, _named(loaded, gateway), loaded.owner, attempt)


def _named(loaded: Loaded, gateway: Reader) -> finding.Named:
    """The names of the spec's objects, whatever there is of them."""
    loaded = at(loaded, gateway.workspace.target)
    with _placed(loaded):
        facts = locks.hold(observe.read_facts(gateway, loaded.spec, _today(), preparing.described(loaded)), loaded.pins)
    parameters, _ = _parameters(loaded, facts)
    return partial(identity.identify, loaded.spec, facts, parameters)


def _read(loaded: Loaded, gateway: Reader, datasets: Mapping[str, Any], mode: Mode) -> tuple[Facts, World, observe.Lists]:
    """Facts, and in the same wave every object by the name that it has if the facts are those of the snapshot and the pins.

    Where many plans share the facts, they are here already, and nothing has to be guessed.
    """
    if gateway.parallel == 1:
        live = observe.read_facts(gateway, loaded.spec, _today(), datasets)
        return live, World({}), {}
    guess, _ = observe.snapshot_facts(loaded.spec, _today(), datasets, gateway.workspace.id, loaded.pins)
    early = identity.identify(loaded.spec, guess, _parameters(loaded, guess)[0])
    lists: list[tuple[str, str | None]] = []
    if mode is Mode.APPLY:
        lists += [("deployment", early.endpoint.name)] if early.endpoint else []
        lists += [("job", loaded.whose)] if early.job else []
    return observe.survey(gateway, loaded.spec, _today(), datasets, early.keys, lists)


def _only(world: World, keys: tuple[ResourceKey, ...]) -> World:
    """What was read by a name that turned out to be another one is forgotten: it cost a read, and nothing else."""
    observed = {key: have for key, have in world.observed.items() if key in keys}
    return World(observed, world.listed, {key: found for key, found in world.unread.items() if key in keys})


def _blank(gateway: Reader, datasets: Mapping[str, DatasetFact]) -> Facts:
    """Facts before anything was read: enough for the names that depend on the spec and the workspace alone."""
    return Facts(gateway.workspace.id, "", _today(), None, None, {}, datasets)


def _lists(loaded: Loaded, gateway: Reader, desired: Sequence[Desired], world: World, mode: Mode) -> list[tuple[str, str | None]]:
    """What must be listed. To destroy, data is found by its name: the files that its version stands for may be gone."""
    keys = [want.key for want in desired]
    if mode is Mode.APPLY:
        return observe.lists_for_apply(world, keys, loaded.whose)
    splits = loaded.spec.dataset.splits.made() if loaded.spec.dataset else {}
    unknown = {split: DatasetFact(split, "", "", {}) for split in splits}
    named = identity.identify(loaded.spec, _blank(gateway, unknown), {})
    return observe.lists_for_destroy([*keys, *named.data.values()], loaded.whose)


def _desired(loaded: Loaded, facts: Facts, parameters: Mapping[str, Parameter], attempt: int = 1) -> tuple[Desired, ...]:
    named = identity.identify(loaded.spec, facts, parameters, attempt)
    tags = {**loaded.project.tags, **loaded.spec.tags}
    source = git.source(loaded.path.resolve().parent)
    context = Context(loaded.spec, facts, named, parameters, loaded.project_name, tags, source)
    with _placed(loaded):
        own = loaded.project.templates
        places = (project.shown_path(own),) if own else ()
        return desired_all(context, Templates(project.templates(loaded.project), *places))


@contextmanager
def _placed(loaded: Loaded) -> Iterator[None]:
    """What is raised inside about a key of the spec gets its place in the file."""
    try:
        yield
    except FineforgeError as error:
        raise FineforgeError(*loaded.place(error.diagnostics), exit_code=error.exit_code) from None


def _parameters(loaded: Loaded, facts: Facts) -> tuple[dict[str, Parameter], tuple[Diagnostic, ...]]:
    return params.resolve(loaded.spec, facts, loaded.project.training, loaded.overrides)


def _refuse_target(loaded: Loaded, target: str) -> None:
    if found := checks.wrong_target(loaded.spec, target):
        raise FineforgeError(*loaded.place(found))


def _without_retirement(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Retirement stops a plan only where a job must be created; the planner asks."""
    return [d for d in found if not (d.code == "FF141" and d.severity is Severity.ERROR)]


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
