"""A client that is killed at an exact write, before or after its effect, and then run again: it converges.

The client is a process of its own; the emulator kills it by SIGKILL while its request is open: not a line of it runs after that.
In memory, and for every way of rolling out: tests/scenarios/stories/test_kill_walk.py.
"""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from fineforge.core.plan import Mode
from tests.scenarios.invariants.client import Client, inventory, settled

APPLY = ("apply", "{spec}", "--target", "local", "--auto-approve", "--json")
WRITES = 9
"""Of the quickstart: a cluster, three data assets, the job, the model, endpoint, deployment, traffic."""

PLACES: dict[str, dict[str, Any]] = {
    "data, done": {"path": "/data/", "nth": 2, "when": "after"},
    "job, not done": {"path": "/jobs/", "nth": 1, "when": "before"},
    "job, done": {"path": "/jobs/", "nth": 1, "when": "after"},
    "model, done": {"path": "/models/", "nth": 1, "when": "after"},
    "endpoint, done": {"path": r"/onlineEndpoints/[^/]+\Z", "nth": 1, "when": "after"},
    "deployment, done": {"path": "/deployments/", "nth": 1, "when": "after"},
    "traffic, not done": {"path": r"/onlineEndpoints/[^/]+\Z", "nth": 2, "when": "before"},
}
"""The writes where a loss would cost most, for every run of the tests; `make torture` walks them all."""


def killed_and_run_again(client: Client, rule: dict[str, Any]) -> None:
    emulator = client.emulator
    theirs = inventory(emulator)
    assert client.killed(rule, *APPLY) == -signal.SIGKILL
    half = inventory(emulator)
    before = {path for path in half if path not in theirs}
    done = client.run(*APPLY)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1])["exit_code"] == 0
    assert client.pending() == []
    whole = inventory(emulator)
    ours = [path.split("/") for path in whole if path not in theirs]
    assert count(ours) == {"computes": 1, "data": 3, "jobs": 1, "models": 1, "onlineEndpoints": 1, "deployments": 1}
    assert before <= set(whole), "nothing that was there is made anew under another name"
    (endpoint,) = [body for path, body in whole.items() if path.startswith("onlineEndpoints/quickstart") and path.count("/") == 1]
    assert list(endpoint["properties"]["traffic"].values()) == [100]
    kept = half.keys() & {path for path in whole if path.startswith("jobs/")}
    assert all(half[path]["systemData"]["createdAt"] == whole[path]["systemData"]["createdAt"] for path in kept)
    assert settled({path: whole[path] for path in theirs}) == settled(theirs)


def count(paths: list[list[str]]) -> dict[str, int]:
    """Objects by collection; versions, not the containers of versions."""
    found: dict[str, int] = {}
    for parts in paths:
        if parts[0] in ("data", "models") and len(parts) == 2:
            continue
        name = "deployments" if "deployments" in parts else parts[0]
        found[name] = found.get(name, 0) + 1
    return found


@pytest.mark.parametrize("place", PLACES)
def test_killed_where_it_matters(place: str, client: Client) -> None:
    killed_and_run_again(client, PLACES[place])


@pytest.mark.torture
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", range(1, WRITES + 1))
def test_killed_at_every_write(nth: int, when: str, client: Client) -> None:
    killed_and_run_again(client, {"nth": nth, "when": when})


def test_the_walk_is_as_long_as_an_apply(client: Client) -> None:
    assert len(client.plan().writes) == WRITES


@pytest.mark.torture
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", range(1, 8))
def test_a_destroy_killed_at_every_write(nth: int, when: str, applied: Client) -> None:
    words = ("destroy", "{spec}", "--target", "local", "--auto-approve")
    assert applied.killed({"nth": nth, "when": when}, *words) == -signal.SIGKILL
    assert applied.run(*words).returncode == 0
    assert applied.pending(Mode.DESTROY) == []
    left = inventory(applied.emulator)
    assert count([path.split("/") for path in left]) == {"data": 3, "jobs": 1, "models": 1}
