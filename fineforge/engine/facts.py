"""Reading the world and the facts through a gateway: in parallel, nothing twice, and a failed read is never taken for absence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from typing import Any, TypeVar

from fineforge.catalog import snapshot
from fineforge.catalog.facts import ComponentFact, ModelFact, SizeFact
from fineforge.catalog.parse import parse_model, parse_sizes
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.facts import DatasetFact, Facts, World
from fineforge.core.gateway import READS, Reader
from fineforge.core.objects import Observed, Raw, ResourceKey, Status
from fineforge.resources.facts import component_fact, component_name, unknown_component, unknown_model
from fineforge.resources.kinds import KINDS

T = TypeVar("T")


Lists = Mapping[tuple[str, str | None], Mapping[ResourceKey, Raw]]
"""(kind, parent) -> all objects of the list, as they were read."""


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
    objects: dict[Any, Callable[[], Any]] = {key: partial(observe_one, gateway, key) for key in dict.fromkeys(keys)}
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


def observe_one(gateway: Reader, key: ResourceKey) -> Observed | None:
    raw = gateway.get(key)
    if raw is None:
        return None
    have = KINDS[key.kind].observe(key, raw)
    if have.status is Status.FAILED and not have.message:
        raw = gateway.wait(key, lambda _: None, lambda: True) or raw
        have = KINDS[key.kind].observe(key, raw)
    return have
