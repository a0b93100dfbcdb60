"""The client's side of the emulator: where it is, starting and stopping it. They meet over HTTPS and in `emulator.json`.

Never imports `fineforge.emulator`, which may not even be installed (extra `fineforge[local]`).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import LOCAL, Workspace
from fineforge.host import files

START_SECONDS = 30.0
STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator, as its `emulator.json` tells."""

    facts: Mapping[str, Any]

    @property
    def home(self) -> Path:
        return Path(self.facts["home"])

    @property
    def pid(self) -> int:
        return int(self.facts["pid"])


def home() -> Path:
    """Where the emulator keeps everything: FINEFORGE_EMULATOR_HOME, else the user's state folder."""
    if configured := os.environ.get("FINEFORGE_EMULATOR_HOME"):
        return Path(configured).expanduser().resolve()
    from platformdirs import user_state_path

    return user_state_path("fineforge") / "emulator"


def read() -> Emulator | None:
    """The emulator that runs here; None where none does. A file that a killed emulator left behind counts for nothing."""
    try:
        facts = files.read_json(home() / "emulator.json")
        known = facts["format"] == 1 and _answers(facts)
    except (FineforgeError, OSError, ValueError, KeyError, TypeError):
        return None
    return Emulator(facts) if known else None


def require() -> Emulator:
    """The running emulator. Raises FF701 where there is none."""
    found = read()
    if found is None:
        raise FineforgeError(
            Diagnostic("FF701", "the local emulator is not running", hint="start it with `fineforge emulator start`")
        )
    return found


def workspace(emulator: Emulator) -> Workspace:
    facts = emulator.facts
    return Workspace(LOCAL, facts["subscription_id"], facts["resource_group"], facts["workspace"])


def start(port: int = 0, trainer: str = "", lifecycle: str = "instant", test_hooks: bool = False) -> Emulator:
    """Starts the emulator in the background and returns when it answers; a running one is returned, if it is as was asked for.

    Raises FF702 (the port is taken), FF703 (it did not start), FF704 (its packages are missing) or FF706 (one is starting,
    or runs with another port or trainer).
    """
    if found := read():
        _refuse_another(found, {"port": port, "trainer": trainer})
        return found
    folder = home()
    _make(folder)
    command = [sys.executable, "-m", "fineforge.emulator", "serve", "--home", str(folder), "--port", str(port)]
    command += ["--trainer", trainer or "real", "--lifecycle", lifecycle, *(["--test-hooks"] if test_hooks else [])]
    with log_file().open("ab") as log:
        begin = log.tell()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise FineforgeError(_not_started(begin))
        if (found := read()) and found.pid == process.pid:
            return found
        time.sleep(0.05)
    process.terminate()
    raise FineforgeError(_not_started(begin))


def stop() -> bool:
    """Stops the running emulator and waits until it is gone; False where none ran. State stays."""
    found = read()
    if found is None:
        return False
    _end(found.pid)
    return True


def reset() -> None:
    """Stops the emulator and deletes all its state: objects, blobs, runs."""
    stop()
    folder = home()
    for entry in ("state.sqlite", "state.sqlite-wal", "state.sqlite-shm", "emulator.json"):
        (folder / entry).unlink(missing_ok=True)
    for entry in ("blobs", "jobs", "deployments"):
        shutil.rmtree(folder / entry, ignore_errors=True)


def log_file() -> Path:
    return home() / "emulator.log"


LOG_BYTES = 8 << 20
"""Bytes of the log's end that are read."""


def logged(begin: int) -> list[str]:
    """Return the lines of the emulator's log from a byte on, those of the last `LOG_BYTES` at most."""
    with files.open_regular(log_file()) as log:
        log.seek(max(0, begin, os.fstat(log.fileno()).st_size - LOG_BYTES))
        return log.read(LOG_BYTES).decode("utf-8", "replace").strip().splitlines()


def environment(emulator: Emulator) -> dict[str, str]:
    """This process's variables, with those that lead any program's Azure traffic to the emulator put over them."""
    facts = emulator.facts
    routed = {
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://{facts['host']}:{facts['port']}"),
        **dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), facts["ca"]),
        "AZURE_TENANT_ID": facts["tenant_id"],
        "AZURE_CLIENT_ID": facts["client_id"],
        "AZURE_CLIENT_SECRET": facts["client_secret"],
        "AZUREML_ARM_SUBSCRIPTION": facts["subscription_id"],
        "AZUREML_ARM_RESOURCEGROUP": facts["resource_group"],
        "AZUREML_ARM_WORKSPACE_NAME": facts["workspace"],
        "AZUREML_RUN_POLLING_INTERVAL_MIN": "1",
        "AZUREML_RUN_POLLING_INTERVAL_MAX": "2",
    }
    kept = {name: value for name, value in os.environ.items() if name.upper() not in _MISLEADING}
    return {**kept, **routed}


_MISLEADING = {
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_DIR",
    "AZURE_AUTHORITY_HOST",
    "AZURE_TOKEN_CREDENTIALS",
}
"""Variables that would lead around the proxy, past its certificate, to another cloud, or to a credential that is not here."""


def _refuse_another(running: Emulator, asked: Mapping[str, Any]) -> None:
    for name, value in asked.items():
        if value and value != running.facts[name]:
            message = f"the emulator is already running with {name} {running.facts[name]}"
            hint = "stop it first with `fineforge emulator stop`; its state is kept"
            raise FineforgeError(Diagnostic("FF706", message, hint=hint))


def _answers(facts: Mapping[str, Any]) -> bool:
    """Whether the process that wrote the file is there: after a crash both port and process id may be somebody else's."""
    connection = http.client.HTTPConnection(facts["host"], facts["port"], timeout=2)
    try:
        connection.request("GET", "/")
        said = json.loads(connection.getresponse().read(1024))
        return bool(said["service"] == "fineforge emulator" and said["pid"] == facts["pid"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
    finally:
        connection.close()


def _end(pid: int) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            if read() is None and not _is_alive(pid):
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


def _is_alive(pid: int) -> bool:
    """Whether the process is there and no zombie; a child of ours is reaped on the way."""
    with contextlib.suppress(ChildProcessError, OSError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log_file().touch(0o600)
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        hint = "set FINEFORGE_EMULATOR_HOME to another folder"
        raise FineforgeError(Diagnostic("FF703", f"the emulator cannot use `{folder}`: {words}", hint=hint)) from None


def _not_started(begin: int) -> Diagnostic:
    said = logged(begin)
    last = said[-1] if said else "it said nothing"
    code, _, words = last.partition(" ")
    if "No module named" in last:
        return Diagnostic("FF704", f"the emulator's packages are missing: {last}", hint="`pip install 'fineforge[local]'`")
    match code:
        case "FF702":
            return Diagnostic("FF702", words, hint="choose another with `--port`, or omit it to use a free one")
        case "FF706":
            return Diagnostic("FF706", words, hint="`fineforge emulator status` shows it; or wait until it has stopped")
        case "FF703":
            return Diagnostic("FF703", words, hint="set FINEFORGE_EMULATOR_HOME to another folder")
        case _:
            return Diagnostic("FF703", f"the emulator did not start: {last}", hint="`fineforge emulator logs` shows the rest")
