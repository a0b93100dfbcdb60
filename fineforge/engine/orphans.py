"""Ownership: adopt objects, release them, and delete what carries a project's tags and no spec of it wants any more.

What a step does is the planner's. Here is the reading of what it needs to know, for a spec or for a name without a file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fineforge.config import discovery, project, source
from fineforge.config import spec as specs
from fineforge.config.loaded import DEFAULTS, SpecFile, SpecOptions, TargetedSpec
from fineforge.config.spec.names import SPEC_NAME
from fineforge.core.diagnostics import Diagnostic, FineforgeError, errors
from fineforge.core.facts import Facts, World
from fineforge.core.gateway import Reader
from fineforge.core.objects import Observed, ResourceKey
from fineforge.core.plan import Mode, Plan
from fineforge.engine import observe
from fineforge.engine.batch import Planned, beside
from fineforge.engine.planned import PlannedSpec, finish_plan, plan_destroy
from fineforge.engine.selection import Batch
from fineforge.host import git, worker
from fineforge.planner import Options, plan_adoption, plan_release, sharing
from fineforge.planner import plan as make_plan
from fineforge.planner.summary import shown_facts
from fineforge.policies import judge
from fineforge.resources import ownership
from fineforge.resources.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Orphans:
    """What carries the tags of a spec that nobody wants any more."""

    spec: str
    objects: tuple[Observed, ...]


def adopt(spec: TargetedSpec, gateway: Reader, objects: Sequence[str]) -> Plan:
    """Plan to make objects the spec's own. `objects`: `compute`, `endpoint`, `deployment/NAME`. FF190 for any other word."""
    planned = plan_destroy(spec, gateway)
    known = {want.key.kind: want.key for want in planned.desired if want.key.kind in ("compute", "endpoint")}
    keys, problems = [], []
    for word in objects:
        kind, _, name = word.partition("/")
        key = known.get(kind) if not name or kind != "deployment" else None
        if kind == "deployment" and name and "endpoint" in known:
            key = ResourceKey("deployment", name, parent=known["endpoint"].name)
        if key is None or (name and key.name != name):
            hint = "`compute`, `endpoint` or `deployment/NAME`, as named in the spec; assets and jobs cannot be adopted"
            problems.append(Diagnostic("FF190", f"`{word}` cannot be adopted by this spec", hint=hint))
        else:
            keys.append(key)
    if problems:
        raise FineforgeError(*problems)
    options = Options(spec.project_name, spec.target)
    plan = plan_adoption(spec.spec, planned.desired, planned.facts, planned.world, options, tuple(keys))
    return _ownership(spec, gateway, planned, plan)


def forget(spec: TargetedSpec, gateway: Reader, kinds: Sequence[str] = ()) -> Plan:
    """Plan to take the owner tags off the spec's objects, of all kinds or of some. Nothing is deleted."""
    planned = plan_destroy(spec, gateway)
    options = Options(spec.project_name, spec.target)
    plan = plan_release(spec.spec, planned.desired, planned.facts, planned.world, options, tuple(kinds))
    return _ownership(spec, gateway, planned, plan)


def _ownership(spec: TargetedSpec, gateway: Reader, planned: PlannedSpec, plan: Plan) -> Plan:
    return finish_plan(spec, replace(plan, facts=shown_facts(gateway.workspace, planned.facts, {}, {})))


def find_orphans(
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


def plan_destroy_by_name(spec: TargetedSpec, gateway: Reader) -> Plan:
    """Plan the end of everything that a spec has made, without its file: everything is found by its tags.

    `spec`: see `nameless`. FF191 where the project is not known, or no object carries the name.
    """
    name, project_name = spec.spec.name, spec.project_name
    world = _of(observe.read_ours(gateway, project_name), name, project_name)
    if not any(one is not None and one.owner is not None and one.owner.spec == name for one in world.observed.values()):
        message = f"no object in `{gateway.workspace.target}` carries the tags of the spec `{name}` of project `{project_name}`"
        raise FineforgeError(Diagnostic("FF191", message, hint="check the name, and run the command in the project's folder"))
    facts = Facts(gateway.workspace.id, gateway.location(), "", None, None, {})
    options = Options(project_name, spec.target)
    shown = shown_facts(gateway.workspace, facts, {}, {})
    return finish_plan(spec, make_plan(spec.spec, (), facts, world, Mode.DESTROY, options, shown))


def nameless(name: str, of: project.Project, options: SpecOptions = DEFAULTS) -> SpecFile:
    """Return a spec that wants nothing, under a name that had a file once."""
    text = f'version: 1\nname: "{name}"\nmodel: {{registered: "azureml:none:1"}}\n'
    parsed = source.load(text.encode(), f"the name {name}")
    return SpecFile(of.root / f"{name}.yaml", specs.parse(parsed), parsed, replace(of, name=of.name or name), options)


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


def with_orphans(planned: Planned, batch: Batch, gateway: Reader, allow_delete: bool) -> Planned:
    """Return the plans, and next to them those that end what no spec wants. Raises FF192 where it is not safe, or not allowed.

    It deletes for want of a file, so every spec of the project must have been read, and none may be wrong.
    """
    if wrong := errors(planned.diagnostics):
        hint = "fix them first: a spec that cannot be read may own what would be deleted"
        raise FineforgeError(Diagnostic("FF192", "`--prune` is refused: not every spec can be planned", hint=hint), *wrong)
    if reason := _refusal(batch, allow_delete):
        words, hint = reason
        raise FineforgeError(Diagnostic("FF192", f"`--prune` is refused: {words}", hint=hint))
    of = batch.specs[0].project
    wanted = frozenset(step.key for _, plan in planned.plans for step in plan.steps)
    ends = []
    for orphan in find_orphans([spec.spec.name for spec in batch.specs], of.name, gateway, wanted):
        spec = nameless(orphan.spec, of).at(gateway.workspace.target)
        ends.append((spec, judge.judged(sharing.spare(plan_destroy_by_name(spec, gateway), wanted), spec, worker.run)))
    return beside(planned, ends)


def orphans_of(batch: Batch, gateway: Reader, wanted: Collection[ResourceKey]) -> list[Orphans]:
    """Return what no spec of the batch's project wants. Nothing where a spec was not read, or the project has no name."""
    projects = {(spec.project.root, spec.project.name) for spec in batch.specs}
    if batch.selected or batch.failed or len(projects) != 1:
        return []
    ((root, name),) = projects
    if not name or unread(batch, root):
        return []
    return find_orphans([spec.spec.name for spec in batch.specs], name, gateway, wanted)


def _refusal(batch: Batch, allow_delete: bool) -> tuple[str, str] | None:
    """Why nothing may be pruned, and what to do; None where it may. `batch` is what was read, for every target."""
    if batch.selected:
        return "only some specs were selected", "remove `--select`"
    roots = {spec.project.root for spec in batch.specs}
    if len(roots) != 1 or not batch.specs[0].project.name:
        return "the specs do not belong to one project with a `fineforge.yaml`", "its name identifies the project's objects"
    (root,) = roots
    if others := unread(batch, root):
        return f"`{others[0]}` of the project was not read", f"apply the whole project: `{root}`"
    if git.is_shallow(root):
        return "the clone is shallow", "fetch the whole history: `fetch-depth: 0` of actions/checkout"
    return None if allow_delete else ("it deletes objects", "`status` lists them; add `--allow-delete`")


def unread(batch: Batch, root: Path) -> list[Path]:
    """Specs of the project that are not in the batch: it cannot say that nobody wants what they want."""
    known = {spec.path.resolve() for spec in batch.specs}
    return [path for path in discovery.find([root])[0] if path.resolve() not in known]
