"""The official SDK, unmodified, walks the official tutorial against the emulator, and cannot tell it from Azure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running_emulator import RunningEmulator, running

SCRIPT = Path(__file__).parent / "tutorial.py"


@pytest.fixture
def slow_emulator() -> Iterator[RunningEmulator]:
    """Everything takes some looks until it is done, so that the SDK really waits and streams."""
    with running("--lifecycle", "stepped") as emulator:
        yield emulator


def test_the_tutorial(slow_emulator: RunningEmulator, tmp_path: Path) -> None:
    emulator = slow_emulator
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)],
        env={**emulator.environment(), "HOME": str(tmp_path), "AZURE_CORE_COLLECT_TELEMETRY": "0"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    seen = json.loads((tmp_path / "seen.json").read_text())
    answer = '{"output": "Green below the water, white above it."}'
    assert seen == {
        "model": "azureml://registries/azureml/models/Phi-4/versions/8",
        "component": "azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.82",
        "cluster": {"state": "Succeeded", "gpus": 1, "max": 2},
        "job": {"status": "Completed", "listed": True},
        "registered": {"listed": ["1"], "files": ["MLmodel", "answers.json"], "type": "mlflow_model"},
        "served": {
            "deployment": "Succeeded",
            "scoring": "eastus.inference.ml.azure.com/score",
            "key": True,
            "by header": answer,
            "by traffic": answer,
            "deployments": ["demo"],
        },
        "left": [],
    }
    assert "instant trainer" in ran.stdout, "the job's log is streamed"
    requests = emulator.requests()
    assert not [entry for entry in requests if entry["status"] >= 500]
    writes = [
        (entry["method"], entry["path"].split("/workspaces/local/")[1].split("/")[0]) for entry in requests if entry["write"]
    ]
    assert writes == [
        ("PUT", "computes"), ("PUT", "jobs"), ("PUT", "models"), ("PUT", "onlineEndpoints"), ("PUT", "onlineEndpoints"),
        ("PUT", "onlineEndpoints"), ("DELETE", "onlineEndpoints"), ("DELETE", "computes"),
    ]  # fmt: skip
    assert len({entry["host"] for entry in requests}) == 6
