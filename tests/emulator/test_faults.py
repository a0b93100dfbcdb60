"""Faults at an exact place, the request log, and going back to a state: what kill walks and other tests stand on."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from fineforge.emulator.testing.faults import is_write
from tests.emulator import wire
from tests.emulator.wire import BODIES
from tests.support.running_emulator import RunningEmulator

Start = Callable[..., RunningEmulator]

CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.support.running_emulator import attach
emulator = attach(Path(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
emulator.send("PUT", "computes/gpu", {body})
print("alive", flush=True)
"""
ROOT = Path(__file__).parents[2]


def exists(emulator: RunningEmulator) -> bool:
    return emulator.send("GET", "computes/gpu").status_code == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_client_is_killed_at_a_write(emulator: RunningEmulator, when: str) -> None:
    """By SIGKILL, before the write has an effect or after it, and it never hears of it."""
    script = CLIENT.replace("{body}", repr(BODIES.compute_body()))
    command = [sys.executable, "-c", script, str(ROOT), str(emulator.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None and client.stdout.readline() == "ready\n"
        emulator.faults({"what": "kill", "when": when, "writes": True, "nth": 1, "pid": client.pid})
        said, _ = client.communicate("go\n", timeout=60)
    assert (said, client.returncode) == ("", -signal.SIGKILL)
    emulator.faults()
    assert exists(emulator) == (when == "after")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_dropped_connection(emulator: RunningEmulator, when: str) -> None:
    emulator.faults({"what": "drop", "when": when, "method": "PUT", "path": "/computes/"})
    with pytest.raises(requests.ConnectionError):
        emulator.send("PUT", "computes/gpu", BODIES.compute_body())
    assert exists(emulator) == (when == "after")
    assert [entry["status"] for entry in emulator.requests(writes=True)] == [0], "no answer"


@pytest.mark.parametrize(("when", "made"), [("before", False), ("after", True)])
def test_an_error_is_answered(emulator: RunningEmulator, when: str, made: bool) -> None:
    body, headers = {"error": {"code": "TooManyRequests", "message": "later"}}, {"Retry-After": "7"}
    emulator.faults(
        {"what": "error", "when": when, "nth": 2, "status": 429, "body": body, "headers": headers, "method": "GET|PUT"}
    )
    assert emulator.send("GET", "computes").status_code == 200
    answer = emulator.send("PUT", "computes/gpu", BODIES.compute_body())
    assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (429, body, "7")
    assert exists(emulator) == made
    assert [entry["status"] for entry in emulator.requests()] == [200, 429, 200 if made else 404]


def test_lists_lag(emulator: RunningEmulator) -> None:
    """The object is there; the list goes on saying what it said at first, until the rule is gone."""
    emulator.faults({"what": "lag", "path": "/computes$"}, {"what": "delay", "seconds": 0.01, "path": "/computes$"})
    names = lambda: [row["name"] for row in emulator.send("GET", "computes").json()["value"]]  # noqa: E731
    assert names() == []
    emulator.send("PUT", "computes/gpu", BODIES.compute_body())
    assert exists(emulator) and names() == []
    emulator.faults()
    assert names() == ["gpu"]


@pytest.mark.parametrize(
    "rule",
    [{"what": "explode"}, {"what": "drop", "when": "never"}, {"what": "drop", "path": "("}, {"what": "drop", "color": "red"}],
)
def test_a_wrong_rule_is_refused(emulator: RunningEmulator, rule: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="Refused"):
        emulator.faults(rule)


ARM, API, MFE = "management.azure.com", "eastus.api.azureml.ms", "cert-eastus.experiments.azureml.net"


@pytest.mark.parametrize(
    ("method", "host", "path", "write"),
    [
        ("PUT", ARM, "/x/computes/gpu", True),
        ("PATCH", API, "/history/v1.0/x/runs/r", True),
        ("DELETE", ARM, "/x/onlineEndpoints/e", True),
        ("POST", ARM, "/x/jobs/j/cancel", True),
        ("POST", ARM, "/x/onlineEndpoints/e/regenerateKeys", True),
        ("GET", ARM, "/x/computes/gpu", False),
        ("POST", ARM, "/x/onlineEndpoints/e/listKeys", False),
        ("POST", ARM, "/x/datastores/d/listSecrets", False),
        ("POST", ARM, "/x/onlineEndpoints/e/token", False),
        ("POST", ARM, "/x/onlineEndpoints/e/deployments/d/getLogs", False),
        ("POST", "e.eastus.inference.ml.azure.com", "/score", False),
        ("POST", "login.microsoftonline.com", "/t/oauth2/v2.0/token", False),
        ("POST", MFE, "/mferp/x/registries/shop/import", True),
        ("PUT", MFE, "/mferp/x/registries/shop/models/m/versions/1", True),
        ("PUT", MFE, "/mferp/x/registries/shop/tempdatarefs/m/versions/1", False),
        ("POST", MFE, "/mferp/x/registries/shop/datarefs/m/versions/1", False),
        ("PUT", "account.blob.core.windows.net", "/c/b", False),
    ],
)
def test_what_a_resource_write_is(method: str, host: str, path: str, write: bool) -> None:
    assert is_write(method, host, path) == write


def test_going_back(emulator: RunningEmulator, tmp_path: Path) -> None:
    """Objects, blobs and what is served are as they were; twice from one snapshot."""
    keys = wire.deployed(emulator, blue=100)
    emulator.snapshot(tmp_path / "then")
    for _ in range(2):
        assert emulator.send("DELETE", "onlineEndpoints/answers").status_code == 202
        emulator.send("PUT", "computes/gpu", BODIES.compute_body())
        wire.upload(emulator, "later")
        assert wire.score(emulator, keys["primaryKey"]).status_code == 404
        emulator.restore(tmp_path / "then")
        assert wire.score(emulator, keys["primaryKey"]).json() == {"output": wire.ANSWER}
        assert not exists(emulator)
        assert emulator.send("GET", wire.blob(emulator, "later")).status_code == 404
        assert emulator.send("GET", wire.blob(emulator, "up/train.jsonl")).status_code == 200


def test_without_hooks_there_are_none(tmp_path: Path, start: Start) -> None:
    emulator = start(tmp_path, "--trainer", "instant")
    try:
        assert emulator.control("GET", "/")["pid"] == emulator.process.pid
        for method, path in (("GET", "/requests"), ("POST", "/faults"), ("POST", "/restore"), ("POST", "/planted")):
            answer = emulator.session.request(method, f"http://127.0.0.1:{emulator.port}{path}", json={}, timeout=30)
            assert answer.status_code == 404
    finally:
        emulator.stop()
