"""Two things at once that no single story tells: a rollout cut off while the spec goes on, hands in the world during an apply,
specs that share what one of them takes away, names that move.

The plan says what is so, nothing foreign is touched, and a rerun converges.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from fineforge import engine
from fineforge.config import project
from fineforge.core.diagnostics import errors
from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.gateway import Progress
from fineforge.core.objects import Raw, ResourceKey
from fineforge.core.plan import Action, Mode, Plan
from fineforge.documents.wording import reason_text
from fineforge.engine import batch, orphans
from tests.scenarios.stories.telling import Telling
from tests.scenarios.stories.test_kill_walk import RETRAIN, over
from tests.scenarios.stories.test_stories import edit
from tests.support import single
from tests.support.azure_bodies import path_of
from tests.support.memory import answering
from tests.unit.engine.batch.test_batch import CLUSTER, Repository, repository

__all__ = ["repository"]


@pytest.fixture
def told(tmp_path: Path) -> Telling:
    return Telling(tmp_path / "story")


def key_of(told: Telling, kind: str) -> ResourceKey:
    return next(step.key for step in told.plan().steps if step.key.kind == kind)


def carry_out(told: Telling, made: Plan, listen: Callable[[Event], None], stop: threading.Event | None = None) -> Outcome:
    return single.apply(made, told.loaded(), told.gateway, listen, stop)


def spec_of(repository: Repository, name: str) -> engine.SpecFile:
    return next(loaded for loaded in repository.load().specs if loaded.spec.name == name)


def end_of(repository: Repository, name: str) -> Plan:
    """The plan of its destroy."""
    return single.plan(spec_of(repository, name), repository.gateway, Mode.DESTROY).plan


def cut_off(told: Telling, writes: int) -> None:
    """An apply whose machine loses its power after so many writes; the next one finds what it left."""
    told.gateway.dies = (len(told.gateway.writes) + writes - 1, True)
    outcome = told.carry_out(told.plan())
    assert told.gateway.dead and outcome.failed
    told.gateway.dead, told.gateway.dies = False, None


def test_a_rollout_is_cut_off_and_the_spec_goes_on(told: Telling) -> None:
    """The first has 90 % and the second 10 % when a third is wanted; in the end it alone is there, and each was trained once."""
    told.data = over(told.data, {"deployment": {"traffic_steps": [10, 50, 100]}})
    told.apply()
    told.data = over(told.data, RETRAIN)
    until = next(n for n, step in enumerate(told.plan().writes, 1) if step.id.endswith("traffic 10"))
    cut_off(told, until)
    endpoint = key_of(told, "endpoint")
    traffic = (told.gateway.get(endpoint) or {})["properties"]["traffic"]
    assert sorted(traffic.values()) == [10, 90]
    told.data = over(told.data, {"training": {"learning_rate": 3e-5}})
    made = told.apply()
    assert [step.id.rpartition(" ")[2] for step in made.writes if step.key == endpoint] == ["10", "50", "100"]
    assert told.pending() == []
    assert len(told.gateway.list("deployment", endpoint.name)) == 1
    assert len(told.gateway.submitted) == len(set(told.gateway.submitted)) == 3


THIRD = {"training": {"learning_rate": 3e-5}}
MEANWHILE: dict[str, dict[str, Any]] = {
    "the second as it was": {},
    "a third": THIRD,
    "without two at once": {"deployment": {"rollout": "recreate"}, **THIRD},
    "in place": {"deployment": {"rollout": "in_place"}, **THIRD},
    "another size": {"deployment": {"size": "Standard_NC96ads_A100_v4"}},
    "back to the first": {},
}


@pytest.mark.parametrize("name", MEANWHILE)
def test_a_rollout_is_cut_off_at_every_write(name: str, told: Telling) -> None:
    """Before the write and after it; then the spec is another one. No job runs on for nobody, and none is run twice."""
    told.data = over(told.data, {"deployment": {"traffic_steps": [10, 50, 100], "keep_previous": 1}})
    told.apply()
    told.gateway.cloud.snapshot(told.folder / "before")
    first, second = told.data, over(told.data, RETRAIN)
    written, submitted = list(told.gateway.writes), list(told.gateway.submitted)
    told.data = second
    count = len(told.plan().writes)
    for number, arrived in product(range(count), (False, True)):
        told.gateway.cloud.restore(told.folder / "before")
        told.gateway.writes, told.gateway.submitted, told.data = list(written), list(submitted), second
        told.gateway.dies = (len(written) + number, arrived)
        told.carry_out(told.plan())
        told.gateway.dead, told.gateway.dies = False, None
        told.data = first if name == "back to the first" else over(second, MEANWHILE[name])
        told.apply()
        assert told.pending() == [], (number, arrived)
        assert len(told.gateway.submitted) == len(set(told.gateway.submitted)), (number, arrived)
        states = {raw["properties"]["status"] for raw in told.gateway.list("job").values()}
        assert states <= {"Completed", "Canceled"}, (number, arrived)
    assert count == 6


def test_hands_in_the_world_during_an_apply(told: Telling) -> None:
    """Somebody scales the cluster after the apply has begun: it is not written over, and the next plan calls it drift."""
    told.apply()
    told.data = over(told.data, {"compute": {"max_nodes": 4}, "deployment": {"instances": 2}})
    made, cluster = told.plan(), key_of(told, "compute")

    def interfere(event: Event) -> None:
        if event.kind is EventKind.STARTED and event.step.key == cluster:
            edit(told, "compute", "properties.properties.scaleSettings", lambda scale: scale | {"maxNodeCount": 9})

    outcome = carry_out(told, made, interfere)
    assert [found.code for found in outcome.moved.values()] == ["FF501"] and engine.outcome_exit_code(outcome) == 5
    assert "it was" in next(iter(outcome.moved.values())).message
    body = told.gateway.get(cluster) or {}
    assert body["properties"]["properties"]["scaleSettings"]["maxNodeCount"] == 9
    (step,) = told.plan().writes
    assert step.key == cluster and {change.path for change in step.changes} == {"max_instances"}
    told.apply()
    assert told.pending() == []


def test_an_interruption_before_a_write_is_no_running_step(told: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the object is busy with is somebody else's: of the step itself nothing goes on."""
    told.apply()
    told.data = over(told.data, {"compute": {"max_nodes": 4}})
    made, cluster, stop, get = told.plan(), key_of(told, "compute"), threading.Event(), told.gateway.get

    def busy(key: ResourceKey) -> Raw | None:
        """Somebody else scales it just then."""
        raw = get(key)
        return (
            raw
            if key != cluster or raw is None
            else {**raw, "properties": {**raw["properties"], "provisioningState": "Updating"}}
        )

    def interrupt(event: Event) -> None:
        if event.kind is EventKind.PROGRESS:
            stop.set()

    before = len(told.gateway.writes)
    gateway, told.gateway = told.gateway, answering(told.gateway, get=busy)
    outcome = carry_out(told, made, interrupt, stop)
    told.gateway = gateway
    assert len(told.gateway.writes) == before
    assert outcome.running == () and outcome.skipped == {made.writes[0].id: "the interruption"}
    told.apply()
    assert told.pending() == []


def test_another_spec_moves_into_the_endpoint_before_it_goes(repository: Repository) -> None:
    """Its deployment would be deleted along with the endpoint, and is not ours."""
    repository.write("one", endpoint={"name": "the-desk"})
    repository.apply()
    made = end_of(repository, "one")
    assert any(step.key.kind == "endpoint" and step.action is Action.DELETE for step in made.steps)
    repository.write("two", endpoint={"name": "the-desk", "existing": True})
    other = single.plan(spec_of(repository, "two"), repository.gateway).plan
    assert [found.code for found in errors(other.diagnostics)] == ["FF308"], "it may stand there, and not take the traffic"
    theirs = ResourceKey("deployment", "theirs", parent="the-desk")
    mine = next(iter(repository.gateway.list("deployment", "the-desk")))
    body = dict(repository.gateway.get(mine) or {})
    body["tags"] = {**body["tags"], "fineforge-spec": "two"}
    repository.gateway.cloud.put("deployment", path_of(theirs), body)
    repository.gateway.wait(theirs, lambda _: None, lambda: False)
    outcome = single.apply(made, spec_of(repository, "one"), repository.gateway, lambda _: None)
    (moved,) = outcome.moved.values()
    assert "`theirs`" in moved.message and repository.gateway.get(theirs) is not None
    again = end_of(repository, "one")
    assert [reason_text(step) for step in again.steps if step.key.kind == "endpoint" and step.action is Action.NOOP] == [
        "stays: `theirs` in it is not this spec's"
    ]
    assert engine.outcome_exit_code(single.apply(again, spec_of(repository, "one"), repository.gateway, lambda _: None)) == 0
    assert list(repository.gateway.list("deployment", "the-desk")) == [theirs]


def test_one_of_two_that_share_a_cluster_goes_while_the_other_comes(repository: Repository) -> None:
    """The destroy was planned when nobody else used it; the other's tag came in between."""
    repository.write("one")
    repository.apply()
    made = end_of(repository, "one")
    assert any(step.key == CLUSTER and step.action is Action.DELETE for step in made.steps)
    repository.write("two")
    other = single.plan(spec_of(repository, "two"), repository.gateway).plan
    assert engine.outcome_exit_code(single.apply(other, spec_of(repository, "two"), repository.gateway, lambda _: None)) == 0
    outcome = single.apply(made, spec_of(repository, "one"), repository.gateway, lambda _: None)
    assert [found.code for found in outcome.moved.values()] == ["FF501"]
    assert repository.gateway.get(CLUSTER) is not None
    assert [reason_text(step) for step in end_of(repository, "one").steps if step.key == CLUSTER] == ["still used by `two`"]
    planned = single.plan(spec_of(repository, "two"), repository.gateway).plan
    assert planned.writes == ()


def test_a_namesake_in_another_project_keeps_its_mark(repository: Repository, tmp_path: Path) -> None:
    """`used-by` says the spec's name alone: what project it is of is the cluster's."""
    for name in ("one", "two"):
        repository.write(name)
    repository.apply()
    repository.project(name="bakery")
    before = repository.tags(CLUSTER)
    assert "fineforge-used-by-two" in before
    made = end_of(repository, "two")
    assert [step for step in made.writes if step.key == CLUSTER] == []


def test_a_destroy_is_cut_off_and_the_spec_goes_on(told: Telling) -> None:
    told.apply()
    told.gateway.cloud.snapshot(told.folder / "before")
    made = told.plan(Mode.DESTROY)
    written, submitted = list(told.gateway.writes), list(told.gateway.submitted)
    data = told.data
    for number in range(len(made.writes)):
        told.gateway.cloud.restore(told.folder / "before")
        told.gateway.writes, told.gateway.submitted, told.data = list(written), list(submitted), data
        told.gateway.dies = (len(written) + number, True)
        told.carry_out(told.plan(Mode.DESTROY))
        told.gateway.dead, told.gateway.dies = False, None
        told.data = over(data, {**RETRAIN, "compute": {"max_nodes": 3}})
        told.apply()
        assert told.pending() == [], number
        assert len(told.gateway.submitted) == len(set(told.gateway.submitted)) == 2, number
        told.apply(Mode.DESTROY)
        assert told.pending(Mode.DESTROY) == [], number


def test_a_renamed_spec(repository: Repository) -> None:
    """Whatever has a name of its own is the old spec's until that is destroyed; what is archived keeps its name for good."""
    repository.write("one", endpoint={"name": "the-desk"})
    repository.apply()
    (repository.folder / "specs" / "one.yaml").unlink()
    repository.write("uno", endpoint={"name": "the-desk"}, register={"name": "one"})
    ((_, made),) = repository.plan().plans
    taken = {found.message.split("`")[1].split("/")[0] for found in errors(made.diagnostics) if "the spec `one`" in found.message}
    assert taken == {"model", "endpoint", "deployment"}
    assert [found.spec for found in orphans.find_orphans(["uno"], "shop", repository.gateway)] == ["one"]
    where = project.find(repository.folder / "specs")
    old = orphans.nameless("one", where).at("dev")
    end = orphans.plan_destroy_by_name(old, repository.gateway)
    assert engine.outcome_exit_code(single.apply(end, old, repository.gateway, lambda _: None)) == 0
    ((_, made),) = repository.plan().plans
    assert [found.message.split("`")[1] for found in errors(made.diagnostics)] == [
        str(next(step.key for step in end.steps if step.key.kind == "model"))
    ]
    repository.write("uno", endpoint={"name": "the-desk"}, register={"name": "uno"})
    repository.apply()
    assert repository.plan().writes == 0


def test_a_renamed_project(repository: Repository) -> None:
    """Nothing is its own any more, so nothing is touched; the plan says which name it had."""
    repository.write("one", endpoint={"name": "the-desk"})
    repository.apply()
    written = len(repository.gateway.writes)
    repository.project(name="bakery")
    ((_, made),) = repository.plan().plans
    assert {found.code for found in errors(made.diagnostics)} == {"FF303"}
    assert all("if this project was `shop` once" in found.hint for found in errors(made.diagnostics))
    assert not [step for step in made.writes if step.key.kind in ("compute", "data", "job", "model")]
    assert end_of(repository, "one").writes == () and len(repository.gateway.writes) == written
    repository.project()
    assert repository.plan().writes == 0


def test_let_go_and_applied(repository: Repository) -> None:
    """What was let go is somebody else's: a cluster is used unchanged, whatever has a name of its own is refused."""
    repository.write("one", endpoint={"name": "the-desk"})
    repository.apply()
    one, written = spec_of(repository, "one"), len(repository.gateway.writes)
    made = orphans.forget(one.at("dev"), repository.gateway, [])
    assert engine.outcome_exit_code(single.apply(made, one, repository.gateway, lambda _: None)) == 0
    assert len(repository.gateway.writes) == written + len(made.writes)
    ((_, made),) = repository.plan().plans
    assert {found.code for found in errors(made.diagnostics)} == {"FF303"} and made.writes == ()
    assert end_of(repository, "one").writes == ()
    back = orphans.adopt(one.at("dev"), repository.gateway, ["compute", "endpoint"])
    assert engine.outcome_exit_code(single.apply(back, one, repository.gateway, lambda _: None)) == 0
    assert {step.key.kind for step in end_of(repository, "one").writes} == {"compute"}, "its deployment is not the spec's"


def test_prune_beside_an_apply_of_another_branch(repository: Repository) -> None:
    """Its file is not in this clone, so its objects look as if nobody wanted them: while it applies, they are left alone."""
    repository.write("one")
    file = repository.write("theirs")
    repository.apply()
    text = file.read_text(encoding="utf-8")
    file.unlink()
    leases, lease = repository.gateway.leases(), "11111111-1111-1111-1111-111111111111"
    assert leases.take("shop/theirs", lease, 60)
    leases.write("shop/theirs", lease, {"who": "bob"})
    found = repository.load()
    planned = orphans.with_orphans(batch.plan(found, repository.gateway), found, repository.gateway, allow_delete=True)
    assert planned.writes
    written = len(repository.gateway.writes)
    applied = batch.apply(planned, repository.gateway)
    outcome, held_back = applied.outcome, applied.held_back
    assert [(entry.code, error.exit_code) for error in held_back.values() for entry in error.diagnostics] == [("FF530", 5)]
    assert len(repository.gateway.writes) == written and not outcome.failed
    file.write_text(text, encoding="utf-8")
    leases.release("shop/theirs", lease)
    assert repository.plan().writes == 0


def test_saved_plans_of_which_half_was_applied(repository: Repository) -> None:
    """The rest of a copy is no longer what was reviewed; what is there is not made twice, and a new plan goes on."""
    for name in ("one", "two"):
        repository.write(name)
    planned = repository.plan()
    repository.gateway.dies = (planned.writes // 2, True)
    batch.apply(planned, repository.gateway)
    assert repository.gateway.dead
    repository.gateway.dead, repository.gateway.dies = False, None
    made = {key for _, key in repository.gateway.writes}
    outcome = batch.apply(planned, repository.gateway).outcome
    assert {found.code for found in outcome.moved.values()} == {"FF501"} and not outcome.failed
    assert engine.outcome_exit_code(outcome) == 5
    keys = [key for verb, key in repository.gateway.writes if verb == "create"]
    assert len(keys) == len(set(keys)) and set(keys) >= {key for key in made if key.startswith("data/")}
    repository.apply()
    assert repository.plan().writes == 0
    assert len(repository.gateway.submitted) == len(set(repository.gateway.submitted)) == 2


def test_a_name_that_somebody_takes_between_plan_and_apply(told: Telling) -> None:
    """Everything else goes on; the job is there when the endpoint has another name."""
    made, endpoint = told.plan(), key_of(told, "endpoint")
    told.gateway.cloud.planted.name_taken(endpoint.name)
    outcome = told.carry_out(made)
    assert list(outcome.failed) == [f"create {endpoint}"] and not outcome.moved
    assert {step.key.kind for step in made.steps if step.id in outcome.skipped} == {"deployment", "endpoint"}
    told.data = over(told.data, {"endpoint": {"name": "the-other-desk"}})
    told.apply()
    assert told.pending() == [] and len(told.gateway.submitted) == 1


@pytest.mark.parametrize("kind", ["compute", "endpoint", "deployment"])
def test_deleted_while_it_is_waited_for(kind: str, told: Telling) -> None:
    """The step says so, what needs it is not begun, and the next apply makes it again."""
    made = told.plan()
    key, wait = next(step.key for step in made.writes if step.key.kind == kind), told.gateway.wait

    def gone(waited: ResourceKey, progress: Progress, stopped: Callable[[], bool]) -> Raw | None:
        if waited == key:
            wait(waited, progress, stopped)
            told.gateway.cloud.delete(kind, path_of(key))
        return wait(waited, progress, stopped)

    outcome = told.carry_out(made, answering(told.gateway, wait=gone))
    assert [found.code for found in outcome.failed.values()] == ["FF502"]
    told.apply()
    assert told.pending() == []


def test_a_restored_object_that_is_gone_by_then(told: Telling) -> None:
    told.apply()
    told.apply(Mode.DESTROY)
    made = told.plan()
    (step,) = [step for step in made.steps if step.key.kind == "model"]
    assert step.action is Action.RESTORE
    get = told.gateway.get
    outcome = told.carry_out(made, answering(told.gateway, get=lambda key: None if key == step.key else get(key)))
    assert [found.message for found in outcome.moved.values()] == [f"`{step.key}` is gone; the plan was to restore it"]
    told.apply()
    assert told.pending() == []


@pytest.mark.parametrize("mode", [Mode.APPLY, Mode.DESTROY])
def test_read_while_an_endpoint_goes(mode: Mode, told: Telling) -> None:
    """Its deployment was read a moment before the deletion ended, and is gone by now as well."""
    told.apply()
    endpoint, get, everything = key_of(told, "endpoint"), told.gateway.get, told.gateway.list
    going = answering(
        told.gateway,
        get=lambda key: None if key == endpoint else get(key),
        list=lambda kind, parent=None: {} if kind == "deployment" else everything(kind, parent),
    )
    made = single.plan(told.loaded(), going, mode).plan  # type: ignore[arg-type]
    actions = {step.action for step in made.steps if step.key.kind == "deployment"}
    assert actions == ({Action.CREATE} if mode is Mode.APPLY else set())
