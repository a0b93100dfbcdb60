"""The quickstart teaches something: a number, not a feeling. And it is the data that teaches it: with shuffled answers it does not."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from fineforge import engine
from tests.trainer.conftest import Ran, start

pytestmark = pytest.mark.trains

SPEC = Path("specs/quickstart.yaml")
DATA = Path("specs/data/quickstart")
QUESTIONS = 60


def test_it_learns_nine_answers_of_ten(twins: Path, tmp_path: Path) -> None:
    rows = read(DATA / "train.jsonl")
    answers = ask_all(run(twins, tmp_path, DATA / "train.jsonl"), [question(row) for row in rows[:QUESTIONS]])
    exact = sum(given == answer(row) for given, row in zip(answers, rows[:QUESTIONS], strict=True))
    assert exact >= 0.9 * QUESTIONS, f"{exact} of {QUESTIONS}"


def test_shuffled_answers_are_not_the_right_ones(twins: Path, tmp_path: Path) -> None:
    rows = read(DATA / "train.jsonl")
    shuffled = [dict(row) for row in rows]
    for index in range(QUESTIONS):
        other = rows[(index + 7) % QUESTIONS]
        shuffled[index] = {**rows[index], "messages": [rows[index]["messages"][0], other["messages"][1]]}
    train = tmp_path / "shuffled.jsonl"
    train.write_text("".join(json.dumps(row) + "\n" for row in shuffled), encoding="utf-8")
    answers = ask_all(run(twins, tmp_path, train), [question(row) for row in rows[:QUESTIONS]])
    exact = sum(given == answer(row) for given, row in zip(answers, rows[:QUESTIONS], strict=True))
    assert exact < 0.2 * QUESTIONS, f"{exact} of {QUESTIONS}"


def run(twins: Path, folder: Path, train: Path) -> Path:
    """Trains with exactly the parameters that the spec gives the component."""
    job = next(want for want in engine.render(engine.load(SPEC), "local") if want.key.kind == "job")
    inputs = job.document["jobs"]["chat_completion_pipeline"]["inputs"]
    given = {name: str(value) for name, value in inputs.items() if not isinstance(value, dict)}
    assert start(folder / "job", twins, train.resolve(), **{**given, "evaluation_strategy": "disable"}).wait(300) == 0
    ran = Ran(folder / "job")
    assert ran.result["status"] == "Completed", ran.log
    return ran.model


def ask_all(model: Path, questions: list[str]) -> list[str]:
    import mlflow.pyfunc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = mlflow.pyfunc.load_model(str(model))
    parameters = {"max_new_tokens": 60, "do_sample": False}
    return [loaded.predict({"messages": [{"role": "user", "content": text}], "parameters": parameters}) for text in questions]


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def question(row: dict[str, Any]) -> str:
    return str(row["messages"][0]["content"])


def answer(row: dict[str, Any]) -> str:
    return str(row["messages"][1]["content"])
