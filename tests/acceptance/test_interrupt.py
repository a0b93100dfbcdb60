"""Ctrl-C while an apply waits: it ends at once, says what goes on, and the next apply goes on from there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FINEFORGE = [sys.executable, "-m", "fineforge"]
SPEC = str(Path(__file__).parent / "sessions" / "life" / "spec.yaml")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_gone_on(number: signal.Signals, slow: dict[str, str]) -> None:
    words = [*FINEFORGE, "apply", SPEC, "--target", "local", "--auto-approve", "--json"]
    events = []
    with subprocess.Popen(words, env=slow, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as apply:
        assert apply.stdout is not None
        for line in apply.stdout:
            events.append(json.loads(line))
            if events[-1]["type"] == "apply_progress" and events[-1]["id"].startswith("create compute"):
                apply.send_signal(number)
                break
        events += [json.loads(line) for line in apply.stdout]
    assert apply.returncode == 130
    assert events[-1]["type"] == "outcome" and events[-1]["exit_code"] == 130
    assert any(name.startswith("create compute") for name in events[-1]["outcome"]["running"])
    again = subprocess.run(words, env=slow, capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 0, again.stdout[-2000:]
    plan = [*FINEFORGE, "plan", SPEC, "--target", "local", "--detailed-exitcode"]
    assert subprocess.run(plan, env=slow, capture_output=True, timeout=60, check=False).returncode == 0
