"""How an apply goes: what waits for what, what is told, and what becomes of the rest when one step does not work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from fineforge import engine
from fineforge.core.diagnostics import errors
from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.gateway import Progress
from fineforge.core.objects import Raw, ResourceKey
from fineforge.core.plan import Action, Mode, Plan, Step
from tests.scenarios.stories.telling import Telling
from tests.support import single
from tests.support.azure_bodies import path_of
from tests.support.memory import MemoryGateway, answering

ENDS = (EventKind.DONE, EventKind.FAILED, EventKind.SKIPPED, EventKind.REFUSED)


def carry_out(
    told: Telling, made: Plan, listen: Callable[[Event], None] = lambda _: None, stop: threading.Event | None = None
) -> Outcome:
    return single.apply(made, told.loaded(), told.gateway, listen, stop or threading.Event())


def step(made: Plan, kind: str, *actions: Action) -> Step:
    (found,) = [step for step in made.steps if step.key.kind == kind and (not actions or step.action in actions)]
    return found


def codes(outcome: Outcome) -> set[str]:
    return {found.code for found in (*outcome.failed.values(), *outcome.refused.values(), *outcome.moved.values())}


def exists(told: Telling, key: ResourceKey) -> bool:
    return told.gateway.get(key) is not None


def test_each_step_is_told_once_and_after_its_needs(told: Telling) -> None:
    seen: list[tuple[EventKind, str]] = []
    made = told.plan()
    outcome = carry_out(told, made, lambda event: seen.append((event.kind, event.step.id)))
    assert engine.outcome_exit_code(outcome) == 0
    assert set(outcome.done) == {step.id for step in made.steps}
    for one in made.steps:
        told_of_it = [kind for kind, name in seen if name == one.id]
        assert told_of_it[0] is EventKind.STARTED and [kind for kind in told_of_it if kind in ENDS] == [EventKind.DONE]
        started = seen.index((EventKind.STARTED, one.id))
        assert all(seen.index((EventKind.DONE, need)) < started for need in one.depends_on)
    job = step(made, "job").id
    assert {EventKind.LOG, EventKind.METRIC} & {kind for kind, name in seen if name == job} == {EventKind.METRIC}


def test_an_interruption_ends_the_preparation_of_data(told: Telling) -> None:
    """Nothing is begun after it, and the next apply does it all."""
    made, stop, split = told.plan(), threading.Event(), list[str]()

    def interrupt(_: str, name: str, *__: Any) -> None:
        split.append(name)
        stop.set()

    outcome = single.apply(made, told.loaded(), told.gateway, lambda _: None, stop, progress=interrupt)
    assert split == ["train"]
    assert told.gateway.writes == [] and set(outcome.skipped) == {step.id for step in made.steps}
    assert engine.outcome_exit_code(outcome) == 130
    told.apply()


def test_what_is_independent_goes_at_the_same_time(told: Telling) -> None:
    """The cluster and two data assets meet in their creates: one after the other, they would wait for ever."""
    together = threading.Barrier(3, timeout=30)
    create = told.gateway.create

    def meet(key: ResourceKey, text: str) -> None:
        if key.kind in ("compute", "data"):
            together.wait()
        create(key, text)

    told.gateway = answering(told.gateway, create=meet)
    assert engine.outcome_exit_code(carry_out(told, told.plan())) == 0


def test_a_failed_branch_stops_no_other(told: Telling) -> None:
    made = told.plan()
    cluster = step(made, "compute")
    told.gateway.cloud.planted.failure("compute", path_of(cluster.key), "ClusterMinNodesExceedCoreQuota", "vCPU quota of 0")
    skipped: dict[str, str] = {}

    def listen(event: Event) -> None:
        if event.kind is EventKind.SKIPPED:
            skipped[event.step.id] = event.message

    outcome = carry_out(told, made, listen)
    assert engine.outcome_exit_code(outcome) == 1
    assert codes(outcome) == {"FF503"} and "vCPU quota of 0" in outcome.failed[cluster.id].message
    assert {one.key.kind for one in made.steps if one.id in outcome.done} >= {"data", "endpoint"}
    assert outcome.skipped[step(made, "job").id] == cluster.id
    assert set(skipped) == set(outcome.skipped) and cluster.id in skipped[step(made, "job").id]
    assert len(outcome.done) + len(outcome.failed) + len(outcome.skipped) == len(made.steps)
    told.apply()
    assert told.pending() == []


def test_a_mistake_of_ours_is_one_failed_step(told: Telling) -> None:
    """Whatever a library raises: the step failed, the others go on."""
    create = told.gateway.create

    def broken(key: ResourceKey, text: str) -> None:
        if key.kind == "endpoint":
            raise ZeroDivisionError("division by zero")
        create(key, text)

    told.gateway = answering(told.gateway, create=broken)
    made = told.plan()
    outcome = carry_out(told, made)
    assert codes(outcome) == {"FF500"} and "ZeroDivisionError" in outcome.failed[step(made, "endpoint", Action.CREATE).id].message
    assert step(made, "model").id in outcome.done


class Registry(MemoryGateway):
    """Its registry does not say that models are twins, so that metrics count."""

    def read_model(self, registry: str, name: str, version: str) -> Any:
        raw = super().read_model(registry, name, version)
        if raw is not None:
            raw = {**raw, "properties": {**raw["properties"], "properties": {}}}
        return raw


def gated(told: Telling, **gate: float) -> None:
    told.gateway = Registry(told.folder / "other")
    told.data["gates"] = {"metrics": [{"name": "eval_loss", **gate}]}


def test_a_metric_gate_that_passes(told: Telling) -> None:
    gated(told, max=0.6)
    made = told.apply()
    assert step(made, "job", Action.CHECK)
    assert told.pending() == []


def test_a_metric_gate_that_refuses(told: Telling) -> None:
    """The run is kept, its model is not registered; the next plan knows the metric and says so before anything is done."""
    gated(told, max=0.4)
    made = told.plan()
    outcome = carry_out(told, made)
    assert codes(outcome) == {"FF510"} and engine.outcome_exit_code(outcome) == 4
    (refused,) = outcome.refused.values()
    assert "`eval_loss` is 0.5, more than 0.4" in refused.message
    assert exists(told, step(made, "job", Action.CREATE).key)
    assert not exists(told, step(made, "model").key) and not told.gateway.list(
        "deployment", step(made, "endpoint", Action.CREATE).key.name
    )
    assert "FF307" in {found.code for found in errors(told.plan().diagnostics)}
    gated_at = told.data["gates"]["metrics"][0]
    gated_at["max"] = 0.6
    told.apply()
    assert len(told.gateway.submitted) == 1, "nothing is trained again"


def test_a_smoke_gate_that_refuses(told: Telling) -> None:
    """The new deployment gets no traffic; the one before goes on."""
    told.apply()
    endpoint = ResourceKey("endpoint", next(str(one.key.name) for one in told.plan().steps if one.key.kind == "endpoint"))

    def traffic() -> dict[str, int]:
        return {name: share for name, share in (told.gateway.get(endpoint) or {})["properties"]["traffic"].items() if share}

    before = traffic()
    told.data["training"] = {**told.data["training"], "learning_rate": 2e-5}
    told.data["gates"] = {
        "smoke": [{"messages": [{"role": "user", "content": "What is moon 0?"}], "expect": {"equals": "No idea."}}]
    }
    outcome = carry_out(told, told.plan())
    assert codes(outcome) == {"FF511"} and engine.outcome_exit_code(outcome) == 4
    assert traffic() == before and list(before.values()) == [100]
    told.data["gates"] = {}
    told.apply()
    assert told.pending() == [] and traffic() != before


def test_what_a_smoke_gate_refused_is_no_previous_deployment(told: Telling) -> None:
    """`keep_previous` keeps what answered: neither is it deleted for one that never did, nor does that one stay."""

    def standing() -> set[str]:
        return {key.name for key in told.gateway.list("deployment", endpoint)}

    told.data["deployment"]["keep_previous"] = 1
    endpoint = str(step(told.apply(), "deployment").key.parent)
    (first,) = standing()
    told.data["training"]["learning_rate"] = 2e-5
    told.data["gates"] = {"smoke": [{"messages": [{"role": "user", "content": "Moon?"}], "expect": {"equals": "No idea."}}]}
    outcome = carry_out(told, told.plan())
    (refused,) = standing() - {first}
    (refusal,) = outcome.refused.values()
    assert f"`{refused}` stays for the next try, and bills" in refusal.hint
    told.data["training"]["learning_rate"] = 3e-5
    told.data["gates"] = {}
    made = told.apply()
    assert standing() == {first, step(made, "deployment", Action.CREATE).key.name}
    assert told.pending() == []


def test_a_job_that_fails_is_not_submitted_again_by_itself(told: Telling) -> None:
    made = told.plan()
    job = step(made, "job")
    told.gateway.cloud.planted.failure("job", path_of(job.key), "PreemptionError", "Nodes of this job got pre-empted")
    outcome = carry_out(told, made)
    assert codes(outcome) == {"FF503"} and "got pre-empted" in outcome.failed[job.id].message
    assert "FF305" in {found.code for found in errors(told.plan().diagnostics)}
    again = single.plan(told.loaded(), told.gateway, Mode.APPLY, retry_failed=True).plan
    outcome = carry_out(told, again)
    assert engine.outcome_exit_code(outcome) == 0
    assert told.gateway.submitted == [job.key.name, f"{job.key.name}-r2"]
    assert told.pending() == []


def on_progress(told: Telling, kind: str, act: Callable[[ResourceKey], Any]) -> Callable[[Event], None]:
    """Acts once, while an object of a kind is waited for."""
    done: set[str] = set()

    def listen(event: Event) -> None:
        if event.kind is EventKind.PROGRESS and event.step.key.kind == kind and kind not in done:
            done.add(kind)
            act(event.step.key)

    return listen


def test_a_job_that_somebody_cancels(told: Telling) -> None:
    made = told.plan()
    cancel = on_progress(told, "job", lambda key: told.gateway.cloud.post("job", path_of(key), "cancel"))
    outcome = carry_out(told, made, cancel)
    assert codes(outcome) == {"FF504"}
    assert "--retry-failed" in outcome.failed[step(made, "job").id].hint


def test_what_disappears_while_it_is_waited_for(told: Telling) -> None:
    made, wait = told.plan(), told.gateway.wait

    def gone(key: ResourceKey, progress: Progress, stopped: Callable[[], bool]) -> Raw | None:
        found = wait(key, progress, stopped)
        if key.kind == "compute":
            told.gateway.cloud.delete("compute", path_of(key))
            found = wait(key, progress, stopped)
        return found

    gateway, told.gateway = told.gateway, answering(told.gateway, wait=gone)
    outcome = carry_out(told, made)
    assert codes(outcome) == {"FF502"} and step(made, "job").id in outcome.skipped
    told.gateway = gateway
    told.apply()
    assert told.pending() == []


def test_stopped_before_it_began(told: Telling) -> None:
    stop = threading.Event()
    stop.set()
    outcome = carry_out(told, told.plan(), stop=stop)
    assert engine.outcome_exit_code(outcome) == 130 and outcome.done == () and told.gateway.writes == []


def test_stopped_while_the_job_runs(told: Telling) -> None:
    """What was started goes on and is named; the rest is not begun; the next apply goes on from there."""
    stop, made = threading.Event(), told.plan()
    outcome = carry_out(told, made, on_progress(told, "job", lambda _: stop.set()), stop)
    assert engine.outcome_exit_code(outcome) == 130
    assert step(made, "job").id in outcome.running
    assert not outcome.failed and step(made, "model").id in outcome.skipped
    assert [one.action for one in told.plan().steps if one.key.kind == "job"] == [Action.WAIT]
    told.apply()
    assert told.pending() == [] and len(told.gateway.submitted) == 1
