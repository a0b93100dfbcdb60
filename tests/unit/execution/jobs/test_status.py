"""`status`: health, ages and money, of objects in states that a console session does not reach."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fineforge import engine
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.objects import ResourceKey
from fineforge.documents.answers import SpecStatus
from fineforge.planner.costs import State
from fineforge.views.paint import Paint
from fineforge.views.status import status_data, write_status
from tests.scenarios.stories.telling import Telling
from tests.support.azure_bodies import path_of
from tests.support.memory import answering

CREATED = "2026-11-20T10:00:00+00:00"
NOW = datetime(2026, 11, 20, 12, 10, tzinfo=UTC)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Telling:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Telling(tmp_path)


def seen(told: Telling, **edits: dict[str, Any]) -> list[State]:
    """The states of an applied spec, each object created at ten, with properties of some kinds as they are told to be."""
    get = told.gateway.get

    def edited(key: ResourceKey) -> Any:
        raw: Any = get(key)
        if raw is None:
            return None
        return {**raw, "systemData": {"createdAt": CREATED}, "properties": raw["properties"] | edits.get(key.kind, {})}

    return list(engine.status(told.loaded().at("dev"), answering(told.gateway, get=edited)))


def line(shown: str, kind: str) -> str:
    (found,) = [line for line in shown.splitlines() if line.startswith(f"  {kind} ")]
    return " ".join(found.split())


def test_a_job_that_runs(told: Telling) -> None:
    told.data["compute"]["max_nodes"] = 2
    told.data["job"] = {"nodes": 2}
    told.apply()
    states = seen(told, job={"status": "Running"})
    shown = write_status("support", "prod", states, NOW, Paint(width=200))
    assert line(shown, "job").endswith("running for 2 h 10 min")
    assert "about 29.38 USD/h until it ends" in shown
    assert "in sum about 33.06 USD/h" in " ".join(shown.split())
    data = status_data("support", "prod", states, NOW, SpecStatus)
    (job,) = [entry for entry in data.objects if entry.kind == "job"]
    assert (job.state, job.age_seconds, job.usd_per_hour) == ("Running", 7800.0, pytest.approx(29.384))
    assert data.usd_per_hour == 33.06


def test_what_a_cluster_that_is_only_named_bills(told: Telling) -> None:
    """At low priority, as it is, whatever the spec sets of it: nothing."""
    told.data["compute"] |= {"tier": "low_priority"}
    told.apply()
    told.data["compute"] = {"name": told.data["compute"]["name"], "existing": True}
    told.apply()
    states = seen(told, job={"status": "Running"})
    shown = write_status("support", "prod", states, NOW, Paint(width=200))
    assert "ready, at low priority" in line(shown, "compute")
    (price,) = [state.usd_hour for state in states if state.key.kind == "job" and state.usd_hour]
    assert 0 < price < 14, "less than dedicated nodes of its size"


def test_a_job_that_waits_for_nodes_costs_nothing_yet(told: Telling) -> None:
    told.apply()
    states = seen(told, job={"status": "Queued"})
    shown = write_status("support", "prod", states, NOW, Paint(width=200))
    assert line(shown, "job").endswith("running (queued) for 2 h 10 min")
    assert [state.key.kind for state in states if state.bills] == ["deployment"]


def test_nodes_that_never_go_away_bill_and_are_not_counted_twice(told: Telling) -> None:
    told.data["compute"]["min_nodes"] = 1
    told.apply()
    costs = {state.key.kind: state.usd_hour for state in seen(told, job={"status": "Running"})}
    assert costs["compute"] == pytest.approx(14.692) and costs["job"] is None


def test_a_deployment_that_failed_still_bills_and_says_why(told: Telling) -> None:
    made = told.plan()
    deployment = next(step.key for step in made.steps if step.key.kind == "deployment")
    told.gateway.cloud.planted.failure("deployment", path_of(deployment), "ResourceNotReady", "User container has crashed")
    told.carry_out(made)
    states = seen(told)
    shown = write_status("support", "prod", states, NOW, Paint(width=200))
    assert "failed: ResourceNotReady: User container has crashed, 1 x Standard_NC24ads_A100_v4" in line(shown, "deployment")
    assert [state.key.kind for state in states if state.usd_hour] == ["deployment"]


def test_what_somebody_else_made_is_marked(told: Telling) -> None:
    told.apply()
    states = [replace(state, observed=replace(state.observed, owner=None)) for state in seen(told) if state.observed is not None]
    shown = write_status("support", "local", states, NOW, Paint(width=200))
    assert line(shown, "compute").endswith("ready, not fineforge's") and "the emulator is free" in shown


def test_nothing_yet(told: Telling) -> None:
    states = engine.status(told.loaded().at("dev"), told.gateway)
    shown = write_status("support", "prod", states, NOW, Paint())
    assert line(shown, "job").endswith("does not exist") and shown.endswith("current costs\n  no known charges")
    assert not any(entry.exists for entry in status_data("support", "prod", states, NOW, SpecStatus).objects)


def test_what_cannot_be_read_is_not_absent(told: Telling) -> None:
    def refused(key: ResourceKey) -> Any:
        if key.kind == "endpoint":
            raise FineforgeError(Diagnostic("FF403", "no"))
        return None

    with pytest.raises(FineforgeError) as caught:
        engine.status(told.loaded().at("dev"), answering(told.gateway, get=refused))
    assert {found.code for found in caught.value.diagnostics} == {"FF403"}
