"""A script that knows only the official SDK walks the tutorial, against the emulator, with nothing but environment variables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.running_emulator import RunningEmulator

TUTORIAL = Path(__file__).parent / "tutorial.py"


def test_the_official_tutorial(emulator: RunningEmulator, tmp_path: Path) -> None:
    environment = {**emulator.environment(), "HOME": str(tmp_path)}
    command = [sys.executable, TUTORIAL, "found.json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found == {
        "base": "azureml://registries/azureml/models/Phi-4/versions/8",
        "component": "azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.82",
        "pinned_component": "0.0.65",
        "cluster_was_missing": True,
        "cluster": "Succeeded",
        "gpus": 1,
        "job": "Completed",
        "listed_jobs": True,
        "registered": "1",
        "versions": ["1"],
        "latest": "1",
        "model_files": ["MLmodel", "answers.json"],
        "traffic": {"demo": 100},
        "deployments": ["demo"],
        "has_keys": True,
        "logs_are_text": True,
        "answer": "Tulips and daffodils.",
        "another_answer": "I do not know.",
        "endpoints_left": [],
        "data": "2",
        "cancelled": "Completed",
        "tagged": "yes",
    }
    statuses = [entry["status"] for entry in emulator.requests()]
    assert 501 not in statuses and 500 not in statuses
