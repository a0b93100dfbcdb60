"""How a target is reached: which credential the surroundings choose, and that everybody shares its tokens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from fineforge.azure import connection
from fineforge.core.diagnostics import FineforgeError

VARIABLES = ("AZURE_", "ACTIONS_", "AZURESUBSCRIPTION_", "SYSTEM_")
OIDC = {
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-this-run",
    "AZURE_TENANT_ID": "22222222-2222-4222-8222-222222222222",
    "AZURE_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
}
PIPELINES = {
    "AZURESUBSCRIPTION_TENANT_ID": "22222222-2222-4222-8222-222222222222",
    "AZURESUBSCRIPTION_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "a-connection",
    "SYSTEM_ACCESSTOKEN": "a-token",
    "SYSTEM_OIDCREQUESTURI": "https://dev.azure.com/oidc",
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(VARIABLES):
            monkeypatch.delenv(name)


class GitHub(BaseHTTPRequestHandler):
    """What a runner's address for ID tokens does: another token each time, only for who knows the run's secret."""

    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] == "Bearer of-this-run"
        self.asked.append(self.path)
        body = json.dumps({"value": f"token-{len(self.asked)}"} if allowed else {"message": "no"}).encode()
        self.send_response(200 if allowed else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The paths that were asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    GitHub.asked.clear()
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"http://127.0.0.1:{server.server_port}/id?run=7")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name, value in OIDC.items():
        monkeypatch.setenv(name, value)
    yield GitHub.asked
    server.shutdown()
    server.server_close()


def test_a_laptop() -> None:
    made = connection.credential()
    assert type(made).__name__ == "DefaultAzureCredential"
    assert "InteractiveBrowserCredential" not in [type(entry).__name__ for entry in made.credentials], "there is no terminal"


def test_github_gives_a_fresh_token_each_time(github: list[str]) -> None:
    made = connection.credential()
    assert type(made).__name__ == "ClientAssertionCredential"
    assert [connection._github_assertion(), connection._github_assertion()] == ["token-1", "token-2"]
    assert github == ["/id?run=7&audience=api://AzureADTokenExchange"] * 2


def test_github_refuses(github: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of-another-run")
    with pytest.raises(FineforgeError) as caught:
        connection._github_assertion()
    (found,) = caught.value.diagnostics
    assert found.code == "FF402" and "id-token: write" in found.hint and "of-another-run" not in str(found)
    assert len(github) == 1


def test_azure_pipelines(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PIPELINES.items():
        monkeypatch.setenv(name, value)
    assert type(connection.credential()).__name__ == "AzurePipelinesCredential"


@pytest.mark.parametrize("missing", PIPELINES)
def test_half_a_pipeline_is_none(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PIPELINES.items():
        if name != missing:
            monkeypatch.setenv(name, value)
    assert type(connection.credential()).__name__ == "DefaultAzureCredential"


class Counting:
    """A credential that says how often it was asked; its tokens live for the given seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.asked = seconds, 0

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked += 1
        return AccessToken(f"{scopes[0]} {self.asked}", int(time.time() + self.seconds))


def test_threads_share_one_token_per_audience() -> None:
    inner = Counting(3600)
    shared = connection.SharedCredential(inner)
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: shared.get_token("arm").token, range(32)))
    assert tokens == {"arm 1"}
    assert shared.get_token("ml").token == "ml 2"
    assert shared.get_token("arm", claims="{}").token == "arm 3", "a challenge is for the service to answer"
    assert shared.get_token("arm").token == "arm 3"


def test_a_token_that_ends_soon_is_renewed() -> None:
    inner = Counting(connection.REFRESH_SECONDS - 1)
    shared = connection.SharedCredential(inner)
    assert [shared.get_token("arm").token for _ in range(2)] == ["arm 1", "arm 2"]
