"""Gates: what they guard, what a refusal leaves as it was, and that nothing is asked that was answered."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from fineforge import engine
from fineforge.core.diagnostics import Diagnostic, FineforgeError, errors
from fineforge.core.events import Event, Outcome
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, Mode, Plan, Step, StepReason
from fineforge.core.runs import Run, Series
from tests.scenarios.stories.telling import Telling
from tests.support import single
from tests.support.memory import MemoryGateway, answering

ASKED = {"messages": [{"role": "user", "content": "What is moon 0?"}]}


class Watched(MemoryGateway):
    """Counts what gates ask. Its registry does not say that models are twins, so that metrics count."""

    reads = 0
    asked: list[str]
    answers: list[Any]
    """What the deployment says instead of what it learned; an error is raised."""
    measured: dict[str, float] | None = None

    def read_model(self, registry: str, name: str, version: str | None) -> Any:
        raw = super().read_model(registry, name, version)
        return raw and {**raw, "properties": {**raw["properties"], "properties": {}}}

    def read_metrics(self, job: str) -> Any:
        self.reads += 1
        if self.measured is None:
            return super().read_metrics(job)
        return {name: Series(Run(job, job), ((1, value),)) for name, value in self.measured.items()}

    def invoke(self, endpoint: str, deployment: str | None, request: Any) -> Any:
        self.asked.append(str(deployment))
        if not self.answers:
            return super().invoke(endpoint, deployment, request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class World(Telling):
    gateway: Watched

    def outcome(self, made: Plan | None = None) -> Outcome:
        def listen(_: Event) -> None:
            pass

        return single.apply(made or self.plan(), self.loaded(), self.gateway, listen, threading.Event())

    def forget(self) -> None:
        self.gateway.reads, self.gateway.asked = 0, []

    def traffic(self) -> dict[str, int]:
        """Live traffic of the spec's endpoint."""
        endpoint = next(step.key for step in self.plan().steps if step.key.kind == "endpoint")
        raw: Any = self.gateway.get(ResourceKey("endpoint", endpoint.name))
        return {name: share for name, share in raw["properties"]["traffic"].items() if share} if raw else {}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = World(tmp_path)
    made.gateway = Watched(tmp_path / "watched")
    made.gateway.asked, made.gateway.answers = [], []
    return made


def gates(made: Plan) -> list[Step]:
    return [step for step in made.steps if step.action is Action.CHECK]


def kinds_of(world: World) -> set[str]:
    return {key.partition("/")[0] for _, key in world.gateway.writes}


@pytest.mark.parametrize(
    ("gate", "measured", "words"),
    [
        ({"name": "perplexity", "max": 9}, {"eval_loss": 0.5}, "the run has no metric `perplexity`"),
        ({"name": "eval_loss", "max": 0.4}, {"eval_loss": 0.5}, "`eval_loss` is 0.5, more than 0.4"),
        ({"name": "accuracy", "min": 0.9}, {"accuracy": 0.5}, "`accuracy` is 0.5, less than 0.9"),
        ({"name": "eval_loss", "max": 0.4}, {"eval_loss": float("nan")}, "`eval_loss` is not a number"),
        ({"name": "eval_loss", "max": 0.4}, {}, "the run has no metric `eval_loss`"),
    ],
)
def test_a_metric_that_does_not_pass(gate: dict[str, Any], measured: dict[str, float], words: str, world: World) -> None:
    """No model, no deployment, no traffic; the job is kept and the next plan says the same, without a write."""
    world.data["gates"] = {"metrics": [gate]}
    world.gateway.measured = measured
    outcome = world.outcome()
    assert engine.outcome_exit_code(outcome) == 4 and not outcome.failed
    (refused,) = outcome.refused.values()
    assert (refused.code, refused.message) == ("FF510", words)
    assert kinds_of(world) == {"compute", "data", "job", "endpoint"}
    writes = list(world.gateway.writes)
    made = world.plan()
    assert [(found.code, found.message) for found in errors(made.diagnostics)] == [("FF307", words)]
    with pytest.raises(FineforgeError) as caught:
        world.outcome(made)
    assert caught.value.exit_code == 4 and world.gateway.writes == writes


def test_all_gates_must_pass_and_all_that_do_not_are_told(world: World) -> None:
    world.data["gates"] = {"metrics": [{"name": "eval_loss", "max": 9}, {"name": "loss", "max": 0}, {"name": "x", "min": 0}]}
    (refused,) = world.outcome().refused.values()
    assert refused.message == "`loss` is 0.4, more than 0; the run has no metric `x`"


def test_metrics_that_cannot_be_read_are_no_refusal(world: World) -> None:
    """The apply failed to ask; run again, it asks, and nothing is trained twice."""
    world.data["gates"] = {"metrics": [{"name": "eval_loss", "max": 0.6}]}

    def unreadable(job: str) -> Any:
        raise FineforgeError(Diagnostic("FF407", "503"))

    gateway, world.gateway = world.gateway, answering(world.gateway, read_metrics=unreadable)
    outcome = world.outcome()
    world.gateway = gateway
    assert engine.outcome_exit_code(outcome) == 1 and not outcome.refused
    assert [found.code for found in outcome.failed.values()] == ["FF407"]
    world.apply()
    assert world.pending() == [] and len(world.gateway.submitted) == 1


def test_gates_that_passed_are_not_asked_again(world: World) -> None:
    world.data["gates"] = {"metrics": [{"name": "eval_loss", "max": 0.6}], "smoke": [ASKED]}
    assert len(gates(world.apply())) == 2 and len(world.gateway.asked) == 1
    world.forget()
    assert gates(world.apply()) == []
    world.data["deployment"]["instances"] = 2
    world.data["job"] = {"display_name": "mine"}
    assert gates(world.apply()) == []
    world.data["gates"]["metrics"][0]["max"] = 0.1
    assert gates(world.apply()) == [], "the model is there: the bound counts for the next one"
    assert world.gateway.reads == 0 and world.gateway.asked == []


def test_apply_after_destroy_asks_what_guards_traffic_again_and_no_metric(world: World) -> None:
    """The deployment is a new one; the model is the one that passed."""
    world.data["gates"] = {"metrics": [{"name": "eval_loss", "max": 0.6}], "smoke": [ASKED]}
    world.apply()
    world.apply(Mode.DESTROY)
    world.forget()
    assert [step.key.kind for step in gates(world.apply())] == ["deployment"]
    assert world.gateway.reads == 0 and len(world.gateway.asked) == 1 and len(world.gateway.submitted) == 1


def test_a_smoke_gate_stands_before_the_first_share_of_traffic(world: World) -> None:
    """It is asked of the new deployment by name, while the old one answers everybody."""
    world.data["gates"] = {"smoke": [{**ASKED, "expect": {"contains": "It is"}}]}
    world.data["deployment"]["traffic_steps"] = [10, 100]
    world.apply()
    before = world.traffic()
    world.forget()
    world.data["training"] = {**world.data["training"], "learning_rate": 2e-5}
    world.gateway.answers = ["I am lost."]
    outcome = world.outcome()
    (refused,) = outcome.refused.values()
    assert refused.code == "FF511" and "smoke request 1: the answer does not contain `It is`: `I am lost.`" in refused.message
    assert engine.outcome_exit_code(outcome) == 4 and world.traffic() == before
    (asked,) = world.gateway.asked
    assert asked not in before, "it was the new one that was asked"
    made = world.apply()
    assert [step.value for step in made.steps if step.id.startswith("update endpoint")] == ["10", "100"]
    assert world.traffic() == {asked: 100} and world.pending() == []


def test_a_rollout_that_was_broken_off_is_asked_again(world: World) -> None:
    """At ten percent the old one still carries the load: there is time to ask once more."""
    world.data["gates"] = {"smoke": [ASKED]}
    world.data["deployment"]["traffic_steps"] = [10, 100]
    world.apply()
    world.data["training"] = {**world.data["training"], "learning_rate": 2e-5}
    update, shifts = world.gateway.update, 0

    def cut_off(key: ResourceKey, body: Any) -> None:
        nonlocal shifts
        shifts += key.kind == "endpoint"
        if shifts == 2:
            raise FineforgeError(Diagnostic("FF409", "cut off"))
        update(key, body)

    gateway, world.gateway = world.gateway, answering(world.gateway, update=cut_off)
    assert world.outcome().failed
    world.gateway = gateway
    assert sorted(world.traffic().values()) == [10, 90]
    assert len(gates(world.apply())) == 1
    assert list(world.traffic().values()) == [100] and world.pending() == []


@pytest.mark.parametrize(("code", "ends"), [("FF419", 4), ("FF409", 1), ("FF402", 1)])
def test_an_error_of_the_model_refuses_and_an_error_of_asking_fails(code: str, ends: int, world: World) -> None:
    world.data["gates"] = {"smoke": [ASKED]}
    world.gateway.answers = [FineforgeError(Diagnostic(code, "no answer"))]
    outcome = world.outcome()
    assert engine.outcome_exit_code(outcome) == ends
    assert bool(outcome.refused) is (ends == 4) and world.traffic() == {}
    world.apply()
    assert list(world.traffic().values()) == [100]


def test_an_empty_answer_is_none(world: World) -> None:
    world.data["gates"] = {"smoke": [ASKED]}
    world.gateway.answers = ["  \n"]
    (refused,) = world.outcome().refused.values()
    assert refused.message == "smoke request 1: the answer is empty"


def test_a_twin_is_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator's stand-in has a loss of its own; its answers are asked for all the same."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    told = Telling(tmp_path)
    told.data["gates"] = {"metrics": [{"name": "eval_loss", "max": 0.0}], "smoke": [ASKED]}
    made = told.apply()
    assert [step.reason for step in made.steps if step.key.kind == "model"] == [StepReason.TWIN]
    assert [step.key.kind for step in gates(made)] == ["deployment"] and told.pending() == []
