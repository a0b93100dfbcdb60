"""State that survives: restarts, snapshots, threads."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from fineforge.emulator.lifecycle import SECONDS, Progression
from fineforge.emulator.storage.store import Store
from tests.emulator.rules.world import World

QUESTION = {"input_data": {"input_string": [{"role": "user", "content": "When do you open?"}]}}


def test_documents_come_in_the_order_of_their_creation(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite")
    for name in ("b", "a", "c"):
        store.put("things", ("parent", name), {"name": name})
    store.put("things", ("parent", "b"), {"name": "b", "changed": True})
    store.put("things", ("parents", "d"), {})
    assert [path[1] for path, _ in store.list("things", ("parent",))] == ["b", "a", "c"]
    assert store.get("things", ("parent", "b")) == {"name": "b", "changed": True}


def test_a_transaction_is_all_or_nothing() -> None:
    store = Store()
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.put("things", ("a",), {})
        _ = 1 / 0
    assert store.list("things") == []


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    """A served deployment serves again, a job and an operation on their way go on."""
    world = World(tmp_path, Progression.INSTANT, Store(tmp_path / "state.sqlite"))
    world.deployed(traffic=100)
    token = world.cloud.post("endpoint", ("answers",), "listKeys").body["primaryKey"]
    world.cloud.close()
    timed = World(tmp_path, Progression.TIMED, Store(tmp_path / "state.sqlite"))
    timed.job("later")
    operation = timed.compute().operation
    timed.cloud.close()

    again = World(tmp_path, Progression.TIMED, Store(tmp_path / "state.sqlite"))
    again.clock.now = timed.clock.now + SECONDS["compute.create"]
    again.cloud.resume()
    assert again.cloud.route("answers", token, None, 0.0).deployment == "blue"
    assert again.runner.answer("answers", "blue", QUESTION) == {"output": "At nine."}
    assert again.cloud.get("operation", (operation.id,)).body["status"] == "Succeeded"
    again.clock.now += 10
    assert again.state("job", "later") == "Completed"


def test_a_job_that_the_runner_had_is_handed_to_it_again(tmp_path: Path) -> None:
    world = World(tmp_path, Progression.INSTANT, Store(tmp_path / "state.sqlite"))
    world.runner.submit = lambda job: world.cloud.job_started(job.name)  # type: ignore[method-assign]
    world.job()
    assert world.state("job", "done") == "Running"
    world.cloud.close()
    again = World(tmp_path, Progression.INSTANT, Store(tmp_path / "state.sqlite"))
    again.cloud.resume()
    assert again.state("job", "done") == "Completed"


@pytest.mark.parametrize("location", ["file", "memory"])
def test_a_snapshot_brings_everything_back(tmp_path: Path, location: str) -> None:
    store = Store(tmp_path / "state.sqlite") if location == "file" else Store()
    world = World(tmp_path / "home", Progression.INSTANT, store)
    world.deployed(traffic=100)
    world.cloud.snapshot(tmp_path / "snapshot")
    world.cloud.delete("endpoint", ("answers",))
    world.job("another")
    world.upload("up/train.jsonl.2")
    world.cloud.restore(tmp_path / "snapshot")
    world.cloud.resume()
    assert world.state("deployment", "answers", "blue") == "Succeeded"
    assert world.runner.answer("answers", "blue", QUESTION) == {"output": "At nine."}
    assert world.state("job", "another") == "absent"
    assert not world.cloud.blobs.path(world.settings.container, "up/train.jsonl.2").exists()
    assert world.job("another").status == 201


def test_threads_do_not_lose_each_other(tmp_path: Path) -> None:
    world = World(tmp_path, Progression.INSTANT, Store(tmp_path / "state.sqlite"))
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(10):
                world.cloud.put("data", (f"data-{number}", str(step)), world.data_body())
                world.cloud.put("endpoint", (f"endpoint-{number}-{step}",), world.endpoint_body())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(world.cloud.list("data").body["value"]) == 4
    endpoints: list[Any] = world.cloud.list("endpoint").body["value"]
    assert [body["properties"]["provisioningState"] for body in endpoints] == ["Succeeded"] * 40
