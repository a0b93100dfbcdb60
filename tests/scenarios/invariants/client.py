"""fineforge as a library against the emulator, and as a process of its own that can be killed at an exact request."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineforge import engine
from fineforge.core.diagnostics import errors
from fineforge.core.events import Event, Outcome
from fineforge.core.plan import WRITES, Action, Mode, Plan, Step
from fineforge.documents.wording import reason_text
from tests.support import single
from tests.support.running_emulator import RunningEmulator

SPECS = sorted((Path(__file__).parents[3] / "specs").glob("*.yaml"))
QUICKSTART = next(path for path in SPECS if path.stem == "quickstart")
COLLECTIONS = {"computes": "compute", "data": "data", "jobs": "job", "models": "model", "onlineEndpoints": "endpoint"}


@dataclass(frozen=True)
class Client:
    emulator: RunningEmulator
    spec: Path = QUICKSTART

    def plan(self, mode: Mode = Mode.APPLY) -> Plan:
        loaded = single.load(self.spec)
        with engine.connect(loaded, "local") as gateway:
            made = single.plan(loaded, gateway, mode).plan
        assert not errors(made.diagnostics), made.diagnostics
        return made

    def carry_out(self, made: Plan) -> Outcome:
        def listen(_: Event) -> None:
            pass

        loaded = single.load(self.spec)
        with engine.connect(loaded, "local") as gateway:
            return single.apply(made, loaded, gateway, listen, threading.Event())

    def apply(self, mode: Mode = Mode.APPLY) -> Plan:
        """Plans and carries out; everything must come true."""
        made = self.plan(mode)
        outcome = self.carry_out(made)
        assert engine.outcome_exit_code(outcome) == 0, outcome
        return made

    def pending(self, mode: Mode = Mode.APPLY) -> list[str]:
        return [f"{step.id}: {reason_text(step)}" for step in self.plan(mode).writes]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command line, in a process of its own; `{spec}` stands for the spec."""
        command = [sys.executable, "-m", "fineforge", *(word.replace("{spec}", str(self.spec)) for word in words)]
        return subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL
        )

    def killed(self, rule: Mapping[str, Any], *words: str) -> int:
        """Runs a command that the emulator kills by `rule`; its exit code. The rule must know the pid before the first request,
        so that the process is a shell at first, which waits for a line and then becomes the command."""
        command = ["sh", "-c", 'read line && exec "$@"', "sh", sys.executable, "-m", "fineforge"]
        process = subprocess.Popen(
            [*command, *(word.replace("{spec}", str(self.spec)) for word in words)],
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.emulator.faults({"what": "kill", "pid": process.pid, "writes": True, **rule})
        process.communicate(b"\n", timeout=120)
        self.emulator.faults()
        return process.returncode

    def environment(self) -> dict[str, str]:
        """Only where the emulator is: nothing leads the client's traffic but what it reads in `emulator.json`."""
        return {**os.environ, "FINEFORGE_EMULATOR_HOME": str(self.emulator.home)}


def written(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Method and key of a resource write in the request log; keys as `ResourceKey` writes them."""
    if "/registries/" in entry["path"]:
        registry, action = entry["path"].split("/registries/", 1)[1].split("/")
        assert action == "import", entry
        return entry["method"], f"publication/{registry}"
    inside = entry["path"].split("/workspaces/", 1)[1].split("/", 1)[1]
    collection, name, *more = inside.split("/")
    kind = COLLECTIONS[collection]
    match more:
        case ["versions", version]:
            return entry["method"], f"{kind}/{name}:{version}"
        case ["deployments", deployment]:
            return entry["method"], f"deployment/{name}/{deployment}"
        case ["cancel"]:
            return "CANCEL", f"{kind}/{name}"
        case []:
            return entry["method"], f"{kind}/{name}"
    raise AssertionError(f"a write that no step can mean: {entry}")


def promised(step: Step) -> tuple[str, str]:
    """What the one write of a step looks like."""
    assert step.action in WRITES
    method = {Action.DELETE: "DELETE", Action.CANCEL: "CANCEL"}.get(step.action, "PUT")
    if step.key.kind == "publication":  # what is copied stands in the body
        return "POST", f"publication/{step.key.parent}"
    return method, str(step.key)


def inventory(emulator: RunningEmulator) -> dict[str, dict[str, Any]]:
    """Every object of the workspace, archived ones too, by its path below the workspace."""
    found: dict[str, dict[str, Any]] = {}

    def add(collection: str) -> list[str]:
        view = "?listViewType=All" if collection.split("/")[0] in ("jobs", "models", "data") else ""
        answer = emulator.send("GET", collection + view)
        assert answer.status_code == 200, answer.text
        rows = answer.json()["value"]
        found.update({f"{collection}/{row['name']}": row for row in rows})
        return [row["name"] for row in rows]

    for collection in ("computes", "jobs", "onlineEndpoints", "models", "data"):
        for name in add(collection):
            if collection == "onlineEndpoints":
                add(f"{collection}/{name}/deployments")
            if collection in ("models", "data"):
                add(f"{collection}/{name}/versions")
    return found


def settled(body: Any) -> Any:
    """A body without what an operation of somebody else on the same object changes by itself: times."""
    if isinstance(body, dict):
        return {key: settled(value) for key, value in body.items() if not re.search(r"(At|Time|Utc)\Z", key)}
    return [settled(value) for value in body] if isinstance(body, list) else body
