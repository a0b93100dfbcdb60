"""Answers that a careless client takes for more than they are: pages, old states, addresses that lead elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fineforge.azure import AzureGateway, connection
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.objects import ResourceKey
from fineforge.host import emulator as local
from tests.support.running_emulator import RunningEmulator

CLUSTER = ResourceKey("compute", "gpu")
YAML = "{name: gpu, type: amlcompute, size: Standard_NC24ads_A100_v4, min_instances: 0, max_instances: 1}"
OLD = {"what": "lag", "method": "GET", "path": "/computes/gpu"}
MODEL = {"properties": {"dataType": "uri_file", "dataUri": "azureml://datastores/workspaceblobstore/paths/a.jsonl", "tags": {}}}


def never() -> bool:
    return False


def running_first(emulator: RunningEmulator, body: dict[str, Any]) -> None:
    """The first look at an operation's address is answered with `body`, the next ones as it is."""
    emulator.faults({"what": "error", "status": 200, "path": "OperationsStatus", "nth": 1, "body": body})


def test_every_page_is_read(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    for version in range(120):
        emulator.send("PUT", f"data/rows/versions/{version}", MODEL)
    emulator.control("DELETE", "/requests")
    found = gateway.list("data", "rows")
    assert set(found) == {ResourceKey("data", "rows", str(version)) for version in range(120)}
    assert len([entry for entry in emulator.requests() if entry["path"].endswith("/versions")]) == 2


def test_the_next_page_is_never_elsewhere(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    body = {"value": [], "nextLink": "https://management.azure.com.example.com/next"}
    emulator.faults({"what": "error", "status": 200, "path": "/computes", "body": body})
    with pytest.raises(FineforgeError) as caught:
        gateway.list("compute")
    assert [found.code for found in caught.value.diagnostics] == ["FF400"]
    assert not [entry for entry in emulator.requests() if "example.com" in entry["host"]]


def test_an_update_is_over_when_its_operation_is(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    """The object says Succeeded already, or still: the operation that was sent goes on."""
    gateway.create(CLUSTER, YAML)
    raw = gateway.wait(CLUSTER, lambda _: None, never)
    assert raw is not None
    gateway.update(CLUSTER, raw)
    running_first(emulator, {"status": "InProgress"})
    looks: list[Any] = []
    assert gateway.wait(CLUSTER, looks.append, never) is not None
    assert len(looks) == 1


def test_a_failed_operation_is_told_where_the_object_hides_it(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    gateway.create(CLUSTER, YAML)
    raw = gateway.wait(CLUSTER, lambda _: None, never)
    assert raw is not None
    gateway.update(CLUSTER, raw)
    running_first(emulator, {"status": "Failed", "error": {"code": "OutOfQuota", "message": "Not enough cores."}})
    with pytest.raises(FineforgeError) as caught:
        gateway.wait(CLUSTER, lambda _: None, never)
    (found,) = caught.value.diagnostics
    assert found.code == "FF410" and "Not enough cores" in found.message
    assert gateway.wait(CLUSTER, lambda _: None, never) is not None, "it is told once"


def test_an_endpoint_that_is_not_there_answers_nothing(gateway: AzureGateway) -> None:
    with pytest.raises(FineforgeError) as caught:
        gateway.invoke("nobody", None, {})
    (found,) = caught.value.diagnostics
    assert found.code == "FF404" and found.hint


def test_a_datastore_without_keys(emulator: RunningEmulator, tmp_path: Path) -> None:
    """Identity only: the caller's own token opens the storage, and no secret is asked for."""
    reached = connection.to_emulator(local.workspace(local.Emulator(emulator.facts)), emulator.facts)
    gateway = AzureGateway(replace(reached, datastore="identityblobstore"), tmp_path / "cache")
    file = tmp_path / "rows.jsonl"
    file.write_text("{}\n")
    gateway.upload(file, "up/rows.jsonl")
    gateway.close()
    asked = emulator.requests()
    assert [entry["status"] for entry in asked if entry["method"] == "PUT"] == [201]
    assert not [entry for entry in asked if "listSecrets" in entry["path"]]


@pytest.mark.parametrize("kept", ["", "[]", "{}", '{"subscriptionId": 1}', "elsewhere"])
def test_a_spoilt_memory_of_a_registry(kept: str, gateway: AzureGateway, emulator: RunningEmulator, tmp_path: Path) -> None:
    """It is asked for again; a token is never sent to an address that is not Azure ML's."""
    assert gateway.read_model("azureml", "Phi-4", "8") is not None
    (file,) = (tmp_path / "cache").glob("registry-*.json")
    if kept == "elsewhere":
        kept = json.dumps({**json.loads(file.read_text()), "primaryRegionResourceProviderUri": "https://azureml.ms.example.com/"})
    file.write_text(kept)
    emulator.control("DELETE", "/requests")
    assert gateway.read_model("azureml", "Phi-4", "8") is not None
    assert len([entry for entry in emulator.requests() if entry["path"].endswith("/discovery")]) == 1


def test_a_version_that_the_registry_has_not(gateway: AzureGateway) -> None:
    assert gateway.read_model("azureml", "Phi-4", "8?x=9&y") is None
    assert gateway.read_component("azureml", "chat_completion_pipeline", "0.0.0") is None
