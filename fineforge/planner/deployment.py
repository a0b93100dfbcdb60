"""Deployments: how a new model version comes to answer, and the old one goes. The traffic between them is `traffic`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.objects import Desired, Observed, ResourceKey, Status
from fineforge.core.plan import Action, ChatTurn, SmokeCheck, SmokeRequest, Step, StepReason
from fineforge.planner.case import ABSENT, Case, Decision
from fineforge.planner.decide import decide
from fineforge.planner.steps import create, prevented, step_on, until_gone
from fineforge.planner.traffic import foreign_traffic, shift, to_zero, traffic_of
from fineforge.resources.kinds import parent_of


def decide_endpoint(case: Case, want: Desired) -> Decision:
    """Steps for the endpoint. Its deletion would take every deployment in it along, so all of them must be ours."""
    decision = decide(case, want)
    if not _deleted(decision, want.key):
        return decision
    inside = deployments(case, want.key)
    foreign = [f"`{have.key.name}`" for have in inside if not case.is_ours(have)]
    if not foreign:
        kept = [found for have in inside for found in prevented(case, have.key, want.path)]
        return Decision(decision.steps, [*decision.diagnostics, *kept])
    message = f"`{want.key}` must be created again, which would delete {', '.join(foreign)}, which this spec does not own"
    return Decision(diagnostics=[Diagnostic("FF302", message, path=want.path, hint="use another endpoint")])


def decide_deployment(case: Case, want: Desired) -> Decision:
    """Steps for the deployment, its smoke gate, the traffic, and our older deployments on the same endpoint."""
    endpoint = _endpoint(want.key)
    if (owner := case.desired.get(endpoint)) and _goes(decide(case, owner), endpoint):
        case = _emptied(case, endpoint)
    traffic = traffic_of(case, endpoint)
    older = _older(case, want)
    if refused := foreign_traffic(case, want, traffic, older):
        return Decision(diagnostics=refused)
    rollout = case.spec.deployment.rollout if case.spec.deployment else "blue_green"
    if case.have(want.key) is None and older and rollout == "in_place" and _serves(older[0]):
        return _in_place(case, want, endpoint, traffic, older)
    if case.have(want.key) is None and older and rollout != "blue_green":
        return _recreate(case, want, endpoint, traffic, older)
    return _blue_green(case, want, endpoint, traffic, older)


def _endpoint(key: ResourceKey) -> ResourceKey:
    endpoint = parent_of(key)
    assert endpoint is not None, key
    return endpoint


def deployments(case: Case, endpoint: ResourceKey) -> list[Observed]:
    """Every deployment of an endpoint that was read, whoever owns it."""
    found = (have for have in case.world.observed.values() if have is not None)
    return [have for have in found if parent_of(have.key) == endpoint]


def _blue_green(case: Case, want: Desired, endpoint: ResourceKey, traffic: Mapping[str, int], older: list[Observed]) -> Decision:
    decision = decide(case, want)
    if decision.diagnostics and not decision.steps:
        return decision
    steps = [_beside(case, step, older) for step in decision.steps]
    if traffic.get(want.key.name) and _deleted(decision, want.key):
        steps, traffic = _drained(case, want, endpoint, traffic, steps)
    if traffic.get(want.key.name, 0) < 100:
        steps = [*steps, *_smoke(case, want, steps)]
        steps = [*steps, *shift(case, want, endpoint, traffic, steps)]
    gone, found = _retire(case, want, _beyond(case, older), steps)
    return Decision([*steps, *gone], [*decision.diagnostics, *found])


def _beside(case: Case, step: Step, older: list[Observed]) -> Step:
    """A new deployment beside one that stands: both need quota, which most subscriptions have little of."""
    there = tuple(have.key.name for have in older if not have.leaving)
    return replace(step, beside=there) if step.action is Action.CREATE else step


def _drained(
    case: Case, want: Desired, endpoint: ResourceKey, traffic: Mapping[str, int], steps: list[Step]
) -> tuple[list[Step], dict[str, int]]:
    """A deployment that served once and failed later may still have traffic, and is not deleted while it has."""
    stop, left = to_zero(case, endpoint, traffic, [want.key.name], want.path)
    after = tuple(step.id for step in stop)
    waiting = [replace(step, depends_on=(*step.depends_on, *after)) if step.action is Action.DELETE else step for step in steps]
    return [*stop, *waiting], left


def _in_place(case: Case, want: Desired, endpoint: ResourceKey, traffic: Mapping[str, int], older: list[Observed]) -> Decision:
    """The running deployment gets the new model; requests meet either, and there is no way back but forward."""
    kept = replace(want, key=older[0].key)
    decision = decide(replace(case, desired={**case.desired, kept.key: kept}), kept)
    steps = decision.steps
    moves = traffic.get(kept.key.name, 0) < 100
    if moves or any(step.action is not Action.NOOP for step in steps):
        steps = [*steps, *_smoke(case, kept, steps, moves)]
    if moves:
        steps = [*steps, *shift(case, kept, endpoint, traffic, steps)]
    gone, found = _retire(case, kept, _beyond(case, older[1:]), steps)
    return Decision([*steps, *gone], [*decision.diagnostics, *found])


def _recreate(case: Case, want: Desired, endpoint: ResourceKey, traffic: Mapping[str, int], older: list[Observed]) -> Decision:
    """Downtime for less quota: traffic to zero, the old one deleted, the new one created."""
    stop, left = to_zero(case, endpoint, traffic, [have.key.name for have in older], want.path)
    gone, found = _retire(case, want, older, stop)
    made = replace(create(case, want, StepReason.AFTER_OLD, tuple(step.id for step in gone)), expected=ABSENT)
    steps = [*stop, *gone, made]
    steps = [*steps, *_smoke(case, want, [made])]
    left = {name: value for name, value in left.items() if name not in {have.key.name for have in older}}
    return Decision([*steps, *shift(case, want, endpoint, left, steps)], found)


def _smoke(case: Case, want: Desired, before: list[Step], moves: bool = True) -> list[Step]:
    """Asked of the deployment by header, whatever traffic it has; guards the traffic that follows."""
    if not case.spec.gates.smoke:
        return []
    requests = tuple(
        SmokeRequest(
            tuple(ChatTurn(turn.role, turn.content) for turn in gate.messages),
            gate.model_dump(mode="json")["parameters"],
            gate.expect.contains,
            gate.expect.equals,
        )
        for gate in case.spec.gates.smoke
    )
    reason = StepReason.SMOKE_BEFORE_TRAFFIC if moves else StepReason.SMOKE
    waits = [step.id for step in before if step.key == want.key and step.action is not Action.NOOP][-1:]
    gate, count, path = SmokeCheck(requests), str(len(requests)), ("gates", "smoke")
    return [step_on(want.key, Action.CHECK, reason, value=count, suffix="smoke", path=path, gate=gate, depends_on=tuple(waits))]


def _retire(case: Case, want: Desired, old: list[Observed], before: list[Step]) -> tuple[list[Step], list[Diagnostic]]:
    """Deletes deployments of ours that are no longer needed, once the last traffic step has taken theirs away."""
    moved = tuple(step.id for step in before if step.key == _endpoint(want.key))[-1:]

    def delete(have: Observed) -> Step:
        gone = step_on(have.key, Action.DELETE, StepReason.SUCCEEDED, path=want.path, expected=have.fingerprint)
        return replace(gone, names=(want.key.name,), depends_on=moved)

    steps = [until_gone(have, want.path) if have.leaving else delete(have) for have in old]
    return steps, [found for have in old if not have.leaving for found in prevented(case, have.key, want.path)]


def _older(case: Case, want: Desired) -> list[Observed]:
    """Our other deployments on the endpoint: first what answers, then what has answered, the newest first. What a gate refused
    has no entry in the traffic, however new it is: it is nothing to go back to."""
    endpoint = _endpoint(want.key)
    traffic = traffic_of(case, endpoint)
    found = [have for have in deployments(case, endpoint) if have.key != want.key and case.is_ours(have)]

    def worth(have: Observed) -> tuple[bool, bool, str, str]:
        name = have.key.name
        return traffic.get(name, 0) > 0, name in traffic, have.created, name

    return sorted(found, key=worth, reverse=True)


def _beyond(case: Case, older: list[Observed]) -> list[Observed]:
    """What `keep_previous` does not keep; a failed one, which bills and cannot serve, is never kept."""
    count = case.spec.deployment.keep_previous if case.spec.deployment else 0
    kept = [have.key for have in older if _serves(have)][:count]
    return [have for have in older if have.key not in kept]


def _serves(have: Observed) -> bool:
    return have.status is not Status.FAILED and not have.leaving


def _deleted(decision: Decision, key: ResourceKey) -> bool:
    return any(step.key == key and step.action is Action.DELETE for step in decision.steps)


def _goes(decision: Decision, key: ResourceKey) -> bool:
    """Deleted by a step of ours, or by the service at this moment."""
    leaves = any(step.key == key and step.action is Action.WAIT and step.expected == ABSENT for step in decision.steps)
    return leaves or _deleted(decision, key)


def _emptied(case: Case, endpoint: ResourceKey) -> Case:
    """The world as it is once the endpoint, and everything in it, has been deleted."""
    gone = {endpoint, *(have.key for have in deployments(case, endpoint))}
    observed = {key: None if key in gone else have for key, have in case.world.observed.items()}
    return replace(case, world=replace(case.world, observed=observed))
