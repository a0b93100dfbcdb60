"""`apply --detach`: all that needs no wait for the job is done, the job goes on alone, and later applies go on from there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fineforge import engine
from fineforge.core.diagnostics import errors
from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.gateway import Progress
from fineforge.core.objects import Raw, ResourceKey
from fineforge.core.plan import Action, Plan, StepReason
from fineforge.documents.summary import estimate
from tests.scenarios.stories.telling import Telling
from tests.support import single
from tests.support.azure_bodies import path_of
from tests.support.memory import MemoryGateway, answering


class Slow(MemoryGateway):
    """Jobs run until `over` is set or they are cancelled: the service says Running whenever it is asked."""

    over: threading.Event | None = None

    def get(self, key: ResourceKey) -> Raw | None:
        raw = super().get(key)
        if key.kind == "job" and raw is not None and self.over is not None and not self.over.is_set():
            raw = {**raw, "properties": {**raw["properties"], "status": "Running"}}
        return raw

    def cancel(self, key: ResourceKey) -> None:
        super().cancel(key)
        if self.over is not None:
            self.over.set()


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Telling:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Telling(tmp_path, Slow)


def detached(told: Telling, made: Plan, listen: Callable[[Event], None] = lambda _: None) -> Outcome:
    return single.apply(made, told.loaded(), told.gateway, listen, threading.Event(), detach=True)


def slow(told: Telling) -> threading.Event:
    """Let jobs run until the event is set."""
    assert isinstance(told.gateway, Slow)
    told.gateway.over = threading.Event()
    return told.gateway.over


def test_the_job_goes_on_alone(told: Telling) -> None:
    over = slow(told)
    made = told.plan()
    seen: list[Event] = []
    outcome = detached(told, made, seen.append)
    steps = {step.id: step for step in made.steps}
    assert engine.outcome_exit_code(outcome) == 0 and outcome.detached
    assert [steps[name].key.kind for name in outcome.running] == ["job"]
    assert {steps[name].key.kind for name in outcome.done} == {"compute", "data", "endpoint"}
    assert {steps[name].key.kind for name in outcome.skipped} == {"model", "deployment", "endpoint"}
    assert not outcome.failed and not outcome.moved
    (job,) = outcome.running
    assert [event.kind for event in seen if event.step.id == job][-1] is EventKind.DETACHED
    reasons = [event.message for event in seen if event.kind is EventKind.SKIPPED and event.step.key.kind == "model"]
    assert reasons == [f"waits for `{job}`, which goes on by itself"]
    assert estimate(steps[job]) == "about 14.69 USD/h while it runs"

    again = told.plan()
    assert [step.action for step in again.steps if step.key.kind == "job"] == [Action.WAIT]
    writes = list(told.gateway.writes)
    outcome = detached(told, again)
    assert engine.outcome_exit_code(outcome) == 0 and len(outcome.running) == 1
    assert told.gateway.writes == writes, "while it runs there is nothing to do"

    over.set()
    assert not detached(told, told.plan()).running, "a job that is over by now is gone on from"
    assert told.pending() == [] and len(told.gateway.submitted) == 1


def test_an_apply_that_waits_goes_on_from_a_detached_one(told: Telling) -> None:
    over = slow(told)
    detached(told, told.plan())
    over.set()
    told.apply()
    assert told.pending() == [] and len(told.gateway.submitted) == 1


def test_nothing_is_detached_where_no_job_runs(told: Telling) -> None:
    told.apply()
    told.data["deployment"]["instances"] = 2
    outcome = detached(told, told.plan())
    assert not outcome.running and not outcome.skipped
    assert told.pending() == []


def test_a_job_that_failed_unwatched_is_told_by_the_next_plan(told: Telling) -> None:
    made = told.plan()
    job = next(step for step in made.steps if step.key.kind == "job")
    told.gateway.cloud.planted.failure("job", path_of(job.key), "UserError", "no such input")
    assert detached(told, made).running == (job.id,)
    (found,) = errors(told.plan().diagnostics)
    assert found.code == "FF305" and "no such input" in found.message


def test_stopped_while_other_things_are_waited_for(told: Telling) -> None:
    """Ctrl-C is an interruption, detached or not."""
    stop, wait = threading.Event(), told.gateway.wait

    def stopping(key: ResourceKey, progress: Progress, stopped: Callable[[], bool]) -> Raw | None:
        stop.set()
        return wait(key, progress, stopped)

    gateway: Any = answering(told.gateway, wait=stopping)
    outcome = single.apply(told.plan(), told.loaded(), gateway, lambda _: None, stop, detach=True)
    assert not outcome.detached and engine.outcome_exit_code(outcome) == 130


def test_a_superseded_job_is_found_while_the_wanted_one_runs(told: Telling) -> None:
    slow(told)
    detached(told, told.plan())
    told.data["job"] = {"on_superseded": "keep"}
    told.data["training"] = {**told.data["training"], "learning_rate": 2e-5}
    detached(told, told.plan())

    def jobs() -> list[tuple[Action, StepReason]]:
        return [(step.action, step.reason) for step in told.plan().steps if step.key.kind == "job"]

    (kept, why), (waits, _) = jobs()
    assert (kept, waits) == (Action.NOOP, Action.WAIT) and why is StepReason.SUPERSEDED_RUNS
    told.data["job"] = {"on_superseded": "cancel"}
    assert [action for action, _ in jobs()] == [Action.CANCEL, Action.WAIT]


def test_a_superseded_job_is_waited_for_until_it_has_ended(told: Telling) -> None:
    """The new one is submitted only then: two at once would cost twice."""
    slow(told)
    detached(told, told.plan())
    told.data["training"] = {**told.data["training"], "learning_rate": 2e-5}
    made = told.plan()
    cancel = next(step for step in made.steps if step.action is Action.CANCEL)
    outcome = detached(told, made)
    assert cancel.id in outcome.done and len(told.gateway.submitted) == 2
