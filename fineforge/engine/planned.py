"""Plan one spec: gather facts, observe the world, build the desired state, and plan over the three."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fineforge.config.loaded import TargetedSpec
from fineforge.core.diagnostics import Diagnostic
from fineforge.core.facts import Facts, World
from fineforge.core.gateway import Reader
from fineforge.core.objects import Desired
from fineforge.core.plan import Mode, Plan
from fineforge.engine import data, pinning
from fineforge.engine.connection import refuse_target
from fineforge.engine.desired import build_desired
from fineforge.engine.facts import gather_facts, refuse_errors, warnings
from fineforge.engine.observe import cluster_size, observe_world, read_gate_metrics
from fineforge.engine.shared_reads import SharedReads
from fineforge.host import worker
from fineforge.planner import Options, checks
from fineforge.planner import plan as make_plan
from fineforge.planner.summary import shown_facts
from fineforge.policies import judge
from fineforge.resources.parameters import Parameter


@dataclass(frozen=True, slots=True)
class PlannedSpec:
    """The plan of one spec, and what it was made from."""

    plan: Plan
    facts: Facts
    world: World
    desired: tuple[Desired, ...]
    parameters: Mapping[str, Parameter]


def plan_apply(spec: TargetedSpec, gateway: Reader, retry_failed: bool = False) -> PlannedSpec:
    """Plan what would make the workspace as the spec declares. Reads, writes nothing, asks for no secret.

    Raises FineforgeError where the spec cannot be planned at all. What is wrong with single objects is in `plan.diagnostics`.
    """
    refuse_target(spec, spec.target)
    reads = SharedReads.of(gateway)
    datasets = data.described(spec)
    newer = pinning.ask_for_newer(spec, reads)
    gathered = gather_facts(spec, reads, datasets)
    refuse_errors(spec, gathered.diagnostics)
    observation = observe_world(spec, gathered, reads, Mode.APPLY, retry_failed)
    seen = checks.check_seen(spec.spec, gathered.facts, gathered.parameters, cluster_size(observation.world))
    refuse_errors(spec, seen)
    facts = read_gate_metrics(spec, gathered.facts, observation, reads)
    desired = build_desired(spec, facts, gathered.parameters, observation.names)
    options = Options(spec.project_name, spec.target)
    shown = shown_facts(reads.workspace, facts, gathered.parameters, data.checked(facts.datasets))
    plan = make_plan(spec.spec, desired, facts, observation.world, Mode.APPLY, options, shown)
    notes = [*warnings((*gathered.diagnostics, *seen)), *gathered.moved, *newer()]
    return PlannedSpec(finish_plan(spec, plan, notes), facts, observation.world, desired, gathered.parameters)


def plan_destroy(spec: TargetedSpec, gateway: Reader) -> PlannedSpec:
    """Plan what would delete or archive everything that the spec has made. Its data need not exist any more."""
    refuse_target(spec, spec.target)
    reads = SharedReads.of(gateway)
    gathered = gather_facts(spec, reads, data.described_if_there(spec))
    facts, parameters = gathered.facts, gathered.parameters
    observation = observe_world(spec, gathered, reads, Mode.DESTROY)
    desired = build_desired(spec, facts, parameters, observation.names)
    options = Options(spec.project_name, spec.target)
    shown = shown_facts(reads.workspace, facts, parameters, {})
    plan = make_plan(spec.spec, desired, facts, observation.world, Mode.DESTROY, options, shown)
    return PlannedSpec(finish_plan(spec, plan), facts, observation.world, desired, parameters)


def finish_plan(spec: TargetedSpec, plan: Plan, notes: Iterable[Diagnostic] = ()) -> Plan:
    """Return the plan with its diagnostics placed in the spec's file, and with what the project's policies find."""
    return judge.judged(replace(plan, diagnostics=spec.place([*notes, *plan.diagnostics])), spec, worker.run)
