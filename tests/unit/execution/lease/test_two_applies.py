"""Applies of one spec as processes of their own, at the same time and one after the other's death."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.invariants.client import Client, inventory
from tests.support.running_emulator import RunningEmulator

WORDS = ("--target", "local", "--auto-approve")
LEASE = "quickstart/quickstart"
CLUSTER = ("compute", ["quickstart-gpu"])


@pytest.fixture
def client(emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("FINEFORGE_EMULATOR_HOME", str(emulator.home))
    return Client(emulator)


@pytest.fixture
def elsewhere(client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A command on another machine: what died on this one is not known there."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            patch.setenv("TMPDIR", str(tmp_path))
            return client.run(*words)

    return run


class Begun:
    """A command that tells its events, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    def until(self, kind: str, part: str = "") -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))
            if self.lines[-1]["type"] == kind and part in str(self.lines[-1].get("id", "")):
                return self.lines[-1]
        raise AssertionError(f"it ended without {kind}: {self.lines[-3:]}")

    def end(self) -> int:
        self.lines += [json.loads(line) for line in self.process.communicate(timeout=120)[0].splitlines()]
        return self.process.returncode


@contextmanager
def begun(client: Client, *words: str, **environment: str) -> Iterator[Begun]:
    command = [sys.executable, "-m", "fineforge", words[0], str(client.spec), *WORDS, "--json", *words[1:]]
    process = subprocess.Popen(
        command,
        env={**client.environment(), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            yield Begun(process)
        finally:
            process.kill()


@contextmanager
def writing(client: Client) -> Iterator[Begun]:
    """An apply that waits for its cluster, until `go_on`."""
    client.emulator.plant("stall", *CLUSTER)
    with begun(client, "apply") as first:
        first.until("apply_progress", "compute")
        yield first


def go_on(client: Client) -> None:
    client.emulator.plant("go_on", *CLUSTER)


def one_of_each(client: Client) -> None:
    assert client.pending() == []
    kinds = [path.split("/")[0] for path in inventory(client.emulator) if path.count("/") == 1]
    assert sorted(kinds) == ["computes", "data", "data", "data", "jobs", "models", "onlineEndpoints"]


def blob_requests(client: Client) -> list[Mapping[str, Any]]:
    return [entry for entry in client.emulator.requests() if "/fineforge/leases/" in entry["path"]]


def test_the_second_is_refused(client: Client) -> None:
    with writing(client) as first:
        refused = client.run("apply", "{spec}", *WORDS)
        assert refused.returncode == 5, refused.stderr
        said = " ".join(refused.stderr.split())
        assert f"error[FF530]: `{LEASE}` is being changed at `local` by `" in said
        assert "--lock-timeout 5m" in said and "lease release" in said
        assert client.run("destroy", "{spec}", *WORDS).returncode == 5
        many = client.run("apply", "{spec}", "--select", "quickstart", *WORDS, "--json")
        last = json.loads(many.stdout.splitlines()[-1])
        assert (many.returncode, last["type"], last["diagnostic"]["code"]) == (5, "diagnostic", "FF530"), many.stdout
        listed = client.run("lease", "list", "{spec}", "--target", "local")
        assert listed.returncode == 0 and listed.stdout.startswith(f"{LEASE}\n  held by `")
        assert "`apply`, commit " in " ".join(listed.stdout.split())
        told = json.loads(client.run("lease", "list", "--target", "local", "--json").stdout)
        (row,) = told["leases"]
        assert (told["target"], row["name"], row["command"], row["run"]) == ("local", LEASE, "apply", None)
        assert set(row) == {"name", "who", "host", "since", "command", "run", "commit"}
        go_on(client)
        assert first.end() == 0
    assert client.run("lease", "list", "{spec}", "--target", "local").stdout == "no apply is running at local\n"
    assert client.run("apply", "{spec}", *WORDS).returncode == 0
    one_of_each(client)


def test_the_second_waits_and_plans_again(client: Client) -> None:
    with writing(client) as first, begun(client, "apply", "--lock-timeout", "5m") as second:
        waits = second.until("lease")
        assert waits["@message"].startswith(f"`{LEASE}` is held by `")
        assert waits["@message"].endswith("; waiting up to 300 s")
        go_on(client)
        assert first.end() == 0
        assert second.end() == 0
        assert [line["@message"] for line in second.lines if line["type"] == "lease"][1:] == [
            "the other apply has ended: planning again"
        ]
        assert second.lines[-1]["outcome"]["moved"] == {}
    one_of_each(client)


def test_killed_and_run_again_on_the_same_machine(client: Client) -> None:
    """Nobody waits a minute for a process that is known to be dead."""
    assert client.killed({"path": "/jobs/", "when": "after"}, "apply", "{spec}", *WORDS) == -signal.SIGKILL
    assert client.run("lease", "list", "{spec}", "--target", "local").stdout.startswith(LEASE), "it was not given back"
    done = client.run("apply", "{spec}", *WORDS)
    assert done.returncode == 0, done.stderr
    one_of_each(client)


def test_killed_and_run_again_elsewhere(
    client: Client, elsewhere: Callable[..., subprocess.CompletedProcess[str]], later: Callable[[float], None]
) -> None:
    assert client.killed({"path": "/jobs/", "when": "after"}, "apply", "{spec}", *WORDS) == -signal.SIGKILL
    refused = elsewhere("apply", "{spec}", *WORDS)
    assert refused.returncode == 5 and "FF530" in refused.stderr
    later(60)
    done = elsewhere("apply", "{spec}", *WORDS)
    assert done.returncode == 0, done.stderr
    one_of_each(client)


def test_killed_and_waited_for_elsewhere(client: Client, later: Callable[[float], None], tmp_path: Path) -> None:
    assert client.killed({"path": "/jobs/", "when": "after"}, "apply", "{spec}", *WORDS) == -signal.SIGKILL
    with begun(client, "apply", "--lock-timeout", "90s", TMPDIR=str(tmp_path)) as second:
        second.until("lease")
        later(60)
        assert second.end() == 0
    one_of_each(client)


def test_released_by_hand(client: Client, elsewhere: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    words = ("lease", "release", "{spec}", "--target", "local")
    assert client.run(*words).stdout == f"the lease of `{LEASE}` is not held\n"
    assert client.killed({"path": "/jobs/", "when": "after"}, "apply", "{spec}", *WORDS) == -signal.SIGKILL
    unasked = elsewhere(*words)
    assert unasked.returncode == 1 and "FF533" in unasked.stderr and "--force" in unasked.stderr
    assert elsewhere("apply", "{spec}", *WORDS).returncode == 5
    freed = elsewhere(*words, "--force")
    assert (
        freed.returncode == 0
        and freed.stdout == f"the lease of `{LEASE}` is free\n"
        and freed.stderr.startswith("it was held by `")
    )
    assert elsewhere("apply", "{spec}", *WORDS).returncode == 0
    one_of_each(client)


def test_the_wait_is_interrupted(client: Client) -> None:
    with writing(client) as first, begun(client, "apply", "--lock-timeout", "1h") as second:
        second.until("lease")
        second.process.send_signal(signal.SIGINT)
        assert second.end() == 130
        go_on(client)
        assert first.end() == 0


def test_without_a_lease(client: Client) -> None:
    client.emulator.control("DELETE", "/requests")
    assert client.run("apply", "{spec}", *WORDS, "--lock=false").returncode == 0
    assert blob_requests(client) == []
    assert client.run("destroy", "{spec}", *WORDS, "--lock=false").returncode == 0
    assert blob_requests(client) == []


def test_what_a_lease_costs(client: Client) -> None:
    """Apart from the resource writes; a plan, and an apply that has nothing to do, ask the storage for nothing."""
    client.emulator.control("DELETE", "/requests")
    assert client.run("apply", "{spec}", *WORDS).returncode == 0
    asked = blob_requests(client)
    assert [(entry["method"], entry["status"]) for entry in asked] == [
        ("PUT", 404), ("PUT", 201), ("PUT", 201), ("PUT", 200), ("PUT", 200)
    ]  # fmt: skip
    assert not any(entry["write"] for entry in asked)
    assert {entry["path"].partition("/fineforge/")[2] for entry in asked} == {f"leases/{LEASE}.json"}
    client.emulator.control("DELETE", "/requests")
    assert client.run("apply", "{spec}", *WORDS).returncode == 0
    assert client.run("plan", "{spec}", "--target", "local").returncode == 0
    assert not [entry for entry in client.emulator.requests() if ".blob." in entry["host"] or "listSecrets" in entry["path"]]
    assert client.run("destroy", "{spec}", *WORDS).returncode == 0
    assert [entry["status"] for entry in blob_requests(client)] == [201, 200, 200], "the blob is there by now"


@pytest.mark.parametrize("text", ["", "x", "5 minutes", "-1", "1d"])
def test_a_timeout_that_is_none(text: str, client: Client) -> None:
    refused = client.run("apply", "{spec}", *WORDS, "--lock-timeout", text)
    assert refused.returncode == 1 and "FF002" in refused.stderr and "5m" in refused.stderr
