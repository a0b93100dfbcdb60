"""Traffic: a map on the endpoint, from deployment to percent. Each step replaces single entries and keeps all others, entries of
zero and mirror traffic too; the total is 0 or 100 at every moment, as the service demands.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.facts import World
from fineforge.core.objects import Desired, Observed, ResourceKey, SpecPath, Status
from fineforge.core.plan import Action, ChangeReason, FieldChange, Step, StepReason
from fineforge.planner.case import Case
from fineforge.planner.decide import decide
from fineforge.planner.steps import compare, fingerprint_after, step_on
from fineforge.resources.kinds import child_kind


def traffic_of(case: Case, endpoint: ResourceKey) -> dict[str, int]:
    have = case.have(endpoint)
    return {str(name): int(value) for name, value in ((have.document.get("traffic") if have else None) or {}).items()}


def live_traffic(world: World) -> dict[str, dict[str, int]]:
    """What share of the requests each deployment gets now, by endpoint; for whoever wants to know who answers."""
    found: dict[str, dict[str, int]] = {}
    for key, have in world.observed.items():
        if have is not None and child_kind(key.kind):
            found[key.name] = {str(name): int(value) for name, value in (have.document.get("traffic") or {}).items()}
    return found


def foreign_traffic(case: Case, want: Desired, traffic: Mapping[str, int], older: Collection[Observed]) -> list[Diagnostic]:
    """FF308 where a deployment that is not ours answers: moving traffic would take it from somebody."""
    ours = {want.key.name, *(have.key.name for have in older)}
    foreign = [f"`{name}` ({value} %)" for name, value in traffic.items() if value and name not in ours]
    if not foreign:
        return []
    message = f"`{want.key.parent}` sends traffic to {', '.join(foreign)}, which is not this spec's"
    hint = "move that traffic yourself, use another endpoint, or make the deployment this spec's own with `fineforge adopt`"
    return [Diagnostic("FF308", message, path=want.path, hint=hint)]


def shift(case: Case, want: Desired, endpoint: ResourceKey, traffic: Mapping[str, int], before: list[Step]) -> list[Step]:
    """One update of the endpoint per traffic step; a shift that was broken off goes on from where it stands."""
    current, new = dict(traffic), want.key.name
    gate = next((step.id for step in before if step.action is Action.CHECK), "")
    waits = [step.id for step in before if step.key == want.key and step.action is not Action.NOOP][-1:]
    waits += [step.id for step in before if step.key == endpoint][-1:] or _endpoint_writes(case, endpoint)
    steps: list[Step] = []
    for percent in _percents(case, new, current):
        after = split(current, new, percent)
        step = _step(case, endpoint, StepReason.TRAFFIC, percent, current, after)
        needs = dict.fromkeys((*waits, gate) if gate else waits)
        steps.append(replace(step, names=(new,), value=str(percent), path=want.path, only_if=gate, depends_on=tuple(needs)))
        waits, current = [step.id], after
    return steps


def to_zero(
    case: Case, endpoint: ResourceKey, traffic: Mapping[str, int], names: Collection[str], path: SpecPath = ()
) -> tuple[list[Step], dict[str, int]]:
    """Takes all traffic from the named deployments, for the service deletes none that has some; and what the map is then."""
    if not any(traffic.get(name) for name in names):
        return [], dict(traffic)
    others = {name: value for name, value in traffic.items() if name not in names}
    after = {name: 0 for name in traffic if name in names} | (_shares(others, 100) if any(others.values()) else others)
    step = _step(case, endpoint, StepReason.NO_TRAFFIC, 0, traffic, after)
    return [replace(step, path=path, depends_on=tuple(_endpoint_writes(case, endpoint)))], after


def split(current: Mapping[str, int], new: str, percent: int) -> dict[str, int]:
    """The map with `percent` for the new deployment; the rest goes to the others in the proportion that they had."""
    others = {name: value for name, value in current.items() if name != new}
    return {**_shares(others, 100 - percent), new: percent}


def _shares(others: Mapping[str, int], total: int) -> dict[str, int]:
    """Whole percents that add up to `total`; what rounding leaves goes to the largest."""
    live = sum(others.values())
    shares = {name: (value * total // live if live else 0) for name, value in others.items()}
    left = total - sum(shares.values())
    if left and live:
        shares[max(others, key=lambda name: (others[name], name))] += left
    return shares


def _percents(case: Case, new: str, current: Mapping[str, int]) -> list[int]:
    """The traffic steps that are still to come; all at once where nobody else answers."""
    steps = case.spec.deployment.traffic_steps if case.spec.deployment else (100,)
    if not any(value for name, value in current.items() if name != new):
        return [100]
    return [percent for percent in steps if percent > current.get(new, 0)]


def _step(
    case: Case, endpoint: ResourceKey, reason: StepReason, percent: int, before: Mapping[str, int], after: Mapping[str, int]
) -> Step:
    changes = tuple(
        FieldChange(f"traffic.{name}", before.get(name, 0), value, Action.UPDATE, ChangeReason.ROLLOUT)
        for name, value in after.items()
        if value != before.get(name, 0)
    )
    return step_on(
        endpoint, Action.UPDATE, reason, suffix=f"traffic {percent}", changes=changes, expected=_expected(case, endpoint)
    )


def _expected(case: Case, endpoint: ResourceKey) -> str:
    """The endpoint's fingerprint by the time that the traffic moves: our own update of it comes first."""
    have, want = case.have(endpoint), case.desired.get(endpoint)
    if have is None:
        return ""
    if want is None or not case.is_ours(have):
        return have.fingerprint
    return fingerprint_after(want, have, compare(case, want, have)) if have.status is Status.READY else ""


def _endpoint_writes(case: Case, endpoint: ResourceKey) -> list[str]:
    """What is done to the endpoint before its traffic moves."""
    want = case.desired.get(endpoint)
    quiet = (Action.NOOP, Action.READ)
    return [step.id for step in decide(case, want).steps if step.action not in quiet] if want else []
