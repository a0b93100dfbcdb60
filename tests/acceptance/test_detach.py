"""`apply --detach` over the command line, while a job takes its time: it returns, and what comes after goes on from there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FINEFORGE = [sys.executable, "-m", "fineforge"]
SPEC = str(Path(__file__).parent / "sessions" / "jobs" / "spec.yaml")


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [*FINEFORGE, words[0], SPEC, "--target", "local", *words[1:]]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran


def test_detached_and_gone_on(slow: dict[str, str], tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [
        json.loads(line) for line in run(slow, "apply", "--auto-approve", "--detach", "--json").stdout.splitlines()
    ]
    (detached,) = [event for event in events if event["type"] == "apply_detached"]
    assert events[-1]["exit_code"] == 0 and events[-1]["outcome"]["detached"] is True
    assert events[-1]["outcome"]["running"] == [detached["id"]]

    status = json.loads(run(slow, "status", "--json").stdout)
    (job,) = [entry for entry in status["objects"] if entry["kind"] == "job"]
    assert job["status"] in ("running", "completed") and job["age_seconds"] >= 0

    assert "nothing is trained" in run(slow, "logs", "--follow").stdout, "it ends when the job has ended"

    run(slow, "plan", "--out", str(tmp_path / "plan.json"))
    saved = [*FINEFORGE, "apply", str(tmp_path / "plan.json"), "--detach"]
    assert subprocess.run(saved, env=slow, capture_output=True, text=True, timeout=120, check=True).stdout.startswith("Apply: ")
    assert "No changes" in run(slow, "plan").stdout
