"""Runs a script of this folder as its own program, against an emulator, and reads what it saw."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.running_emulator import RunningEmulator

FOLDER = Path(__file__).parent


def run(name: str, emulator: RunningEmulator, folder: Path, asks_too_much: bool = False) -> tuple[dict[str, Any], str]:
    """What the script wrote to `seen.json`, and what it printed. No request may have met an error of the emulator's own, 501
    included unless it is `asks_too_much` that the script is about."""
    environment = {"HOME": str(folder), "AZURE_CORE_COLLECT_TELEMETRY": "0", "PYTHONPATH": str(FOLDER.parents[2])}
    ran = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), str(folder)],
        env={**emulator.environment(), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    allowed = {501} if asks_too_much else set()
    assert not [entry for entry in emulator.requests() if entry["status"] >= 500 and entry["status"] not in allowed]
    return json.loads((folder / "seen.json").read_text()), ran.stdout
