"""The emulator's disk is full while data is uploaded: one clear error, nothing half-made, and the next apply finishes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.scenarios.invariants.client import QUICKSTART, Client
from tests.support.running_emulator import start

APPLY = ("apply", "{spec}", "--target", "local", "--auto-approve")
LIMIT = 1 << 20


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(QUICKSTART.parent, tmp_path / "specs")
    with (tmp_path / "specs" / "data" / "quickstart" / "train.jsonl").open("a") as file:
        for number in range(400):
            talk = [{"role": "user", "content": f"{number}?"}, {"role": "assistant", "content": f"{number} " + "x" * 4000}]
            file.write(json.dumps({"messages": talk}) + "\n")
    home, arguments = tmp_path / "home", ("--trainer", "instant", "--test-hooks")
    monkeypatch.setenv("FINEFORGE_EMULATOR_HOME", str(home))

    emulator = start(home, *arguments, prefix=("prlimit", f"--fsize={LIMIT}"))
    client = Client(emulator, tmp_path / "specs" / QUICKSTART.name)
    failed = client.run(*APPLY)
    said = failed.stdout + failed.stderr
    assert failed.returncode == 1 and "error[FF417]" in said and "file too large" in " ".join(said.split()).lower(), said
    assert "Traceback" not in said
    assert emulator.send("GET", "data/quickstart-train").status_code == 404
    assert emulator.send("GET", "jobs").json()["value"] == []
    assert emulator.stop() == 0

    emulator = start(home, *arguments)
    try:
        done = Client(emulator, client.spec).run(*APPLY)
        assert done.returncode == 0, done.stdout + done.stderr
        assert Client(emulator, client.spec).pending() == []
    finally:
        emulator.stop()
