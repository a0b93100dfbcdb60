"""Whatever a client sends to the emulator is answered: by a refusal of the service, or by a 501 that names what is not there.

500 is what the emulator says when it fails by itself, so none may ever come, nor may a connection end without an answer.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.emulator import wire
from tests.emulator.wire import BODIES
from tests.scenarios.fuzz.test_readers import DEPTH, VALUES, examples, spoiled
from tests.support.running_emulator import RunningEmulator

WORKS = {
    "computes/gpu": BODIES.compute_body(),
    "data/train/versions/1": BODIES.data_body(),
    "jobs/again": BODIES.job_body({"num_train_epochs": "2"}),
    "models/tuned/versions/2": BODIES.model_body(),
    "onlineEndpoints/answers": BODIES.endpoint_body(),
    "onlineEndpoints/answers/deployments/green": BODIES.deployment_body(),
}
"""Where a body is put, and one that is right."""
OTHERS = (
    "jobs/done/cancel",
    "onlineEndpoints/answers/listKeys",
    "onlineEndpoints/answers/regenerateKeys",
    "onlineEndpoints/answers/token",
    "onlineEndpoints/answers/deployments/blue/getLogs",
    "datastores/workspaceblobstore/listSecrets",
)
REGIONAL = "https://eastus.api.azureml.ms"
NAMES = st.text(max_size=12) | st.sampled_from(
    ["..", "%2e%2e", "a/b", "\u0000", "\x1f", "gpu", "answers", "x" * 300, "'", "\u202e"]
)
QUERY = st.dictionaries(
    st.sampled_from(["$skip", "$top", "$orderBy", "listViewType", "tag", "api-version", "x"]), NAMES, max_size=2
)


@pytest.fixture(scope="module")
def world(emulator_process: RunningEmulator) -> Iterator[RunningEmulator]:
    emulator_process.reset()
    wire.deployed(emulator_process, blue=100)
    yield emulator_process
    emulator_process.reset()


def answered(emulator: RunningEmulator, method: str, url: str, **more: Any) -> None:
    answer = emulator.send(method, url, **more)
    assert answer.status_code != 500, f"{method} {url} {more}: {(emulator.home / 'emulator.log').read_text()[-3000:]}"
    if answer.status_code >= 400 and method != "HEAD" and answer.content and ".blob." not in url:
        assert "error" in answer.json()


@DEPTH
def test_bodies(count: int, world: RunningEmulator) -> None:
    """PUT and PATCH of bodies that were right, but for some places; as often as they are taken, the object can still be read."""

    def send(path: str, body: Any, method: str) -> None:
        answered(world, method, path, data=json.dumps(body).encode())
        answered(world, "GET", path)
        answered(world, "GET", path.rsplit("/", 1)[0])

    bodies = st.sampled_from(sorted(WORKS)).flatmap(lambda path: st.tuples(st.just(path), spoiled([WORKS[path]])))
    methods = st.sampled_from(["PUT", "PUT", "PUT", "PATCH"])
    examples(count)(given(bodies, methods)(lambda chosen, method: send(*chosen, method)))()


@DEPTH
def test_actions_and_history(count: int, world: RunningEmulator) -> None:
    history = f"{REGIONAL}/history/v1.0{world.workspace}"
    mlflow = f"{REGIONAL}/mlflow/v1.0{world.workspace}/api/2.0/mlflow"
    sent = [
        *(("POST", path) for path in OTHERS),
        ("POST", f"{mlflow}/runs/search"),
        ("PATCH", f"{history}/experiments/e/runs/done"),
        ("POST", "https://login.microsoftonline.com/t/oauth2/v2.0/token"),
        ("POST", "https://answers.eastus.inference.ml.azure.com/score"),
    ]

    def send(chosen: tuple[str, str], body: Any, raw: bytes, as_json: bool) -> None:
        answered(world, *chosen, data=json.dumps(body).encode() if as_json else raw)

    examples(count)(given(st.sampled_from(sent), VALUES, st.binary(max_size=60), st.booleans())(send))()


@DEPTH
def test_names_and_queries(count: int, world: RunningEmulator) -> None:
    collections = ("computes/{}", "jobs/{}", "models/{}/versions", "data/{}/versions/{}", "onlineEndpoints/{}/deployments/{}")
    hosts = (
        "",
        f"{REGIONAL}/history/v1.0{world.workspace}/runs/{{}}/details",
        "https://fineforgelocal.blob.core.windows.net/azureml/{}",
    )

    def send(method: str, pattern: str, first: str, second: str, query: dict[str, str]) -> None:
        assume(first and second)
        url = pattern.format(quote(first, safe="%"), quote(second, safe="%"))
        asked = "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items())
        answered(world, method, f"{url}?{asked}" if asked else url)

    patterns = st.sampled_from([*collections, *hosts[1:]])
    examples(count)(given(st.sampled_from(["GET", "DELETE", "HEAD", "OPTIONS"]), patterns, NAMES, NAMES, QUERY)(send))()


@DEPTH
def test_bytes_on_the_port(count: int, world: RunningEmulator) -> None:
    """Not even HTTP: the port answers or closes, and goes on serving."""
    heads = st.sampled_from(
        [b"CONNECT ", b"GET / HTTP/1.1\r\n", b"POST /faults HTTP/1.1\r\nHost: localhost\r\n", b"\x16\x03\x01", b""]
    )
    tails = st.binary(max_size=80) | st.sampled_from(
        [b"\r\n\r\n", b"management.azure.com:443 HTTP/1.1\r\n\r\n", b"Content-Length: -1\r\n\r\n"]
    )

    def send(head: bytes, tail: bytes) -> None:
        with socket.create_connection(("127.0.0.1", world.port), timeout=20) as line:
            line.sendall(head + tail)
            line.shutdown(socket.SHUT_WR)
            while line.recv(65536):
                pass

    def settle(head: bytes, tail: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            send(head, tail)
        assert world.control("GET", "/")["service"] == "fineforge emulator"

    examples(count)(given(heads, tails)(settle))()
