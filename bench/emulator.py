"""An emulator for the benchmarks, and how many requests it answers."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

FINEFORGE = [sys.executable, "-m", "fineforge", "emulator"]
REQUESTS = 4000


@dataclass(frozen=True, slots=True)
class Running:
    home: Path
    facts: dict[str, Any]

    @property
    def home_only(self) -> dict[str, str]:
        """What fineforge needs to find it."""
        return {"FINEFORGE_EMULATOR_HOME": str(self.home)}

    def apply(self, spec: str) -> str:
        """Applies a spec; returns its objects as `status --json` tells them."""
        environment = {**os.environ, **self.home_only}
        words = [spec, "--target", "local"]
        subprocess.run([*FINEFORGE[:-1], "apply", *words, "--auto-approve"], env=environment, check=True, capture_output=True)
        told = subprocess.run([*FINEFORGE[:-1], "status", *words, "--json"], env=environment, check=True, capture_output=True)
        return json.dumps(json.loads(told.stdout)["objects"])

    def answer_late(self, seconds: float) -> None:
        """From now on every answer comes so much later."""
        rules = [{"what": "delay", "seconds": seconds}] if seconds else []
        self._hook("POST", "/faults", {"rules": rules})

    def count(self, words: list[str]) -> int:
        """Requests that a command makes."""
        self._hook("DELETE", "/requests")
        subprocess.run(words, env={**os.environ, **self.home_only}, check=True, capture_output=True)
        return len(self._hook("GET", "/requests")["requests"])

    def _hook(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection(self.facts["host"], self.facts["port"])
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {said.decode()}")
        return json.loads(said)

    @property
    def routed(self) -> dict[str, str]:
        """What any other program needs."""
        proxy = f"http://{self.facts['host']}:{self.facts['port']}"
        names = ("subscription_id", "resource_group", "workspace")
        where = dict(zip(("SUBSCRIPTION", "RESOURCEGROUP", "WORKSPACE_NAME"), (self.facts[name] for name in names), strict=True))
        return {
            **self.home_only,
            "HTTPS_PROXY": proxy,
            "REQUESTS_CA_BUNDLE": self.facts["ca"],
            "NO_PROXY": "",
            **{f"AZURE_{name.upper()}": self.facts[name] for name in ("tenant_id", "client_id", "client_secret")},
            **{f"AZUREML_ARM_{name}": value for name, value in where.items()},
        }


@contextmanager
def running(home: Path) -> Iterator[Running]:
    environment = {**os.environ, "FINEFORGE_EMULATOR_HOME": str(home)}
    subprocess.run(
        [*FINEFORGE, "start", "--trainer", "instant", "--test-hooks"], env=environment, check=True, capture_output=True
    )
    try:
        yield Running(home, json.loads((home / "emulator.json").read_text(encoding="utf-8")))
    finally:
        subprocess.run([*FINEFORGE, "stop"], env=environment, check=True, capture_output=True)


def rates(emulator: Running) -> dict[str, float]:
    """GETs a second of the emulator's own CPU, over one kept connection; a path that exists, and one that does not."""
    facts = emulator.facts
    context = ssl.create_default_context(cafile=facts["ca"])
    connection = HTTPSConnection(facts["host"], facts["port"], context=context)
    connection.set_tunnel("management.azure.com", 443)
    token = _token(facts, context)
    workspace = (
        f"/subscriptions/{facts['subscription_id']}/resourceGroups/{facts['resource_group']}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{facts['workspace']}"
    )
    paths = {"GET a cluster": "/computes/quickstart-gpu", "GET that answers 404": "/computes/nobody"}
    return {
        what: _rate(connection, f"{workspace}{path}?api-version=2023-08-01-preview", token, facts) for what, path in paths.items()
    }


def _rate(connection: HTTPSConnection, path: str, token: str, facts: dict[str, Any]) -> float:
    headers = {"Authorization": f"Bearer {token}"}
    begin = 0.0
    for number in range(REQUESTS + 200):
        if number == 200:
            begin = _cpu_seconds(facts["pid"])
        connection.request("GET", path, headers=headers)
        connection.getresponse().read()
    return REQUESTS / (_cpu_seconds(facts["pid"]) - begin)


def _token(facts: dict[str, Any], context: ssl.SSLContext) -> str:
    connection = HTTPSConnection(facts["host"], facts["port"], context=context)
    connection.set_tunnel("login.microsoftonline.com", 443)
    form = {
        "grant_type": "client_credentials",
        "client_id": facts["client_id"],
        "client_secret": facts["client_secret"],
        "scope": "https://management.azure.com/.default",
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", f"/{facts['tenant_id']}/oauth2/v2.0/token", urlencode(form), headers)
    return str(json.loads(connection.getresponse().read())["access_token"])


def _cpu_seconds(pid: int) -> float:
    """User and system time of one process, from /proc; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
