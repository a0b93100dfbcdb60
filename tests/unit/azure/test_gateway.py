"""The gateway over HTTPS: what it retries, what it gives up on; nothing of it leaks into the process or onto the terminal."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fineforge.azure import AzureGateway, connection, lease, storage
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.objects import ResourceKey
from fineforge.host import emulator as local
from tests.support.running_emulator import RunningEmulator

CLUSTER = ResourceKey("compute", "gpu")
ID = "11111111-1111-1111-1111-111111111111"
YAML = "{name: gpu, type: amlcompute, size: Standard_NC24ads_A100_v4, min_instances: 0, max_instances: 1}"
ERROR = {"what": "error", "path": "/computes/"}
QUICK = {"headers": {"retry-after-ms": "10"}}
"""What the service answers beside an error, so that nobody waits long."""


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(FineforgeError) as caught:
        call(*arguments)
    (found,) = caught.value.diagnostics
    return found.code


def never() -> bool:
    return False


def test_created_and_read(gateway: AzureGateway, capfd: pytest.CaptureFixture[str]) -> None:
    before = dict(os.environ)
    assert gateway.get(CLUSTER) is None
    gateway.create(CLUSTER, YAML)
    raw = gateway.wait(CLUSTER, lambda _: None, never)
    assert raw is not None and raw["properties"]["provisioningState"] == "Succeeded"
    assert set(gateway.list("compute")) == {CLUSTER}
    gateway.delete(CLUSTER)
    assert gateway.wait(CLUSTER, lambda _: None, never) is None
    gateway.delete(CLUSTER)
    changed = {name for name, _ in before.items() ^ os.environ.items()}
    assert changed <= {"AZUREML_CURRENT_CLOUD"}, "the SDK sets that; no proxy, certificate or credential is for the whole process"
    assert capfd.readouterr() == ("", ""), "the SDK prints; that is kept off the terminal"


@pytest.mark.parametrize(("status", "when"), [(429, "before"), (503, "before"), (500, "after")])
def test_a_passing_fault_is_tried_again(status: int, when: str, gateway: AzureGateway, emulator: RunningEmulator) -> None:
    emulator.faults({**ERROR, **QUICK, "status": status, "when": when, "method": "PUT", "nth": 1})
    gateway.create(CLUSTER, YAML)
    assert gateway.get(CLUSTER) is not None
    assert [entry["status"] for entry in emulator.requests(writes=True)][-1] in (200, 201)


@pytest.mark.parametrize(("status", "code"), [(429, "FF406"), (503, "FF407"), (403, "FF403"), (501, "FF408"), (409, "FF414")])
def test_a_lasting_fault_has_its_code(status: int, code: str, gateway: AzureGateway, emulator: RunningEmulator) -> None:
    body = {"error": {"code": "AuthorizationFailed" if status == 403 else "Oops", "message": "no"}}
    emulator.faults({**ERROR, **QUICK, "status": status, "body": body})
    assert refused(gateway.get, CLUSTER) == code
    assert len(emulator.requests()) < 12


def test_a_wait_outlives_a_fault_of_the_service(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    gateway.create(CLUSTER, YAML)
    emulator.faults(*({**ERROR, **QUICK, "status": 503, "method": "GET", "nth": nth} for nth in range(1, 9)))
    assert gateway.wait(CLUSTER, lambda _: None, never) is not None


def test_azure_ml_refuses_a_yaml(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    assert refused(gateway.create, CLUSTER, "{name: gpu, type: amlcompute, size: [1]}") == "FF418"
    assert refused(gateway.create, CLUSTER, YAML.replace("Standard_NC24ads_A100_v4", "Standard_Nothing")) == "FF411"
    assert emulator.send("GET", "computes").json()["value"] == []


def test_quota_and_names_of_others(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    emulator.plant("name_taken", "wanted")
    key = ResourceKey("endpoint", "wanted")
    assert refused(gateway.create, key, "{name: wanted, auth_mode: key}") == "FF412"
    emulator.plant("quota", "standardNCADSA100v4Family", 0)
    gateway.create(CLUSTER, YAML)
    raw = gateway.wait(CLUSTER, lambda _: None, never)
    assert raw is not None and raw["properties"]["provisioningState"] == "Failed"


def test_a_job_of_another_body(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    text = "{$schema: x, name: rows, version: '1', type: uri_file, path: azureml://datastores/workspaceblobstore/paths/%s}"
    key = ResourceKey("data", "rows", "1")
    gateway.create(key, text % "a.jsonl")
    gateway.create(key, text % "a.jsonl")
    assert refused(gateway.create, key, text % "b.jsonl") == "FF415"


def test_signing_in_is_refused(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    emulator.faults({"what": "error", "status": 401, "path": "/oauth2/", "body": {
        "error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}})  # fmt: skip
    assert refused(gateway.get, CLUSTER) == "FF402"


def test_the_service_takes_no_token(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    emulator.faults({**ERROR, "status": 401, "body": {"error": {"code": "ExpiredAuthenticationToken", "message": "expired"}}})
    assert refused(gateway.get, CLUSTER) == "FF402"


def test_nobody_answers(emulator: RunningEmulator, tmp_path: Path) -> None:
    """As when the emulator ended meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    facts = {**emulator.facts, "port": port}
    reached = connection.to_emulator(local.workspace(local.Emulator(facts)), facts)
    reached = replace(reached, credential=connection.to_emulator(reached.workspace, emulator.facts).credential)
    gateway = AzureGateway(reached, tmp_path)
    assert refused(gateway.get, CLUSTER) == "FF409"
    gateway.close()


def test_another_workspace(emulator: RunningEmulator, tmp_path: Path) -> None:
    facts = {**emulator.facts, "workspace": "another"}
    gateway = AzureGateway(connection.to_emulator(local.workspace(local.Emulator(facts)), facts), tmp_path)
    assert refused(gateway.location) == "FF405"
    assert refused(gateway.get, CLUSTER) == "FF405", "no object of a missing workspace is absent"
    gateway.close()


def test_whole_uploads_are_not_repeated(gateway: AzureGateway, emulator: RunningEmulator, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"x" * 1000)
    gateway.upload(file, "up/rows.jsonl")
    gateway.upload(file, "up/rows.jsonl")
    sent = [entry["method"] for entry in emulator.requests() if ".blob." in entry["host"]]
    assert sent == ["HEAD", "PUT", "HEAD"]


def test_an_upload_that_was_cut_off_is_sent_again(gateway: AzureGateway, emulator: RunningEmulator, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"x" * 1000)
    emulator.faults({"what": "error", "status": 500, "method": "PUT", "path": r"\.blob\."})
    assert refused(gateway.upload, file, "up/rows.jsonl") == "FF417"
    emulator.faults()
    gateway.upload(file, "up/rows.jsonl")
    where = emulator.send("GET", "datastores/workspaceblobstore").json()["properties"]
    blob = f"https://{where['accountName']}.blob.core.windows.net/{where['containerName']}/up/rows.jsonl"
    assert emulator.send("GET", blob).content == b"x" * 1000


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        ({"what": "error", "status": 429, "headers": {"Retry-After": "0"}, "method": "PUT"}, r"\.blob\."),
        ({"what": "drop", "when": "after", "method": "PUT"}, r"\.blob\."),
        ({"what": "drop", "when": "before"}, r"/listSecrets\Z"),
        ({"what": "drop", "when": "after"}, r"/listSecrets\Z"),
    ],
)
@pytest.mark.parametrize("does", ["upload", "lease"])
def test_the_storage_is_asked_again(
    does: str, fault: dict[str, Any], where: str, gateway: AzureGateway, emulator: RunningEmulator, tmp_path: Path
) -> None:
    """Throttled, or the connection broke: within the same run, with one request more than without."""
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"x" * 1000)
    emulator.faults({**fault, "path": where, "nth": 1})
    sent = []
    for name in ("struck", "spared"):
        before = len(emulator.requests())
        if does == "upload":
            storage.upload(gateway._http, gateway._connection, file, f"up/{name}")
        else:
            assert lease.of_datastore(gateway._http, gateway._connection).take(f"shop/{name}", ID, 60)
        sent.append(sum(".blob." in entry["host"] or "listSecrets" in entry["path"] for entry in emulator.requests()[before:]))
    assert sent[0] == sent[1] + 1


def test_a_storage_that_throttles_for_good(gateway: AzureGateway, emulator: RunningEmulator, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"x" * 1000)
    emulator.faults({"what": "error", "status": 429, "headers": {"Retry-After": "0"}, "method": "PUT", "path": r"\.blob\."})
    assert refused(gateway.upload, file, "up/rows.jsonl") == "FF406"
    assert len([entry for entry in emulator.requests() if entry["method"] == "PUT"]) == 4


def test_the_leases_of_many_specs_share_one_connection(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    for name in ("shop/one", "shop/two", "shop/three"):
        assert gateway.leases().take(name, ID, 60)
    assert len([entry for entry in emulator.requests() if entry["path"].endswith("/listSecrets")]) == 1


def test_many_threads_one_token(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    gate = threading.Barrier(8)

    def read(_: int) -> Any:
        gate.wait()
        return gateway.get(CLUSTER)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [None] * 8
    tokens = [entry for entry in emulator.requests() if entry["path"].endswith("/token")]
    assert len(tokens) == 1


def test_reading_does_not_load_the_sdk() -> None:
    """It takes a second or two; a plan only reads."""
    code = "import sys, fineforge.azure, fineforge.engine; print([name for name in sys.modules if name.startswith('azure.ai')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
