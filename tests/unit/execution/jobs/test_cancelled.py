"""A job that somebody cancels: the apply that waits for it says so, and nothing takes it for a finished one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fineforge import engine
from fineforge.core.diagnostics import errors
from fineforge.core.events import Event, EventKind
from fineforge.core.plan import WRITES, Action, Mode, Plan
from tests.scenarios.invariants.client import QUICKSTART
from tests.support import single
from tests.support.running_emulator import RunningEmulator, running

CANCEL = """
import os, sys
from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential
where = [os.environ[f"AZUREML_ARM_{part}"] for part in ("SUBSCRIPTION", "RESOURCEGROUP", "WORKSPACE_NAME")]
MLClient(DefaultAzureCredential(), *where).jobs.begin_cancel(sys.argv[1]).wait()
"""
"""What a colleague runs who knows nothing of fineforge."""


@pytest.fixture
def stepped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningEmulator]:
    """An emulator whose jobs are over after some looks at them."""
    with running("--lifecycle", "stepped") as emulator:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("FINEFORGE_EMULATOR_HOME", str(emulator.home))
        yield emulator


def job_step(made: Plan) -> tuple[str, Action]:
    return next((step.key.name, step.action) for step in made.steps if step.key.kind == "job")


def test_cancelled_through_the_sdk_while_an_apply_waits(stepped: RunningEmulator) -> None:
    cancelled: list[str] = []

    def listen(event: Event) -> None:
        if event.kind is EventKind.PROGRESS and event.step.key.kind == "job" and not cancelled:
            cancelled.append(event.step.key.name)
            command = [sys.executable, "-c", CANCEL, event.step.key.name]
            subprocess.run(command, env={**os.environ, **stepped.environment()}, check=True, capture_output=True, timeout=120)

    loaded = single.load(QUICKSTART)
    with engine.connect(loaded, "local") as gateway:
        made = single.plan(loaded, gateway).plan
        outcome = single.apply(made, loaded, gateway, listen, threading.Event())
        name, _ = job_step(made)
        assert cancelled == [name] and engine.outcome_exit_code(outcome) == 1
        (told,) = outcome.failed.values()
        assert told.code == "FF504" and "--retry-failed" in told.hint
        assert not any(step.key.kind in ("model", "deployment") for step in made.steps if step.id in outcome.done)

        (found,) = errors(single.plan(loaded, gateway).plan.diagnostics)
        assert found.code == "FF305" and found.message == f"`job/{name}` was cancelled"
        assert not any(step.action in WRITES for step in single.plan(loaded, gateway).plan.steps if step.key.kind == "job")
        job, series = engine.metrics(single.at(loaded, gateway), gateway)
        assert job.name == name and series == {}

        again = single.plan(loaded, gateway, Mode.APPLY, retry_failed=True).plan
        assert job_step(again) == (f"{name}-r2", Action.NEW_VERSION)
        outcome = single.apply(again, loaded, gateway, lambda _: None, threading.Event())
        assert engine.outcome_exit_code(outcome) == 0
        assert not single.plan(loaded, gateway).plan.writes
        assert engine.metrics(single.at(loaded, gateway), gateway)[0].name == f"{name}-r2", (
            "the last attempt is the one that counts"
        )
        assert engine.metrics(single.at(loaded, gateway), gateway, 1)[0].name == name
        told_lines: list[str] = []
        engine.logs(single.at(loaded, gateway), gateway, told_lines.append, follow=True)
        assert any("instant trainer" in line for line in told_lines)
