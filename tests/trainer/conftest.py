"""One model is really trained per session, on eight conversations; the tests look at it from all sides."""

from __future__ import annotations

import json
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
    "merge_lora_weights": "false", "logging_steps": "10", "apply_deepspeed": "true", "evaluation_strategy": "disable", "seed": "42",
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

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]

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


def start(
    folder: Path, twins: Path, train: Path, component: str = "chat_completion_pipeline", **inputs: str
) -> subprocess.Popen[bytes]:
    """Starts the trainer as the emulator does."""
    folder.mkdir(parents=True)
    job = {
        "name": folder.name, "component": component, "inputs": {**INPUTS, "train_file_path": {"path": str(train)}, **inputs},
        "base_model": {"name": "Phi-4", "version": "8"}, "base_folder": None, "twins": str(twins), "threads": 1,
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    return subprocess.Popen([sys.executable, "-m", "fineforge.emulator.trainer", str(folder)])


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twins")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, twins: Path) -> Ran:
    folder = tmp_path_factory.mktemp("trained")
    train = write_rows(folder / "train.jsonl", ANSWERS)
    assert start(folder / "job", twins, train).wait(180) == 0
    return Ran(folder / "job")
