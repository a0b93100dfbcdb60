"""The emulator as the tests use it: a process of its own, driven from outside over its one port."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from requests import Response, Session

from fineforge.host import emulator as local

ARM_AUDIENCE, ML_AUDIENCE = "https://management.azure.com", "https://ml.azure.com"


@dataclass(slots=True)
class RunningEmulator:
    home: Path
    facts: Mapping[str, Any]
    process: subprocess.Popen[bytes] | None
    """None where somebody else started it."""
    session: Session = field(default_factory=Session)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.facts["port"])

    @property
    def ca(self) -> Path:
        return Path(self.facts["ca"])

    @property
    def workspace(self) -> str:
        """The workspace's path in ARM."""
        where = self.facts
        return (
            f"/subscriptions/{where['subscription_id']}/resourceGroups/{where['resource_group']}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{where['workspace']}"
        )

    def environment(self) -> dict[str, str]:
        """For a program that knows nothing of fineforge, and for `fineforge --target local` alike."""
        return {**local.environment(local.Emulator(self.facts)), "FINEFORGE_EMULATOR_HOME": str(self.home)}

    # --- control, with --test-hooks only -----------------------------------------------------------------------------

    def reset(self) -> None:
        """As it was when it started: no objects, no blobs, no faults, an empty request log."""
        self.restore(self.home / "empty")
        self.control("DELETE", "/requests")

    def faults(self, *rules: Mapping[str, Any]) -> None:
        """Replaces the rules; `fineforge.emulator.testing.faults.Fault` names their keys."""
        self.control("POST", "/faults", {"rules": [dict(rule) for rule in rules]})

    def requests(self, writes: bool = False) -> list[dict[str, Any]]:
        """What came since the last reset: method, host, path, status, write. `writes`: resource writes only."""
        found: list[dict[str, Any]] = self.control("GET", "/requests")["requests"]
        return [entry for entry in found if entry["write"] or not writes]

    def uploads(self) -> list[dict[str, Any]]:
        """Writes of blobs since the last reset, but for those of apply leases."""
        asked = [entry for entry in self.requests() if ".blob." in entry["host"] and entry["method"] == "PUT"]
        return [entry for entry in asked if "/fineforge/leases/" not in entry["path"]]

    def snapshot(self, folder: Path) -> None:
        self.control("POST", "/snapshot", {"folder": str(folder)})

    def restore(self, folder: Path) -> None:
        self.control("POST", "/restore", {"folder": str(folder)})

    def plant(self, what: str, *values: Any) -> None:
        """A method of the rules' `Planted` (`quota`, `component`, `eviction` ...), and the values for it in order."""
        self.control("POST", "/planted", {"what": what, "values": values})

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(method, f"http://127.0.0.1:{self.port}{path}", json=body, proxies={}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    # --- as any client, without an SDK ---------------------------------------------------------------------------------

    def send(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = "",
        **more: Any,
    ) -> Response:
        """One request. A path goes to ARM, below the workspace where it does not begin with a slash, with an api-version.

        `token`: empty for one of the right audience, None for no header at all.
        """
        if not url.startswith("https://"):
            url = f"https://management.azure.com{url if url.startswith('/') else f'{self.workspace}/{url}'}"
            url += "" if "api-version=" in url else f"{'&' if '?' in url else '?'}api-version=2023-04-01-preview"
        sent = dict(headers or {})
        if token == "":
            token = self.token(_audience(url))
        if token:
            sent.setdefault("Authorization", f"Bearer {token}")
        proxies = {"https": f"http://127.0.0.1:{self.port}"}
        if body is not None:
            more["json"] = body
        return self.session.request(
            method, url, headers=sent, proxies=proxies, verify=str(self.ca), timeout=60, allow_redirects=False, **more
        )

    def token(self, audience: str) -> str:
        if audience not in self.tokens:
            form = {
                "grant_type": "client_credentials", "client_id": self.facts["client_id"],
                "client_secret": self.facts["client_secret"], "scope": f"{audience}/.default",
            }  # fmt: skip
            url = f"https://login.microsoftonline.com/{self.facts['tenant_id']}/oauth2/v2.0/token"
            self.tokens[audience] = self.send("POST", url, token=None, data=form).json()["access_token"]
        return self.tokens[audience]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends the process with a signal; its exit code."""
        assert self.process is not None
        self.session.close()
        self.process.send_signal(number)
        return self.process.wait(30)


def _audience(url: str) -> str:
    host = url.split("/")[2]
    if host.endswith(".blob.core.windows.net"):
        return "https://storage.azure.com"
    return ARM_AUDIENCE if host == "management.azure.com" else ML_AUDIENCE


def start(home: Path, *arguments: str, prefix: tuple[str, ...] = ()) -> RunningEmulator:
    """Returns when it answers. `prefix`: a command that runs it, as `prlimit`."""
    home.mkdir(parents=True, exist_ok=True)
    command = [*prefix, sys.executable, "-m", "fineforge.emulator", "serve", "--home", str(home), *arguments]
    with (home / "emulator.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
    assert process.stdout is not None
    with process.stdout as said:
        ready = said.readline()  # Empty where the process ends before it is ready.
    if not ready:
        process.wait(30)
        raise RuntimeError((home / "emulator.log").read_text())
    emulator = attach(home)
    emulator.process = process
    if "--test-hooks" in arguments and not (home / "empty").exists():
        emulator.snapshot(home / "empty")
    return emulator


def attach(home: Path) -> RunningEmulator:
    """To one that runs."""
    emulator = RunningEmulator(home, json.loads((home / "emulator.json").read_text()), None)
    emulator.session.trust_env = False
    return emulator


@contextmanager
def running(*arguments: str) -> Iterator[RunningEmulator]:
    """One that trains nothing and takes orders, in a home of its own, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="fineforge-emulator-") as home:
        emulator = start(Path(home), "--trainer", "instant", "--test-hooks", *arguments)
        try:
            yield emulator
        finally:
            if emulator.process and emulator.process.poll() is None:
                emulator.stop()
