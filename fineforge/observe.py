"""Reading the world and the facts through a gateway: in parallel, nothing twice, and a failed read is never taken for absence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, TypeVar

from fineforge.catalog import snapshot
from fineforge.catalog.facts import ComponentFact, ModelFact, SizeFact
from fineforge.catalog.parse import parse_component, parse_model, parse_sizes
from fineforge.core import DatasetFact, Facts, Observed, Raw, ResourceKey, Status, World
from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.gateway import READS, Reader
from fineforge.kinds import KINDS
from fineforge.lock import Pins, hold, offline
from fineforge.spec import Spec

T = TypeVar("T")
Lists = Mapping[tuple[str, str | None], Mapping[ResourceKey, Raw]]
"""(kind, parent) -> all objects of the list, as they were read."""


@dataclass(frozen=True, slots=True)
class ComponentName:
    registry: str
    name: str
    version: str | None


def component_name(spec: Spec) -> ComponentName:
    """The component that the spec uses: named, given by id, or chosen by the task."""
    component = spec.component
    if component.id is not None:
        parts = component.id.removeprefix("azureml://registries/").split("/")
        return ComponentName(parts[0], parts[2], parts[4])
    return ComponentName(component.registry, component.name or snapshot.TASK_COMPONENTS[spec.task], component.version)


def read_facts(gateway: Reader, spec: Spec, today: str, datasets: Mapping[str, DatasetFact]) -> Facts:
    """Model, component, sizes and region, read at once. Raises FineforgeError with every read that failed."""
    return survey(gateway, spec, today, datasets)[0]


def survey(
    gateway: Reader,
    spec: Spec,
    today: str,
    datasets: Mapping[str, DatasetFact],
    keys: Iterable[ResourceKey] = (),
    lists: Iterable[tuple[str, str | None]] = (),
) -> tuple[Facts, World, Lists]:
    """Facts, objects by point GETs, and whole lists, all in one wave. Raises FineforgeError with every fact that cannot be read;
    an object that cannot be is `unread`, a list is left out."""
    facts: dict[Any, Callable[[], Any]] = {"location": gateway.location, "sizes": lambda: _sizes(gateway)}
    if spec.trains:
        facts["model"] = lambda: _model(gateway, spec)
        facts["component"] = lambda: _component(gateway, spec)
    objects: dict[Any, Callable[[], Any]] = {key: partial(_observe, gateway, key) for key in dict.fromkeys(keys)}
    whole: dict[Any, Callable[[], Any]] = {entry: partial(gateway.list, *entry) for entry in dict.fromkeys(lists)}
    found, problems = read_all(gateway, {**facts, **objects, **whole})
    if missing := [_placed(problems[name], spec, name) for name in facts if name in problems]:
        raise FineforgeError(*missing)
    known = Facts(
        workspace_id=gateway.workspace.id,
        location=found["location"],
        today=today,
        model=found.get("model"),
        component=found.get("component"),
        sizes=found["sizes"],
        datasets=datasets,
    )
    unread = {key: problems[key] for key in objects if key in problems}
    world = World({key: found[key] for key in objects if key in found}, frozenset(), unread)
    return known, world, {entry: found[entry] for entry in whole if entry in found}


def _placed(problem: Diagnostic, spec: Spec, fact: str) -> Diagnostic:
    """A registry that is not there is named by the spec."""
    if problem.code != "FF404" or problem.path or fact not in ("model", "component"):
        return problem
    by_id = fact == "component" and spec.component.id is not None
    return replace(problem, path=(fact, "id" if by_id else "registry"))


def snapshot_facts(
    spec: Spec, today: str, datasets: Mapping[str, DatasetFact], workspace_id: str, pins: Pins | None = None
) -> tuple[Facts, tuple[Diagnostic, ...]]:
    """Facts without a network: from the dated snapshot, and what was pinned; what neither holds is None and said."""
    known, pins = snapshot.load(), pins or Pins()
    name = component_name(spec)
    model = known.models.get((spec.model.name or "", spec.model.version or "")) if spec.trains else None
    component = known.components.get((name.name, name.version or "")) if spec.trains else None
    facts = Facts(workspace_id, "eastus", today, model, component, known.sizes, datasets)
    facts = hold(offline(facts, spec, pins, name.name), pins)
    problems = [unknown_model(spec)] if spec.trains and facts.model is None else []
    problems += [unknown_component(spec)] if spec.trains and facts.component is None else []
    return facts, tuple(problems)


def unknown_model(spec: Spec) -> Diagnostic:
    """FF146: near names, or near versions, of the snapshot."""
    known = snapshot.load().models
    name, version = spec.model.name or "", spec.model.version
    versions = [v for n, v in known if n == name]
    if versions or (version is None and name):
        listed = ", ".join(f"`{entry}`" for entry in versions)
        message = f"`{name}` has no version `{version}`" if version else "`model.version` is missing"
        hint = f"known: {listed}" if version else f"`fineforge lock` pins the latest{'; known: ' + listed if listed else ''}"
        return Diagnostic("FF146", message, path=("model", "version") if version else ("model",), hint=hint)
    near = snapshot.near_names(name, {n for n, _ in known})
    hint = (
        "did you mean " + " or ".join(f"`{entry}`" for entry in near) + "?" if near else "`fineforge explain models` lists them"
    )
    return Diagnostic(
        "FF146", f"there is no model `{name}` in registry `{spec.model.registry}`", path=("model", "name"), hint=hint
    )


def unknown_component(spec: Spec) -> Diagnostic:
    name = component_name(spec)
    known = [v for n, v in snapshot.load().components if n == name.name]
    listed = ", ".join(f"`{entry}`" for entry in known)
    if name.version is None:
        hint = f"`fineforge lock` pins the latest{'; known: ' + listed if listed else ''}"
        return Diagnostic("FF147", "`component.version` is missing", path=("component",), hint=hint)
    message = f"registry `{name.registry}` has no component `{name.name}` version `{name.version}`"
    path = ("component", "version") if spec.component.id is None else ("component", "id")
    return Diagnostic("FF147", message, path=path, hint=f"known: {listed}" if listed else "")


def read_world(gateway: Reader, keys: Iterable[ResourceKey], seen: World | None = None) -> World:
    """Point GETs of every key, all at once; keys that `seen` holds already, read or unread, are not read again."""
    seen = seen or World({})
    wanted = [key for key in dict.fromkeys(keys) if key not in seen.observed and key not in seen.unread]
    found, problems = read_all(gateway, {key: partial(_observe, gateway, key) for key in wanted})
    return World({**seen.observed, **found}, seen.listed, {**seen.unread, **problems})


def add_listed(gateway: Reader, world: World, lists: Iterable[tuple[str, str | None]], read: Lists) -> World:
    """The world with whole lists added: (kind, parent), from `read` where they are in it. What a point GET said, or could not
    say, stays; lists lag behind it."""
    wanted = dict.fromkeys(lists)
    found, problems = read_all(gateway, {entry: partial(gateway.list, *entry) for entry in wanted if entry not in read})
    found |= {entry: read[entry] for entry in wanted if entry in read}
    observed = dict(world.observed)
    for raws in found.values():
        for key, raw in raws.items():
            if key not in world.observed and key not in world.unread:
                observed[key] = KINDS[key.kind].observe(key, raw)
    unread = {ResourceKey(kind, parent or "(all)"): diagnostic for (kind, parent), diagnostic in problems.items()}
    complete = {kind for kind, _ in found} - {kind for kind, _ in problems}
    return World(_without_lost(observed), world.listed | complete, {**world.unread, **unread})


def _without_lost(observed: Mapping[ResourceKey, Observed | None]) -> Mapping[ResourceKey, Observed | None]:
    """A deployment whose endpoint does not exist is gone too: it was read a moment before the endpoint's deletion ended."""
    gone = {key.name for key, have in observed.items() if key.kind == "endpoint" and have is None}
    return {key: None if key.kind == "deployment" and key.parent in gone else have for key, have in observed.items()}


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


def with_metrics(gateway: Reader, spec: Spec, facts: Facts, keys: Iterable[ResourceKey], world: World) -> Facts:
    """The finished job's metrics, read only where a gate will ask for them: the model is not there yet."""
    if not spec.gates.metrics or (facts.model is not None and facts.model.twin):
        return facts
    wanted = {key.kind: key for key in keys if key.kind in ("job", "model")}
    job, model = wanted.get("job"), wanted.get("model")
    done = world.observed.get(job) if job else None
    if (
        job is None
        or model is None
        or world.observed.get(model) is not None
        or done is None
        or done.status is not Status.COMPLETED
    ):
        return facts
    found = {name: series.last for name, series in gateway.read_metrics(job.name).items()}
    return replace(facts, metrics={name: value for name, value in found.items() if value is not None})


def _observe(gateway: Reader, key: ResourceKey) -> Observed | None:
    raw = gateway.get(key)
    if raw is None:
        return None
    have = KINDS[key.kind].observe(key, raw)
    if have.status is Status.FAILED and not have.message:
        raw = gateway.wait(key, lambda _: None, lambda: True) or raw
        have = KINDS[key.kind].observe(key, raw)
    return have


def _model(gateway: Reader, spec: Spec) -> ModelFact:
    name, version = spec.model.name or "", spec.model.version
    raw = gateway.read_model(spec.model.registry, name, version) if version else None
    if raw is None:
        raise FineforgeError(unknown_model(spec))
    return _parsed(raw, spec.model.registry, lambda: parse_model(raw, spec.model.registry, "live"))


def _component(gateway: Reader, spec: Spec) -> ComponentFact:
    name = component_name(spec)
    raw = gateway.read_component(name.registry, name.name, name.version) if name.version else None
    if raw is None:
        raise FineforgeError(unknown_component(spec))
    return _parsed(raw, name.registry, lambda: component_fact(raw, name.registry))


def component_fact(raw: Raw, registry: str) -> ComponentFact:
    """What a registry says of a component, and the snapshot beyond it: which inputs no step reads."""
    fact = parse_component(raw, registry, "live")
    known = snapshot.load().components.get((fact.name, fact.version))
    unused = [entry.name for entry in known.inputs.values() if not entry.used] if known else []
    return parse_component(raw, registry, "live", unused)


def _sizes(gateway: Reader) -> Mapping[str, SizeFact]:
    raw = gateway.read_sizes()
    return _parsed(raw, "", lambda: parse_sizes(raw, snapshot.sizes()))


def _parsed(raw: Raw, registry: str, parse: Callable[[], T]) -> T:
    """What a body says, told apart by the object and not by what is in it: specs that share a read share what came of it."""
    known = _PARSED.get((id(raw), registry))
    if known is None:
        if len(_PARSED) >= MOST_PARSED:
            _PARSED.clear()
        known = _PARSED[id(raw), registry] = (raw, parse())
    fact: T = known[1]
    return fact


MOST_PARSED = 64
_PARSED: dict[tuple[int, str], tuple[Raw, Any]] = {}
"""Identity of a body -> the body, which must live for its identity to mean it, and what it says."""


def read_all(gateway: Reader, calls: Mapping[Any, Callable[[], T]]) -> tuple[dict[Any, T], dict[Any, Diagnostic]]:
    """Runs the calls, as many at once as the gateway takes; results by key, and the first diagnostic of each that failed.

    A call may wait for a network, never for another call of here: all share one pool of threads.
    """
    found: dict[Any, T] = {}
    problems: dict[Any, Diagnostic] = {}
    in_turn = len(calls) == 1 or gateway.parallel == 1
    futures = {key: call if in_turn else _readers().submit(call).result for key, call in calls.items()}
    for key, result in futures.items():
        try:
            found[key] = result()
        except FineforgeError as error:
            problems[key] = error.diagnostics[0]
    return found, problems


@cache
def _readers() -> ThreadPoolExecutor:
    """Made once: a thousand plans of the same process would else make a thousand pools."""
    return ThreadPoolExecutor(READS, thread_name_prefix="read")
