"""Deployments and traffic: how a new model version comes to answer, and the old one goes.

Traffic is a map on the endpoint; every step replaces single entries and keeps all others, zero entries and mirror traffic too.
"""

from __future__ import annotations

from collections.abc import Mapping

from fineforge.core import Action, Desired, FieldChange, Observed, ResourceKey, Status, Step
from fineforge.diagnostics import Diagnostic
from fineforge.planner.decide import Case, Decision, decide, fingerprint_after, make, prevented, step_on
from fineforge.render import yaml_json


def decide_deployment(case: Case, want: Desired) -> Decision:
    """Steps for the deployment, its smoke gate, the traffic, and our older deployments on the same endpoint."""
    endpoint = ResourceKey("endpoint", want.key.parent or "")
    traffic = _traffic(case, endpoint)
    if refused := _foreign_traffic(case, want, traffic):
        return Decision(diagnostics=refused)
    rollout = case.spec.deployment.rollout if case.spec.deployment else "blue_green"
    older = _older(case, want)
    if rollout == "in_place" and case.have(want.key) is None and older:
        return _in_place(case, want, older)
    if rollout == "recreate" and case.have(want.key) is None and older:
        return _recreate(case, want, endpoint, traffic, older)
    return _blue_green(case, want, endpoint, traffic, older)


def _blue_green(case: Case, want: Desired, endpoint: ResourceKey, traffic: Mapping[str, int], older: list[Observed]) -> Decision:
    decision = decide(case, want)
    if decision.diagnostics and not decision.steps:
        return decision
    steps = list(decision.steps)
    if traffic.get(want.key.name, 0) < 100:
        steps += _smoke(case, want, steps)
        steps += _shift(case, want, endpoint, traffic, steps)
    keep = case.spec.deployment.keep_previous if case.spec.deployment else 0
    gone, found = _retire(case, want, older[keep:], steps)
    return Decision([*steps, *gone], [*decision.diagnostics, *found])


def _smoke(case: Case, want: Desired, before: list[Step]) -> list[Step]:
    """Asked of the new deployment by header, at whatever traffic it has; guards the traffic that follows."""
    if not case.spec.gates.smoke:
        return []
    requests = [gate.model_dump(exclude_none=True, mode="json") for gate in case.spec.gates.smoke]
    count = len(requests)
    reason = f"{count} smoke request{'s' if count > 1 else ''} must be answered as expected before traffic moves"
    depends_on = _last(before, want.key)
    return [
        step_on(
            want.key,
            Action.CHECK,
            reason,
            suffix="smoke",
            path=("gates", "smoke"),
            text=yaml_json({"smoke": requests}),
            depends_on=depends_on,
        )
    ]


def _shift(case: Case, want: Desired, endpoint: ResourceKey, traffic: Mapping[str, int], before: list[Step]) -> list[Step]:
    """One update of the endpoint per traffic step; a shift that was broken off goes on from where it stands."""
    new, current = want.key.name, dict(traffic)
    percents = [
        percent
        for percent in (case.spec.deployment.traffic_steps if case.spec.deployment else (100,))
        if percent > current.get(new, 0)
    ]
    if not any(value for name, value in current.items() if name != new):
        percents = [100]
    steps: list[Step] = []
    gate = next((step.id for step in before if step.action is Action.CHECK), "")
    for percent in percents:
        target = _split(current, new, percent)
        changes = tuple(
            FieldChange(f"traffic.{name}", current.get(name, 0), value, Action.UPDATE, "rollout")
            for name, value in target.items()
            if value != current.get(name, 0)
        )
        depends_on = (steps[-1].id,) if steps else (*_last(before, want.key), *((gate,) if gate else ()))
        reason = f"{percent} % of the traffic to `{new}`"
        steps.append(
            step_on(
                endpoint,
                Action.UPDATE,
                reason,
                suffix=f"traffic {percent}",
                path=want.path,
                changes=changes,
                only_if=gate,
                expected=_endpoint_expected(case, endpoint),
                depends_on=(*depends_on, *_endpoint_writes(case, endpoint)),
            )
        )
        current = target
    return steps


def _split(current: Mapping[str, int], new: str, percent: int) -> dict[str, int]:
    """The map with `percent` for the new deployment; the rest goes to the others in the proportion that they had."""
    others = {name: value for name, value in current.items() if name != new}
    live = sum(others.values())
    rest = 100 - percent
    shared = {name: (value * rest // live if live else 0) for name, value in others.items()}
    missing = rest - sum(shared.values())
    if missing and shared:
        shared[max(shared, key=lambda name: (others[name], name))] += missing
    return {**shared, new: percent}


def _retire(case: Case, want: Desired, old: list[Observed], before: list[Step]) -> tuple[list[Step], list[Diagnostic]]:
    moved = [step.id for step in before if step.key.kind == "endpoint"][-1:]
    steps, found = [], []
    for have in old:
        found += prevented(case, have.key, want.path)
        reason = f"`{want.key.name}` takes its place"
        steps.append(step_on(have.key, Action.DELETE, reason, path=want.path, expected=have.fingerprint, depends_on=tuple(moved)))
    return steps, found


def _in_place(case: Case, want: Desired, older: list[Observed]) -> Decision:
    """The running deployment gets the new model; requests meet either, and there is no way back but forward."""
    have = older[0]
    renamed = Desired(have.key, want.text, want.document, want.digest, want.depends_on, want.path)
    decision = decide(
        Case(case.spec, case.facts, case.world, case.project, case.retry_failed, {**case.desired, have.key: renamed}), renamed
    )
    return Decision([*decision.steps, *_smoke(case, renamed, decision.steps)], decision.diagnostics)


def _recreate(case: Case, want: Desired, endpoint: ResourceKey, traffic: Mapping[str, int], older: list[Observed]) -> Decision:
    """Downtime for less quota: traffic to zero, the old one deleted, the new one created."""
    stop = to_zero(case, endpoint, traffic, [have.key.name for have in older], want)
    gone, found = _retire(case, want, older, stop)
    created = make(
        want,
        Action.CREATE,
        "created after the old one is gone; the endpoint does not answer in between",
        text=want.text,
        depends_on=tuple(step.id for step in gone),
        expected="absent",
        case=case,
    )
    steps = [*stop, *gone, created]
    steps += _smoke(case, want, [created])
    stopped = dict.fromkeys(traffic, 0)
    shift = _shift(case, want, endpoint, stopped, [created, *steps[-1:]])
    return Decision([*steps, *shift], found)


def to_zero(
    case: Case, endpoint: ResourceKey, traffic: Mapping[str, int], names: list[str], want: Desired | None = None
) -> list[Step]:
    """Takes all traffic from the named deployments: the service deletes none that has some. The total must stay 0 or 100."""
    live = {name: value for name, value in traffic.items() if name in names and value}
    if not live:
        return []
    others = {name: value for name, value in traffic.items() if name not in names and value}
    after = dict.fromkeys(live, 0) | (_split(others, "", 0) if others else {})
    after.pop("", None)
    changes = tuple(
        FieldChange(f"traffic.{name}", traffic.get(name, 0), value, Action.UPDATE, "rollout")
        for name, value in after.items()
        if value != traffic.get(name, 0)
    )
    return [
        step_on(
            endpoint,
            Action.UPDATE,
            "no traffic to what is deleted next",
            suffix="traffic 0",
            changes=changes,
            path=want.path if want else (),
            expected=_endpoint_expected(case, endpoint),
        )
    ]


def _traffic(case: Case, endpoint: ResourceKey) -> dict[str, int]:
    have = case.have(endpoint)
    return {str(name): int(value) for name, value in ((have.document.get("traffic") if have else None) or {}).items()}


def _older(case: Case, want: Desired) -> list[Observed]:
    """Our other deployments on the endpoint, the newest first."""
    found = [
        have
        for key, have in case.world.observed.items()
        if key.kind == "deployment"
        and key.parent == want.key.parent
        and key != want.key
        and have is not None
        and case.is_ours(have)
    ]
    return sorted(found, key=lambda have: (have.created, have.key.name), reverse=True)


def _foreign_traffic(case: Case, want: Desired, traffic: Mapping[str, int]) -> list[Diagnostic]:
    ours = {want.key.name, *(have.key.name for have in _older(case, want))}
    foreign = [name for name, value in traffic.items() if value and name not in ours]
    if not foreign:
        return []
    names = ", ".join(f"`{name}` ({traffic[name]} %)" for name in foreign)
    hint = "move that traffic yourself, or use another endpoint"
    return [
        Diagnostic("FF308", f"`{want.key.parent}` sends traffic to {names}, which is not this spec's", path=want.path, hint=hint)
    ]


def _endpoint_expected(case: Case, endpoint: ResourceKey) -> str:
    have, want = case.have(endpoint), case.desired.get(endpoint)
    if have is None or have.status is not Status.READY or want is None:
        return have.fingerprint if have is not None and want is None else ""
    from fineforge.planner.decide import compare

    return fingerprint_after(want, have, compare(case, want, have) if case.is_ours(have) else ())


def _endpoint_writes(case: Case, endpoint: ResourceKey) -> tuple[str, ...]:
    want = case.desired.get(endpoint)
    return (
        tuple(step.id for step in decide(case, want).steps if step.action is not Action.NOOP and step.action is not Action.READ)
        if want
        else ()
    )


def _last(steps: list[Step], key: ResourceKey) -> tuple[str, ...]:
    found = [step.id for step in steps if step.key == key and step.action is not Action.NOOP]
    return tuple(found[-1:])
