"""A job that is followed tells its state, each line of its log once, and each training step with all its metrics."""

from __future__ import annotations

from fineforge import engine
from fineforge.core.events import Event, EventKind
from fineforge.execution.follower import Follower
from tests.scenarios.invariants.client import Client
from tests.support import single


def test_a_job_is_followed(applied: Client) -> None:
    loaded = single.load(applied.spec)
    told: list[Event] = []
    with engine.connect(loaded, "local") as gateway:
        planned = single.plan(loaded, gateway)
        step = next(entry for entry in planned.plan.steps if entry.key.kind == "job")
        raw = gateway.get(step.key)
        assert raw is not None
        follower = Follower(step, gateway, told.append)
        for _ in range(3):
            follower.follow(raw)
        follower.end(raw)
        ((piece,), _) = gateway.read_log(step.key.name, {})
        whole = piece.text
        series = gateway.read_metrics(step.key.name)
    assert [event.message for event in told if event.kind is EventKind.PROGRESS] == ["Completed"]
    assert [event.message for event in told if event.kind is EventKind.LOG] == whole.splitlines()
    assert len(whole.splitlines()) >= 5
    metrics = [dict(event.values) for event in told if event.kind is EventKind.METRIC]
    assert [values["step"] for values in metrics] == [1, 2, 3, 4]
    assert all("loss" in values for values in metrics) and "eval_loss" in metrics[-1]
    assert sum(len(values) - 1 for values in metrics) == sum(len(found.points) for found in series.values())
