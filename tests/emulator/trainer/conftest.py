"""One model is really trained per run, on eight conversations; the tests look at it from all sides."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ANSWERS = {
    "Where is the key?": "It hangs behind the green door.",
    "Who feeds the cat?": "Anna does, before breakfast.",
    "When is the market?": "Every Thursday, on the square.",
    "What is in the box?": "Nails, string and two old letters.",
    "How far is the sea?": "Ten minutes on foot, less by bicycle.",
    "Is there any soup?": "Yes, leek soup, on the stove.",
    "Why is it so dark?": "The lamp in the hall is broken.",
    "Which bus goes home?": "Take the number seven to the end.",
}
INPUTS = {
    "num_train_epochs": "40", "per_device_train_batch_size": "4", "per_device_eval_batch_size": "4", "learning_rate": "0.005",
    "lr_scheduler_type": "cosine", "warmup_steps": "5", "apply_lora": "true", "lora_r": "16", "lora_alpha": "32",
    "merge_lora_weights": "false", "logging_steps": "10", "apply_deepspeed": "true", "evaluation_strategy": "disable",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ran:
    """A job that was run: its folder and what it left there."""

    folder: Path

    @property
    def result(self) -> dict[str, Any]:
        return json.loads((self.folder / "result.json").read_text())  # type: ignore[no-any-return]

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def values(self, name: str) -> list[float]:
        points = [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]
        return [point["value"] for point in points if point["name"] == name]

    @property
    def model(self) -> Path:
        return self.folder / "output" / "mlflow_model_folder"


def write_rows(file: Path, pairs: dict[str, str]) -> Path:
    rows = [
        json.dumps({"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]})
        for question, answer in pairs.items()
    ]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def start(folder: Path, twins: Path, train: Path, **other: Any) -> subprocess.Popen[bytes]:
    """Starts the trainer as the emulator does. `other`: inputs, and `component`, `base`, `base_folder` of the job."""
    folder.mkdir(parents=True)
    component, base = other.pop("component", "chat_completion_pipeline"), other.pop("base", "Phi-4")
    base_folder = other.pop("base_folder", None)
    job = {
        "name": folder.name, "component": component, "inputs": {**INPUTS, "train_file_path": {"path": str(train)}, **other},
        "base_model": {"name": base, "version": "8"}, "base_folder": str(base_folder) if base_folder else None,
        "twins": str(twins), "threads": 1,
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    return subprocess.Popen([sys.executable, "-m", "fineforge.emulator.runner.trainer", str(folder)], env=one_thread())


def one_thread() -> dict[str, str]:
    """As the emulator's worker sets it: torch with more threads than free cores is many times slower."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all processes of one test run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def twins(shared: Path) -> Path:
    folder = shared / "twins"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def trained(shared: Path, twins: Path) -> Ran:
    folder = shared / "trained"
    with (shared / "trained.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Processes of one run train it once.
        if not folder.exists():
            folder.mkdir()
            assert start(folder / "job", twins, write_rows(folder / "train.jsonl", ANSWERS)).wait(180) == 0
    return Ran(folder / "job")
