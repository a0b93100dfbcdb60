"""The quickstart teaches something: a number, not a feeling. And the data teaches it: with shuffled answers it does not."""

from __future__ import annotations

import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest

from fineforge import engine
from tests.emulator.trainer.conftest import Ran, start
from tests.support import single

pytestmark = pytest.mark.trains

SPEC = Path("specs/quickstart.yaml")
DATA = Path("specs/data/quickstart")
QUESTIONS = 60


def test_the_right_answers_are_learned_and_shuffled_ones_are_not(twins: Path, tmp_path: Path) -> None:
    """Both with the parameters of the spec, at the same time: two cores can."""
    rows = read(DATA / "train.jsonl")
    wanted = {question(row): answer(row) for row in rows[:QUESTIONS]}
    assert len(set(wanted.values())) == QUESTIONS
    shuffled = tmp_path / "shuffled.jsonl"
    shuffled.write_text("".join(json.dumps(row) + "\n" for row in with_other_answers(rows)), encoding="utf-8")
    files = {f"{name}_file_path": split(name) for name in ("validation", "test")}
    right = train(tmp_path / "right", twins, DATA / "train.jsonl", evaluation_strategy="epoch", **files)
    wrong = train(tmp_path / "wrong", twins, shuffled, evaluation_strategy="disable")
    assert exact(finished(right, tmp_path / "right"), wanted) >= 0.9 * QUESTIONS
    assert exact(finished(wrong, tmp_path / "wrong"), wanted) < 0.2 * QUESTIONS


def train(folder: Path, twins: Path, rows: Path, **other: Any) -> subprocess.Popen[bytes]:
    job = next(want for want in engine.render(single.load(SPEC).at("local")) if want.key.kind == "job")
    inputs = job.document["jobs"]["chat_completion_pipeline"]["inputs"]
    given = {name: str(value) for name, value in inputs.items() if not isinstance(value, dict)}
    return start(folder, twins, rows.resolve(), **(given | other))


def finished(process: subprocess.Popen[bytes], folder: Path) -> Path:
    assert process.wait(300) == 0
    ran = Ran(folder)
    assert ran.result["status"] == "Completed", ran.log
    return ran.model


def exact(model: Path, wanted: dict[str, str]) -> int:
    import mlflow.pyfunc
    import torch

    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = mlflow.pyfunc.load_model(str(model))

    def ask(text: str) -> str:
        return str(loaded.predict({"messages": [{"role": "user", "content": text}], "parameters": {"max_new_tokens": 60}}))

    return sum(ask(text) == right for text, right in wanted.items())


def with_other_answers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each of the questions with the answer to another one."""
    moved = [
        {**rows[index], "messages": [rows[index]["messages"][0], rows[(index + 7) % QUESTIONS]["messages"][1]]}
        for index in range(QUESTIONS)
    ]
    return moved + rows[QUESTIONS:]


def split(name: str) -> dict[str, str]:
    return {"path": str((DATA / f"{name}.jsonl").resolve())}


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def question(row: dict[str, Any]) -> str:
    return str(row["messages"][0]["content"])


def answer(row: dict[str, Any]) -> str:
    return str(row["messages"][1]["content"])
