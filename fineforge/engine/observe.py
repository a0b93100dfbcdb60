"""Observe the world: read the objects of a spec through a gateway. A failed read is never taken for absence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from fineforge.config.loaded import TargetedSpec
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.facts import DatasetFact, Facts, World
from fineforge.core.gateway import Reader
from fineforge.core.objects import Observed, ResourceKey, Status
from fineforge.core.plan import Mode
from fineforge.engine.facts import GatheredFacts, Lists, observe_one, read_all
from fineforge.planner.attempts import attempt_after, has_ended_badly, without_lost
from fineforge.resources.kinds import KINDS
from fineforge.resources.naming import Identity, identify


@dataclass(frozen=True, slots=True)
class Observation:
    """The world as far as it concerns a spec, and the names of the spec's objects with the attempt of the job that counts."""

    names: Identity
    world: World


def observe_world(
    spec: TargetedSpec, gathered: GatheredFacts, gateway: Reader, mode: Mode, retry_failed: bool = False
) -> Observation:
    """Read every object of the spec, and the lists that a plan of this mode needs. What cannot be read is `unread`."""
    first = gathered.identify(spec)
    ahead = gathered.ahead.world if gathered.ahead else World({})
    observed = {key: raw for key, raw in ahead.observed.items() if key in first.keys}
    world = World(observed, unread={key: problem for key, problem in ahead.unread.items() if key in first.keys})
    names, world = find_attempt(gateway, partial(gathered.identify, spec), world, spec.spec.job.retries, retry_failed)
    world = read_world(gateway, names.keys, world)
    if mode is Mode.APPLY:
        lists = lists_for_apply(world, names.keys, spec.whose)
    else:
        lists = lists_for_destroy([*names.keys, *_data_by_name(spec, gateway)], spec.whose)
    return Observation(names, add_listed(gateway, world, lists, gathered.ahead.lists if gathered.ahead else {}))


def _data_by_name(spec: TargetedSpec, gateway: Reader) -> list[ResourceKey]:
    """Return the data assets by name alone: the files that a version is made from may be gone by the time of a destroy."""
    splits = spec.spec.dataset.splits.made() if spec.spec.dataset else {}
    unknown = {split: DatasetFact(split, "", "", {}) for split in splits}
    facts = Facts(gateway.workspace.id, "", "", None, None, {}, unknown)
    return list(identify(spec.spec, facts, {}).data.values())


def find_attempt(
    gateway: Reader, identify_attempt: Callable[[int], Identity], world: World, retries: int, retry_failed: bool
) -> tuple[Identity, World]:
    """Return the names with the last attempt of the job that exists, or the next one where a retry is due, and the world with
    what was read to find it.

    `retries` of the spec covers failures of the platform. A mistake in the spec would fail again, and is not paid for twice.
    """
    attempt, previous = 1, None
    while True:
        names = identify_attempt(attempt)
        if names.job is None:
            return names, world
        others = [key for key in (names.model, names.deployment) if key is not None] if attempt == 1 else []
        world = read_world(gateway, [names.job, *others], world)
        job = world.observed.get(names.job)
        if names.job in world.unread or (job is not None and not has_ended_badly(job)):
            return names, world
        if job is None:
            return identify_attempt(attempt_after(attempt, previous, retries, retry_failed)), world
        attempt, previous = attempt + 1, job


def read_world(gateway: Reader, keys: Iterable[ResourceKey], seen: World | None = None) -> World:
    """Point GETs of every key, all at once; keys that `seen` holds already, read or unread, are not read again."""
    seen = seen or World({})
    wanted = [key for key in dict.fromkeys(keys) if key not in seen.observed and key not in seen.unread]
    found, problems = read_all(gateway, {key: partial(observe_one, gateway, key) for key in wanted})
    return World({**seen.observed, **found}, seen.listed, {**seen.unread, **problems})


def add_listed(gateway: Reader, world: World, lists: Iterable[tuple[str, str | None]], read: Lists) -> World:
    """The world with whole lists added: (kind, parent), from `read` where they are in it. What a point GET said, or could not
    say, stays; lists lag behind it."""
    wanted = dict.fromkeys(lists)
    found, problems = read_all(gateway, {entry: partial(gateway.list, *entry) for entry in wanted if entry not in read})
    found = {entry: read[entry] if entry in read else found[entry] for entry in wanted if entry in read or entry in found}
    observed = dict(world.observed)
    for raws in found.values():
        for key, raw in raws.items():
            if key not in world.observed and key not in world.unread:
                observed[key] = KINDS[key.kind].observe(key, raw)
    unread = {ResourceKey(kind, parent or "(all)"): diagnostic for (kind, parent), diagnostic in problems.items()}
    complete = {kind for kind, _ in found} - {kind for kind, _ in problems}
    return World(without_lost(observed), world.listed | complete, {**world.unread, **unread})


def lists_for_apply(world: World, keys: Iterable[ResourceKey], whose: str) -> list[tuple[str, str | None]]:
    """What must be listed to plan an apply: the endpoint's deployments where it exists; the jobs of the spec (`whose`:
    `project/spec`), for one that is not wanted any more may run even where all else is as it should be; older versions only where
    something new is about to be made."""
    wanted: list[tuple[str, str | None]] = []
    for key in keys:
        have = world.observed.get(key)
        if key.kind == "endpoint" and have is not None:
            wanted.append(("deployment", key.name))
        if have is None and key not in world.unread and key.kind in ("data", "model"):
            wanted.append((key.kind, key.name))
        if key.kind == "job":
            wanted.append(("job", whose))
    return wanted


def lists_for_destroy(keys: Iterable[ResourceKey], whose: str) -> list[tuple[str, str | None]]:
    """Everything that may be ours: all versions of our assets, all our jobs, all deployments of our endpoint."""
    wanted: list[tuple[str, str | None]] = [("job", whose)]
    for key in keys:
        if key.kind in ("data", "model"):
            wanted.append((key.kind, key.name))
        if key.kind == "endpoint":
            wanted.append(("deployment", key.name))
    return wanted


def read_ours(gateway: Reader, project: str) -> World:
    """Every object that carries the project's owner tags, found by reading everything; what cannot be read is raised.

    Lists lag behind writes: what was made a moment ago may be missing.
    """
    assets = [(kind, name) for kind in ("data", "model") for name in gateway.names(kind)]
    kinds: list[tuple[str, str | None]] = [("compute", None), ("endpoint", None), ("job", None), *assets]
    found, problems = read_all(gateway, {entry: partial(gateway.list, *entry) for entry in kinds})
    if problems:
        raise FineforgeError(*problems.values())
    endpoints = [("deployment", key.name) for key in found["endpoint", None]]
    inside, problems = read_all(gateway, {entry: partial(gateway.list, *entry) for entry in endpoints})
    if problems:
        raise FineforgeError(*problems.values())
    observed: dict[ResourceKey, Observed | None] = {
        key: KINDS[key.kind].observe(key, raw) for raws in (*found.values(), *inside.values()) for key, raw in raws.items()
    }
    ours = {key.name for key, have in observed.items() if have and have.owner and have.owner.project == project}
    kept = {
        key: have
        for key, have in observed.items()
        if have is not None and (key.parent in ours or (have.owner is not None and have.owner.project == project))
    }
    return World(kept, frozenset(KINDS))


def cluster_size(world: World) -> str | None:
    """The size of the spec's cluster as it is; None where there is none, or it was not read."""
    clusters = (have for key, have in world.observed.items() if key.kind == "compute" and have is not None)
    return next((str(have.document["size"]) for have in clusters if have.document.get("size")), None)


def read_gate_metrics(spec: TargetedSpec, facts: Facts, observation: Observation, gateway: Reader) -> Facts:
    """Return the facts with the finished job's metrics, read only where a gate will need them: the model does not exist yet."""
    if not spec.spec.gates.metrics or (facts.model is not None and facts.model.twin):
        return facts
    job, model = observation.names.job, observation.names.model
    if job is None or model is None or observation.world.observed.get(model) is not None:
        return facts
    finished = observation.world.observed.get(job)
    if finished is None or finished.status is not Status.COMPLETED:
        return facts
    metrics = {name: series.last for name, series in gateway.read_metrics(job.name).items()}
    return replace(facts, metrics={name: value for name, value in metrics.items() if value is not None})
