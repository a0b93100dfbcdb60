"""The quickstart against the emulator; what it makes is made once per worker, and put back for each test that wants it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.invariants.client import Client
from tests.support import hub, ultrachat
from tests.support.running_emulator import RunningEmulator

FOREIGN = (
    ("computes/theirs", {"location": "eastus", "properties": {"computeType": "AmlCompute", "properties": {
        "vmSize": "Standard_DS3_v2", "vmPriority": "Dedicated", "osType": "Linux",
        "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 2, "nodeIdleTimeBeforeScaleDown": "PT5M"}}}}),
    ("data/theirs/versions/1", {"properties": {"dataType": "uri_file", "dataUri":
        "azureml://datastores/workspaceblobstore/paths/theirs/rows.jsonl", "tags": {"owner": "them"}}}),
    ("onlineEndpoints/theirs", {"location": "eastus", "tags": {"owner": "them"},
        "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}),
)  # fmt: skip
"""What somebody else has in the workspace."""


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Prepared data and what is remembered of registries: not the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def dataset_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hub.Hub]:
    """Where `hf://` sources lead: a hub on loopback with the walkthrough's dataset, in small."""
    root = tmp_path_factory.mktemp("hub")
    ultrachat.write(root)
    with hub.running(root) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", running.url)
        yield running


@pytest.fixture(autouse=True)
def here(emulator_process: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINEFORGE_EMULATOR_HOME", str(emulator_process.home))


@pytest.fixture
def client(emulator: RunningEmulator) -> Client:
    """Of a workspace that is empty but for what somebody else has in it."""
    for path, body in FOREIGN:
        answer = emulator.send("PUT", path, body)
        assert answer.status_code in (200, 201), answer.text
    emulator.control("DELETE", "/requests")
    return Client(emulator)


@pytest.fixture(scope="session")
def applied_once(emulator_process: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot after one apply of the quickstart."""
    folder = tmp_path_factory.mktemp("applied") / "state"
    emulator_process.reset()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINEFORGE_EMULATOR_HOME", str(emulator_process.home))
        Client(emulator_process).apply()
    emulator_process.snapshot(folder)
    return folder


@pytest.fixture
def applied(emulator_process: RunningEmulator, applied_once: Path) -> Client:
    emulator_process.restore(applied_once)
    emulator_process.control("DELETE", "/requests")
    return Client(emulator_process)
