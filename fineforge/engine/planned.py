"""Plan one spec: facts, desired objects, the world, and the plan over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from fineforge.config import pins as locks
from fineforge.config.loaded import Loaded
from fineforge.core.diagnostics import Diagnostic, FineforgeError, Severity, errors
from fineforge.core.facts import DatasetFact, Facts, World
from fineforge.core.gateway import Reader
from fineforge.core.objects import Desired, ResourceKey
from fineforge.core.plan import Mode, Plan
from fineforge.engine import attempts, observe, pinning
from fineforge.engine import data as preparing
from fineforge.engine import facts as live_facts
from fineforge.engine.desired import desired_objects
from fineforge.engine.loaded import at, parameters_of, placed, refuse_target, utc_today
from fineforge.host import worker
from fineforge.planner import Options, checks
from fineforge.planner import plan as make_plan
from fineforge.planner.summary import shown_facts
from fineforge.policies import judge
from fineforge.resources import facts as registry_facts
from fineforge.resources import naming
from fineforge.resources.parameters import Parameter


@dataclass(frozen=True, slots=True)
class Planned:
    plan: Plan
    facts: Facts
    world: World
    desired: tuple[Desired, ...]
    parameters: Mapping[str, Parameter]


def plan(loaded: Loaded, gateway: Reader, mode: Mode = Mode.APPLY, retry_failed: bool = False) -> Planned:
    """What would change. Reads, writes nothing, asks for no secret.

    Raises FineforgeError where the spec cannot be planned at all; what is wrong with single objects is in `plan.diagnostics`.
    """
    target = gateway.workspace.target
    open_spec, loaded = loaded.spec, at(loaded, target)
    refuse_target(loaded, target)
    datasets = preparing.described(loaded) if mode is Mode.APPLY else preparing.described_if_there(loaded)
    asked = pinning.newer(open_spec, loaded.pins, gateway, preparing.resolve) if mode is Mode.APPLY else list
    with placed(loaded):
        live, world, lists = _read(loaded, gateway, datasets, mode)
    facts = locks.hold(live, loaded.pins)
    parameters, problems = parameters_of(loaded, facts)
    found = [*problems, *(_without_retirement(checks.check(loaded.spec, facts, parameters, target)))]
    if mode is Mode.APPLY and errors(found):
        raise FineforgeError(*loaded.place(found))
    named = partial(naming.identify, loaded.spec, facts, parameters)
    world = _only(world, named(1).keys)
    attempt, world = attempts.attempt_that_counts(gateway, named, world, loaded.spec.job.retries, retry_failed)
    desired = desired_objects(loaded, facts, parameters, attempt)
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
    return Planned(judge.judged(made, loaded, worker.run), facts, world, desired, parameters)


def _shown(loaded: Loaded, gateway: Reader, facts: Facts, parameters: Mapping[str, Parameter], mode: Mode) -> dict[str, Any]:
    checked = preparing.checked(facts.datasets) if mode is Mode.APPLY else {}
    return shown_facts(gateway.workspace, facts, parameters, checked)


def _read(loaded: Loaded, gateway: Reader, datasets: Mapping[str, Any], mode: Mode) -> tuple[Facts, World, live_facts.Lists]:
    """Facts, and in the same wave every object by the name that it has if the facts are those of the snapshot and the pins.

    Where many plans share the facts, they are here already, and nothing has to be guessed.
    """
    if gateway.parallel == 1:
        live = live_facts.read_facts(gateway, loaded.spec, utc_today(), datasets)
        return live, World({}), {}
    guess, _ = registry_facts.snapshot_facts(loaded.spec, utc_today(), datasets, gateway.workspace.id, loaded.pins)
    early = naming.identify(loaded.spec, guess, parameters_of(loaded, guess)[0])
    lists: list[tuple[str, str | None]] = []
    if mode is Mode.APPLY:
        lists += [("deployment", early.endpoint.name)] if early.endpoint else []
        lists += [("job", loaded.whose)] if early.job else []
    return live_facts.survey(gateway, loaded.spec, utc_today(), datasets, early.keys, lists)


def _only(world: World, keys: tuple[ResourceKey, ...]) -> World:
    """What was read by a name that turned out to be another one is forgotten: it cost a read, and nothing else."""
    observed = {key: have for key, have in world.observed.items() if key in keys}
    return World(observed, world.listed, {key: found for key, found in world.unread.items() if key in keys})


def _blank(gateway: Reader, datasets: Mapping[str, DatasetFact]) -> Facts:
    """Facts before anything was read: enough for the names that depend on the spec and the workspace alone."""
    return Facts(gateway.workspace.id, "", utc_today(), None, None, {}, datasets)


def _lists(loaded: Loaded, gateway: Reader, desired: Sequence[Desired], world: World, mode: Mode) -> list[tuple[str, str | None]]:
    """What must be listed. To destroy, data is found by its name: the files that its version stands for may be gone."""
    keys = [want.key for want in desired]
    if mode is Mode.APPLY:
        return observe.lists_for_apply(world, keys, loaded.whose)
    splits = loaded.spec.dataset.splits.made() if loaded.spec.dataset else {}
    unknown = {split: DatasetFact(split, "", "", {}) for split in splits}
    named = naming.identify(loaded.spec, _blank(gateway, unknown), {})
    return observe.lists_for_destroy([*keys, *named.data.values()], loaded.whose)


def _without_retirement(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Retirement stops a plan only where a job must be created; the planner asks."""
    return [d for d in found if not (d.code == "FF141" and d.severity is Severity.ERROR)]
