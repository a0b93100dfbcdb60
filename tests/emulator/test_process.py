"""The emulator as a process, and the client's side of it: start, find, stop, and what is said where that fails."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fineforge.core.diagnostics import FineforgeError
from fineforge.host import emulator as local
from tests.emulator import wire
from tests.emulator.wire import BODIES
from tests.support.running_emulator import RunningEmulator, attach

Start = Callable[..., RunningEmulator]

INSTANT = ("--trainer", "instant")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("FINEFORGE_EMULATOR_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    local.stop()


def refused(**arguments: object) -> tuple[str, str]:
    """Code and message of a start that fails."""
    with pytest.raises(FineforgeError) as caught:
        local.start(trainer="instant", **arguments)  # type: ignore[arg-type]
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.hint
    return diagnostic.code, diagnostic.message


def test_started_found_and_stopped(home: Path) -> None:
    assert local.read() is None and not local.stop()
    emulator = local.start(trainer="instant")
    port = emulator.facts["port"]
    assert {local.start(trainer="instant", port=port).pid, local.start().pid} == {emulator.pid}, "one that runs is taken as it is"
    assert refused(port=port - 1) == ("FF706", f"the emulator is already running with port {port}")
    with pytest.raises(FineforgeError, match="with trainer instant"):
        local.start(trainer="real")
    found = local.require()
    assert found.facts == json.loads((home / "emulator.json").read_text()) and found.home == home
    assert found.facts["format"] == 1 and local.workspace(found).name == "local"
    modes = {name: (home / name).stat().st_mode & 0o777 for name in ("emulator.json", "server.pem", "emulator.log")}
    assert set(modes.values()) == {0o600} and home.stat().st_mode & 0o777 == 0o700
    assert b"PRIVATE" not in (home / "ca.pem").read_bytes(), "the authority's own key is kept nowhere"
    assert local.stop() and local.read() is None and not (home / "emulator.json").exists()
    assert "Traceback" not in local.log_file().read_text()


def test_state_survives_an_end_of_any_kind(tmp_path: Path, start: Start) -> None:
    """SIGTERM, then SIGKILL: objects, blobs, keys and what is served are there again."""
    first = start(tmp_path, *INSTANT)
    keys = wire.deployed(first, blue=100)
    assert first.stop() == 0
    second = start(tmp_path, *INSTANT)
    assert wire.score(second, keys["primaryKey"]).json() == {"output": wire.ANSWER}
    second.send("PUT", "computes/gpu", BODIES.compute_body())
    assert second.stop(signal.SIGKILL) == -signal.SIGKILL
    third = start(tmp_path, *INSTANT)
    assert (third.ca, third.facts["subscription_id"]) == (first.ca, first.facts["subscription_id"])
    assert [row["name"] for row in third.send("GET", "computes").json()["value"]] == ["gpu"]
    assert third.send("GET", "jobs/done").json()["properties"]["status"] == "Completed"
    assert third.send("GET", wire.blob(third, "up/train.jsonl")).status_code == 200
    assert wire.score(third, keys["secondaryKey"]).status_code == 200
    assert third.stop(signal.SIGINT) == 0


def test_a_killed_one_is_not_there(home: Path, start: Start) -> None:
    """Its file is, and another program may have its port and its process id."""
    emulator = start(home, *INSTANT)
    emulator.stop(signal.SIGKILL)
    assert (home / "emulator.json").exists() and local.read() is None
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        facts = {**emulator.facts, "port": stranger.getsockname()[1], "pid": os.getpid()}
        (home / "emulator.json").write_text(json.dumps(facts))
        assert local.read() is None and not local.stop()
    other = start(home.parent / "other", *INSTANT)
    (home / "emulator.json").write_text(json.dumps({**other.facts, "pid": os.getpid()}))
    assert local.read() is None, "an emulator, but not the one of the file"
    other.stop()
    for content in ("", "[]", "{}", '{"format": 2}'):
        (home / "emulator.json").write_text(content)
        assert local.read() is None
    assert local.start(trainer="instant").home == home


def test_the_port_is_taken(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(port=port) == ("FF702", f"port {port} cannot be used: address already in use")
    assert not (home / "emulator.json").exists()


def test_two_in_one_home(home: Path, start: Start) -> None:
    emulator = start(home, *INSTANT)
    (home / "emulator.json").unlink()
    assert refused() == ("FF706", f"an emulator runs in `{home}` already")
    emulator.stop()


def test_a_folder_that_cannot_be(home: Path) -> None:
    home.write_text("a file")
    assert refused() == ("FF703", f"the emulator cannot use `{home}`: file exists")


def test_a_state_that_cannot_be_read(home: Path) -> None:
    (home / "state.sqlite").mkdir(parents=True)
    code, message = refused()
    assert code == "FF703" and "unable to open database file" in message


def test_quota_from_the_environment(home: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that somebody can see at home what a new subscription does: no cores of the family, some of low priority."""
    monkeypatch.setenv("FINEFORGE_EMULATOR_QUOTA", "standardNCADSA100v4Family=0,lowPriority=24")
    emulator = start(home, *INSTANT)
    for name, priority, state in (("dear", "Dedicated", "Failed"), ("cheap", "LowPriority", "Succeeded")):
        emulator.send("PUT", f"computes/{name}", BODIES.compute_body(vmPriority=priority))
        assert emulator.send("GET", f"computes/{name}").json()["properties"]["provisioningState"] == state
    emulator.stop()


def test_a_quota_that_is_no_number(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINEFORGE_EMULATOR_QUOTA", "lowPriority=many")
    code, message = refused()
    assert code == "FF703" and "FINEFORGE_EMULATOR_QUOTA is `lowPriority=many`" in message


def test_packages_that_are_missing(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The extra `local` was not installed: here, a package of it is hidden behind one that cannot be imported."""
    (tmp_path / "hidden" / "uvicorn").mkdir(parents=True)
    (tmp_path / "hidden" / "uvicorn" / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'uvicorn'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hidden"))
    code, message = refused()
    assert code == "FF704" and "No module named 'uvicorn'" in message


def test_reset(home: Path) -> None:
    local.start(trainer="instant")
    wire.trained(attach(home))
    local.reset()
    assert local.read() is None and local.log_file().exists()
    local.start(trainer="instant")
    assert attach(home).send("GET", "jobs").json()["value"] == []
    assert attach(home).send("GET", wire.blob(attach(home), "up/train.jsonl")).status_code == 404


def test_the_environment_of_another_program(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set already is overridden, and what would lead around the emulator is gone."""
    for name in (
        "NO_PROXY",
        "no_proxy",
        "ALL_PROXY",
        "SSL_CERT_DIR",
        "AZURE_AUTHORITY_HOST",
        "HTTPS_PROXY",
        "REQUESTS_CA_BUNDLE",
    ):
        monkeypatch.setenv(name, "misleading")
    emulator = local.start(trainer="instant")
    given = local.environment(emulator)
    assert "misleading" not in given.values()
    assert given["HTTPS_PROXY"] == given["https_proxy"] == f"http://127.0.0.1:{emulator.facts['port']}"
    assert given["REQUESTS_CA_BUNDLE"] == given["SSL_CERT_FILE"] == given["CURL_CA_BUNDLE"] == str(home / "ca.pem")
    assert given["AZUREML_ARM_WORKSPACE_NAME"] == "local" and given["PATH"] == os.environ["PATH"]


def fineforge(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "fineforge", *words], capture_output=True, text=True, timeout=60, check=False)


def test_the_commands(home: Path) -> None:
    assert fineforge("emulator", "logs").returncode == 1
    started = fineforge("emulator", "start", "--trainer", "instant")
    assert started.returncode == 0 and started.stdout.startswith("the emulator is listening on 127.0.0.1:")
    assert fineforge("emulator", "start").stdout == started.stdout, "one that runs is enough, whatever its trainer"
    assert "FF706" in fineforge("emulator", "start", "--trainer", "real").stderr
    status = json.loads(fineforge("emulator", "status", "--json").stdout)
    assert status["running"] and status["home"] == str(home) and "client_secret" not in status
    told = fineforge("emulator", "exec", "--", "sh", "-c", 'echo "$AZUREML_ARM_WORKSPACE_NAME $1"; exit 7', "sh", "--json")
    assert (told.stdout, told.returncode) == ("local --json\n", 7)
    assert fineforge("emulator", "exec", "--", "sh", "-c", "kill -9 $$").returncode == 137
    assert "listening on 127.0.0.1:" in fineforge("emulator", "logs", "-n", "1").stdout
    assert fineforge("emulator", "reset").returncode == 1, "nobody can be asked"
    assert fineforge("emulator", "reset", "--auto-approve").returncode == 0
    assert fineforge("emulator", "status").returncode == 1 and not (home / "state.sqlite").exists()


def test_the_server_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "azure", "datasets", "pandas", "mlflow")
    code = f"import sys, fineforge.emulator.__main__\nprint([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
