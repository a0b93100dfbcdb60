"""Answers that are not what was asked for are errors with a code: never absence, never a crash, never a silent wait."""

from __future__ import annotations

import itertools
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline import Pipeline
from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential, DefaultAzureCredential

from fineforge.azure import AzureGateway, door
from fineforge.azure.connection import RETRIES, Connection, SharedCredential
from fineforge.azure.door import Door
from fineforge.azure.http import Http
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.gateway import Workspace
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, Mode, Plan, Step, StepReason
from fineforge.execution import executor as apply
from fineforge.host.retry_after import seconds_of
from tests.support.hostile import KINDS, Reply, busy, serving
from tests.support.running_emulator import RunningEmulator

LISTS = ["page", "empty", "cut", "null", "null list", "no list", "list", "text as list", "rows that are numbers", "nested"]
FAR = "Fri, 31 Dec 2999 23:59:59 GMT"
WHERE = Workspace("prod", "s", "g", "w")


def code_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(FineforgeError) as caught:
        call(*arguments)
    (found,) = caught.value.diagnostics
    assert found.hint
    return found.code


@pytest.fixture
def http() -> Iterator[Http]:
    made = Http(Connection(WHERE, None, notice=lambda _: None))
    yield made
    made.close()


class Waits:
    """A clock that a wait moves, and that shows what was waited."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.seconds: list[float] = []

    def door(self) -> Door:
        return Door(notice=self.told.append, pause=self.seconds.append)


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_is_none_is_not_empty(kind: str) -> None:
    with serving(KINDS[kind]()) as hostile:
        made = Http(Connection(WHERE, None))
        answer = made.send("GET", f"{hostile.url}/list", scope=None)
        assert code_of(door.rows_of, answer) == "FF424"
        made.close()


@pytest.mark.parametrize("kind", ["bomb", "endless"])
def test_an_answer_without_an_end_is_given_up(kind: str, http: Http) -> None:
    with serving(KINDS[kind]()) as hostile, pytest.raises(FineforgeError) as caught:
        http.send("GET", f"{hostile.url}/huge?sig=secret", scope=None)
    (found,) = caught.value.diagnostics
    assert found.code == "FF424" and "/huge" in found.message and "secret" not in found.message


def test_a_body_byte_by_byte_has_a_deadline() -> None:
    clock = itertools.count(0, door.ANSWER_SECONDS / 3)
    with serving(Reply(b'{"value": []}' * 1000, how="drip")) as hostile:
        pipeline: Any = Pipeline(Door(clock=lambda: next(clock)), [])
        assert code_of(pipeline.run, HttpRequest("GET", hostile.url)) == "FF424"


def test_a_body_that_breaks_off() -> None:
    with serving(KINDS["short"]()) as hostile, pytest.raises(ServiceResponseError):
        pipeline: Any = Pipeline(Door(), [])
        pipeline.run(HttpRequest("GET", hostile.url))


@pytest.mark.parametrize("after", ["86400", FAR, "61"])
def test_a_long_wait_is_not_waited_for(after: str) -> None:
    waits = Waits()
    with serving(busy(after)) as hostile:
        pipeline: Any = Pipeline(waits.door(), [RetryPolicy(**RETRIES)])
        assert code_of(pipeline.run, HttpRequest("GET", hostile.url)) == "FF406"
    assert waits.seconds == [] and len(hostile.asked) == 1


def test_a_short_wait_is_shown() -> None:
    waits = Waits()
    with serving(busy("30")) as hostile:
        pipeline: Any = Pipeline(waits.door(), [RetryPolicy(**RETRIES)])
        assert pipeline.run(HttpRequest("GET", hostile.url)).http_response.status_code == 429
    assert set(waits.seconds) == {30.0} and len(waits.told) == len(waits.seconds) < 6 and "waiting 30 s" in waits.told[0]


@pytest.mark.parametrize("after", ["soon", "-1e999", "nan", "Fri, 99 Foo 9999 99:99:99 GMT", "²"])
def test_a_wait_that_is_no_time_is_ignored(after: str) -> None:
    assert seconds_of(after) in (None, 0.0)


@pytest.mark.parametrize("kind", ["nested error", "odd error", "page with 404", "empty with 404", "redirect"])
def test_an_error_of_any_form_has_a_code(kind: str, http: Http) -> None:
    from fineforge.azure.errors import is_missing, refusal

    with serving(KINDS[kind]()) as hostile:
        try:
            answer = http.send("GET", hostile.url, scope=None)
        except FineforgeError as error:
            assert kind == "redirect" and error.diagnostics[0].code == "FF424"
            return
    assert not is_missing(answer.status, answer.body), "a proxy's 404 is not absence"
    assert refusal(answer.status, answer.body, "it").diagnostics[0].code.startswith("FF4")


def test_the_next_page_is_the_same_page(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    url = f"https://management.azure.com{emulator.workspace}/computes?api-version=2023-08-01-preview"
    body = {"value": [], "nextLink": url}
    emulator.faults({"what": "error", "status": 200, "path": "/computes", "body": body})
    assert code_of(gateway.list, "compute") == "FF424"
    assert len([entry for entry in emulator.requests() if entry["path"].endswith("/computes")]) == 1


@pytest.mark.parametrize("body", ["<html></html>", [1], {"value": None}, {"value": [1]}, {"value": "abc"}, {"a": 1}, 7])
def test_a_strange_list_is_an_error_of_the_gateway(body: Any, gateway: AzureGateway, emulator: RunningEmulator) -> None:
    emulator.faults({"what": "error", "status": 200, "path": "/deployments", "body": body})
    assert code_of(gateway.list, "deployment", "support") == "FF424"


@pytest.mark.parametrize("body", ["<html></html>", [1], {"a": 1}, {"location": 3}, {"location": "evil.example.com/"}])
def test_a_strange_workspace(body: Any, gateway: AzureGateway, emulator: RunningEmulator) -> None:
    emulator.faults({"what": "error", "status": 200, "path": r"/workspaces/[^/]+\Z", "body": body})
    assert code_of(gateway.location) == "FF424"


def test_a_strange_object_is_not_a_stranger(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    emulator.faults({"what": "error", "status": 200, "path": "/onlineEndpoints/", "body": {"a": 1}})
    assert code_of(gateway.get, ResourceKey("endpoint", "support")) == "FF424"


@pytest.mark.parametrize(
    "body",
    ["<html></html>", {"a": 1}, {"properties": {}}, {"properties": {"accountName": "a.example.com/", "containerName": "c"}}],
)
def test_a_strange_datastore(body: Any, gateway: AzureGateway, emulator: RunningEmulator, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("{}\n")
    emulator.faults({"what": "error", "status": 200, "path": "/datastores/", "body": body})
    assert code_of(gateway.upload, file, "up/rows.jsonl") == "FF424"
    assert code_of(gateway.leases) == "FF532"


def test_a_lease_is_taken_where_the_storage_says_so(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    """A page with 201 is not a lease."""
    leases = gateway.leases()
    emulator.faults({"what": "error", "status": 201, "path": r"\.blob\.", "method": "PUT", "body": {"a": 1}})
    assert code_of(leases.take, "shop/one", "11111111-1111-1111-1111-111111111111", 60) == "FF532"


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a TLS server whose certificate nobody trusts."""
    import socket

    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    openssl = shutil.which("openssl")
    assert openssl
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=localhost"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            try:
                context.wrap_socket(client, server_side=True).close()
            except OSError:
                client.close()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def test_tls_is_named_at_once(untrusted: int, http: Http) -> None:
    with pytest.raises(FineforgeError) as caught:
        http.send("GET", f"https://localhost:{untrusted}/x", scope=None)
    (found,) = caught.value.diagnostics
    assert found.code == "FF409" and "TLS" in found.message and "self-signed" in found.message


def test_tls_of_the_sign_in_is_named_at_once(untrusted: int) -> None:
    waits = Waits()
    inside = waits.door()
    credential = ClientSecretCredential(
        "t", "c", "s", authority=f"https://localhost:{untrusted}", transport=inside, disable_instance_discovery=True, **RETRIES
    )
    http = Http(Connection(WHERE, SharedCredential(credential), sign_in=inside))
    with pytest.raises(FineforgeError) as caught:
        http.send("GET", "https://management.azure.com/x")
    http.close()
    (found,) = caught.value.diagnostics
    assert found.code == "FF409" and "TLS" in found.message and "az login" not in found.hint
    assert waits.seconds == [], "nothing is waited for"


@pytest.mark.parametrize("body", ["<html></html>", {"value": None}, {"a": 1}, [1]])
def test_a_deletion_rereads_through_the_door(body: Any, gateway: AzureGateway, emulator: RunningEmulator) -> None:
    """Where the list of deployments is not a list, the endpoint stays: it may hold a stranger's deployment."""
    endpoint = ResourceKey("endpoint", "support")
    gateway.create(endpoint, "{name: support, auth_mode: key}")
    assert gateway.wait(endpoint, lambda _: None, lambda: False) is not None
    step = Step("endpoint.support", endpoint, Action.DELETE, StepReason.CREATED_HERE)
    execution = apply.Execution(gateway, {}, lambda _: None, threading.Event())
    emulator.faults({"what": "error", "status": 200, "path": r"/deployments\Z", "body": body})
    outcome = apply.run(Plan(1, Mode.DESTROY, "local", "s", "", {}, (step,)), execution)
    emulator.faults()
    assert outcome.failed[step.id].code == "FF424"
    assert gateway.get(endpoint) is not None


@pytest.mark.parametrize("kind", ["page", "empty", "null"])
def test_a_page_is_not_the_answer_of_a_model(kind: str, http: Http) -> None:
    with serving(KINDS[kind]()) as hostile:
        assert code_of(door.scored, http.send("POST", f"{hostile.url}/score", scope=None)) == "FF424"


def test_a_redirect_is_not_the_answer_of_a_model(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    endpoint = ResourceKey("endpoint", "support")
    gateway.create(endpoint, "{name: support, auth_mode: key}")
    assert gateway.wait(endpoint, lambda _: None, lambda: False) is not None
    emulator.faults({"what": "error", "status": 307, "path": r"/score\Z", "body": {"a": 1}})
    assert code_of(gateway.invoke, "support", None, {}) == "FF424"


def test_tls_is_named_where_a_chain_of_credentials_signs_in(untrusted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain drops what its members raised."""
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "x")
    inside = Door()
    credential = DefaultAzureCredential(
        authority=f"https://localhost:{untrusted}", transport=inside, disable_instance_discovery=True
    )
    http = Http(Connection(WHERE, SharedCredential(credential), sign_in=inside))
    assert code_of(http.send, "GET", "https://management.azure.com/x") == "FF409"
    http.close()
