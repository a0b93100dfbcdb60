"""Whose objects are: taking some under a spec's wing, letting them go, and those whose spec is gone.

What a step does is the planner's; here belongs reading what it needs to know, for a spec or for a name that no file has any more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from fineforge.config import project, source, spec
from fineforge.config.loaded import Loaded
from fineforge.config.spec.names import SPEC_NAME
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.facts import Facts, World
from fineforge.core.gateway import Reader
from fineforge.core.objects import Observed, ResourceKey
from fineforge.core.plan import Action, Mode, Plan
from fineforge.engine import loaded as engine_loaded
from fineforge.engine import observe
from fineforge.engine import planned as engine
from fineforge.planner import Options, plan, plan_ownership
from fineforge.planner.summary import shown_facts
from fineforge.policies import judge
from fineforge.resources import ownership
from fineforge.resources.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Orphans:
    """What carries the tags of a spec that nobody wants any more."""

    spec: str
    objects: tuple[Observed, ...]


def adopt(loaded: Loaded, gateway: Reader, objects: Sequence[str]) -> Plan:
    """A plan that makes objects the spec's own. `objects`: `compute`, `endpoint`, `deployment/NAME`. FF190 for any other word."""
    planned = engine.plan(loaded, gateway, Mode.DESTROY)
    known = {want.key.kind: want.key for want in planned.desired if want.key.kind in ("compute", "endpoint")}
    keys, problems = [], []
    for word in objects:
        kind, _, name = word.partition("/")
        key = known.get(kind) if not name or kind != "deployment" else None
        if kind == "deployment" and name and "endpoint" in known:
            key = ResourceKey("deployment", name, parent=known["endpoint"].name)
        if key is None or (name and key.name != name):
            hint = "`compute`, `endpoint` or `deployment/NAME`, as the spec names them; assets and jobs have names of our own"
            problems.append(Diagnostic("FF190", f"`{word}` is nothing that this spec could adopt", hint=hint))
        else:
            keys.append(key)
    if problems:
        raise FineforgeError(*problems)
    return _ownership(loaded, gateway, planned, tuple(keys))


def forget(loaded: Loaded, gateway: Reader, kinds: Sequence[str]) -> Plan:
    """A plan that takes our tags off the spec's objects, all of them or those of some kinds. Nothing is deleted."""
    return _ownership(loaded, gateway, engine.plan(loaded, gateway, Mode.DESTROY), None, tuple(kinds))


def orphans(
    names: Sequence[str], project_name: str, gateway: Reader, wanted: Collection[ResourceKey] = frozenset()
) -> list[Orphans]:
    """Return the project's objects whose spec is none of `names`, grouped by spec.

    Left out: archived objects, objects that the specs of these names want (a cluster may outlive the spec that created it), and
    objects whose tag names a spec that cannot exist. Anybody may write such a tag, and no spec can be planned under it.
    """
    world = observe.read_ours(gateway, project_name)
    found: dict[str, list[Observed]] = {}
    for have in world.observed.values():
        if have is None or have.owner is None or have.owner.project != project_name or have.archived:
            continue
        if have.owner.spec not in names and have.key not in wanted and re.fullmatch(SPEC_NAME, have.owner.spec):
            found.setdefault(have.owner.spec, []).append(have)
    order = list(KINDS)
    return [
        Orphans(name, tuple(sorted(objects, key=lambda have: (order.index(have.key.kind), str(have.key)))))
        for name, objects in sorted(found.items())
    ]


def destroy_plan(name: str, where: project.Project, gateway: Reader) -> tuple[Loaded, Plan]:
    """The plan that takes away what a spec has made, without its file: everything is found by its tags.

    FF191 where the project is not known, or nothing carries the name.
    """
    loaded = nameless(name, where)
    everything = observe.read_ours(gateway, loaded.project_name)
    world = _of(everything, name, loaded.project_name)
    if not any(have is not None and have.owner is not None and have.owner.spec == name for have in world.observed.values()):
        message = (
            f"nothing in `{gateway.workspace.target}` carries the tags of the spec `{name}` of project `{loaded.project_name}`"
        )
        raise FineforgeError(Diagnostic("FF191", message, hint="run it where the project's `fineforge.yaml` is; check the name"))
    facts = Facts(gateway.workspace.id, gateway.location(), "", None, None, {})
    options = Options(project=loaded.project_name, target=gateway.workspace.target)
    made = plan(loaded.spec, (), facts, world, Mode.DESTROY, options, shown_facts(gateway.workspace, facts, {}, {}))
    return loaded, judge.judged(made, loaded)


def nameless(name: str, where: project.Project) -> Loaded:
    """A spec that wants nothing, under a name that had a file once."""
    text = f'version: 1\nname: "{name}"\nmodel: {{registered: "azureml:none:1"}}\n'
    parsed = source.load(text.encode(), f"the name {name}")
    named = replace(where, name=where.name or name)
    return Loaded(where.root / f"{name}.yaml", spec.parse(parsed), parsed, named, {})


def spare(made: Plan, wanted: frozenset[ResourceKey]) -> Plan:
    """The plan without the end of what others want: a cluster may outlive the spec that made it."""
    steps = [
        replace(step, action=Action.NOOP, reason="stays: another spec uses it", expected="", changes=())
        if step.key in wanted and step.action is Action.DELETE
        else step
        for step in made.steps
    ]
    return replace(made, steps=tuple(steps))


def _of(world: World, name: str, project_name: str) -> World:
    """The part of the world that a spec's end has to do with: its objects, whatever is in its endpoints, clusters it uses."""
    ours = {
        key
        for key, have in world.observed.items()
        if have and have.owner and (have.owner.project, have.owner.spec) == (project_name, name)
    }
    endpoints = {key.name for key in ours if key.kind == "endpoint"}
    kept = {
        key: have
        for key, have in world.observed.items()
        if key in ours or key.parent in endpoints or (have is not None and name in ownership.used_by(have.tags))
    }
    return World(kept, world.listed)


def _ownership(
    loaded: Loaded,
    gateway: Reader,
    planned: engine.Planned,
    keys: tuple[ResourceKey, ...] | None,
    kinds: tuple[str, ...] = (),
) -> Plan:
    where = gateway.workspace
    loaded = engine_loaded.at(loaded, where.target)
    options = Options(project=loaded.project_name, target=where.target)
    shown = shown_facts(where, planned.facts, {}, {})
    made = plan_ownership(loaded.spec, planned.desired, planned.facts, planned.world, options, keys, kinds, shown)
    return judge.judged(replace(made, diagnostics=loaded.place(made.diagnostics)), loaded)
