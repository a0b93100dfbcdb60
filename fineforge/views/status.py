"""The objects of a spec as they are: their health, where the traffic goes, and what costs money now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from fineforge.core.gateway import LOCAL
from fineforge.core.objects import Observed, Status
from fineforge.documents.answers import ObjectState, SpecStatus
from fineforge.planner.costs import State, is_low_priority
from fineforge.resources.fields import whole_number
from fineforge.views.events import duration
from fineforge.views.paint import Paint
from fineforge.views.text import table

S = TypeVar("S", bound=SpecStatus)


def write_status(spec: str, target: str, states: Sequence[State], now: datetime, paint: Paint) -> str:
    """A table of all objects, the traffic, then what bills and its sum."""
    listed = [(state.key.kind, str(state.key).partition("/")[2], _health(state.observed, now)) for state in states]
    lines = [f"{paint('strong', spec)} on {target}", *table(listed, paint, "  ")]
    endpoints = [state.observed for state in states if state.key.kind == "endpoint" and state.observed is not None]
    if traffic := [line for have in endpoints for line in _traffic(have)]:
        lines += ["", paint("strong", "traffic"), *traffic]
    title = "costs on Azure; the emulator is free" if target == LOCAL else "current costs"
    lines += ["", paint("strong", title), *(table(_bills(states), paint, "  ") or ["  no known charges"])]
    return "\n".join(lines)


def write_orphans(spec: str, objects: Sequence[Observed], paint: Paint) -> str:
    """What is left of a spec that has no file any more."""
    rows = [(have.key.kind, str(have.key).partition("/")[2]) for have in objects]
    title = f"{spec}: no spec of the project has this name; `fineforge destroy --name {spec}` deletes it"
    return "\n".join([*paint.wrap(title), *table(rows, paint, "  ")])


def status_data(spec: str, target: str, states: Sequence[State], now: datetime, shape: type[S]) -> S:
    """Return the answer of one spec: as `shape` a `Status` of its own, or a `SpecStatus` among others."""
    return shape(spec, target, _sum(states), [_object(state, now) for state in states])


def _object(state: State, now: datetime) -> ObjectState:
    key, have = state.key, state.observed
    return ObjectState(
        kind=key.kind,
        name=key.name,
        version=key.version,
        parent=key.parent,
        exists=have is not None,
        status=have.status.value if have else None,
        state=have.word or None if have else None,
        archived=have.archived if have else False,
        ours=have is not None and have.owner is not None,
        message=have.message if have else "",
        created=have.created or None if have else None,
        age_seconds=_age(have, now) if have else None,
        instances=_instances(have) if have else None,
        traffic=dict(have.document.get("traffic") or {}) if have and key.kind == "endpoint" else None,
        bills=state.bills or None,
        usd_per_hour=state.usd_hour,
    )


def _health(have: Observed | None, now: datetime) -> str:
    """`failed: the service's words`, `running for 2 h`, `ready, 2 x Standard_X`, `archived`."""
    if have is None:
        return "does not exist"
    told = ["archived" if have.archived else have.status.value]
    if have.word and have.status in (Status.BUSY, Status.RUNNING) and have.word.lower() != told[0]:
        told[0] += f" ({have.word.lower()})"
    age = _age(have, now)
    if have.status is Status.RUNNING and age is not None:
        told[0] += f" for {duration(age)}"
    if have.message:
        told[0] += f": {have.message}"
    if (count := _instances(have)) is not None:
        told.append(f"{count} x {have.document.get('instance_type')}")
    if have.key.kind == "compute" and is_low_priority(have):
        told.append("at low priority")
    return ", ".join([*told, *(["not fineforge's"] if have.owner is None else [])])


def _age(have: Observed, now: datetime) -> float | None:
    try:
        return max(0.0, (now - datetime.fromisoformat(have.created)).total_seconds())
    except (ValueError, TypeError):  # No time, or one without its zone.
        return None


def _instances(have: Observed) -> int | None:
    return whole_number(have.document.get("instance_count") or 1, 1) if have.key.kind == "deployment" else None


def _traffic(have: Observed) -> list[str]:
    return [f"  {percent:>3} %  {name}" for name, percent in (have.document.get("traffic") or {}).items()]


def _bills(states: Sequence[State]) -> list[tuple[str, str]]:
    rows = [(str(state.key), state.bills) for state in states if state.bills]
    return [*rows, ("in sum", f"about {_sum(states):.2f} USD/h")] if len(rows) > 1 else rows


def _sum(states: Sequence[State]) -> float:
    return round(sum(state.usd_hour or 0.0 for state in states), 2)
