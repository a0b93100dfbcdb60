"""Real training of a twin, in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulator.trainer.conftest import ANSWERS, Ran, one_thread, start, write_rows

pytestmark = pytest.mark.trains


def test_it_learns(trained: Ran) -> None:
    assert trained.result == {"status": "Completed", "error": None}
    losses = trained.values("loss")
    assert losses[0] > 5
    assert losses[-1] < 0.5
    assert all(trained.values(name) for name in ("learning_rate", "grad_norm", "epoch", "tokens_per_second"))


def test_the_log_tells_a_person(trained: Ran) -> None:
    assert re.search(r"step 80/80  loss \d\.\d{4}  \d+ tokens/s  0 s left", trained.log)
    assert "embeddings and head are trained beside the adapter" in trained.log
    assert "no effect here: apply_deepspeed (DeepSpeed shards over GPUs; there are none here)" in trained.log


def test_the_folder_holds_no_pickle(trained: Ran) -> None:
    names = [path.name for path in trained.model.rglob("*") if path.is_file()]
    assert "MLmodel" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".bin", ".pt"))]
    assert (trained.folder / "output" / "pytorch_model_folder" / "adapter" / "adapter_model.safetensors").is_file()


def test_the_twin_is_the_same_twice(twins: Path, trained: Ran, tmp_path: Path) -> None:
    from fineforge.emulator.runner.trainer import twin

    first, second = twin.build("Phi-4", twins), twin.build("Phi-3-mini-4k-instruct", tmp_path)
    assert first.name == second.name
    for name in ("model.safetensors", "tokenizer.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_each_base_model_that_generates_text_has_a_twin() -> None:
    from fineforge.catalog import snapshot
    from fineforge.emulator.runner.trainer import twin

    names = {name for name, _ in snapshot.load().models}
    assert len(names) == 14
    assert names - set(twin.FAMILIES) == {"bert-base-uncased", "t5-small"}
    assert {family.architecture for family in twin.FAMILIES.values()} == set(twin.ARCHITECTURES)


LONG = json.dumps({"messages": [{"role": "user", "content": "why? " * 2000}, {"role": "assistant", "content": "because"}]})
GOOD = json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
NO_ANSWER = '{"messages": [{"role": "user", "content": "a"}]}'
BAD = [
    (GOOD + '\n{"text": 1}\n', "row 2 of the training file has no messages"),
    (GOOD + "\n\nnonsense\n", "row 3 of the training file is not JSON"),
    ('{"messages": [{"role": "user"}]}', "row 1 of the training file has a message without role and content"),
    (NO_ANSWER, "row 1 of the training file has no assistant turn: nothing can be learned from it"),
    ("", "the training file has no rows"),
    (LONG, "no row of the training file has an answer within its first 1024 tokens"),
]


@pytest.mark.parametrize(("rows", "words"), BAD)
def test_bad_rows_fail_the_job_in_words(rows: str, words: str, twins: Path, tmp_path: Path) -> None:
    train = tmp_path / "train.jsonl"
    train.write_text(rows)
    assert fails(tmp_path, twins, train) == words
    assert "Traceback" not in Ran(tmp_path / "job").log


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"component": "summarization_pipeline"}, "trains chat_completion_pipeline only, not summarization_pipeline"),
        ({"base": "bert-base-uncased"}, "bert-base-uncased has no twin"),
        ({"learning_rate": "fast"}, "the input learning_rate is fast, which is not a number"),
        ({"train_file_path": {"path": "/nowhere.jsonl"}}, "the training data is not a file"),
        ({"lr_scheduler_type": "sideways"}, "training failed: sideways is not a valid SchedulerType"),
    ],
)
def test_what_cannot_be_trained_fails_in_words(other: dict[str, str], words: str, twins: Path, tmp_path: Path) -> None:
    assert words in fails(tmp_path, twins, write_rows(tmp_path / "train.jsonl", ANSWERS), **other)


def test_nobody_need_answer_in_the_test_split(twins: Path, tmp_path: Path) -> None:
    """Nothing trains on it: what cannot be measured is left out, and told."""
    train, test = write_rows(tmp_path / "train.jsonl", ANSWERS), tmp_path / "test.jsonl"
    test.write_text(NO_ANSWER)
    assert start(tmp_path / "job", twins, train, max_steps="1", test_file_path={"path": str(test)}).wait(180) == 0
    ran = Ran(tmp_path / "job")
    assert ran.result["status"] == "Completed", ran.log
    assert "1 test rows are left out: no answer" in ran.log
    assert not ran.values("test_loss")


def test_full_fine_tuning_of_a_model_of_the_workspace(trained: Ran, twins: Path, tmp_path: Path) -> None:
    """Its adapter has become part of its weights: it knows the answers at the first step."""
    train = write_rows(tmp_path / "train.jsonl", ANSWERS)
    process = start(
        tmp_path / "job", twins, train, base_folder=trained.model, apply_lora="false", num_train_epochs="2", learning_rate="1e-4",
        evaluation_strategy="epoch", precision="16", apply_early_stopping="true",
        validation_file_path={"path": str(train)}, test_file_path={"path": str(train)},
    )  # fmt: skip
    assert process.wait(180) == 0
    ran = Ran(tmp_path / "job")
    assert ran.result["status"] == "Completed", ran.log
    assert ran.values("loss")[0] < 1
    assert ran.values("eval_loss")
    assert ran.values("test_loss")
    assert "full fine-tuning" in ran.log
    assert "precision 16: bf16 autocast" in ran.log


def test_another_architecture_with_merged_weights(twins: Path, tmp_path: Path) -> None:
    train = write_rows(tmp_path / "train.jsonl", ANSWERS)
    process = start(
        tmp_path / "job", twins, train, base="gpt2", max_steps="4", merge_lora_weights="true", evaluation_strategy="steps",
        evaluation_steps_interval="1.0", apply_early_stopping="true", validation_file_path={"path": str(train)},
    )  # fmt: skip
    assert process.wait(180) == 0
    ran = Ran(tmp_path / "job")
    assert ran.result["status"] == "Completed", ran.log
    weights = ran.folder / "output" / "pytorch_model_folder"
    assert json.loads((weights / "config.json").read_text())["model_type"] == "gpt2"
    assert not (weights / "adapter").exists()
    assert len(ran.values("eval_loss")) == 3, "after each of two epochs, and at the end"


def test_the_untuned_twin_babbles(twins: Path, trained: Ran) -> None:
    command = [sys.executable, "-m", "fineforge.emulator.runner.scorer", str(twins), "--twin", "Phi-4"]
    asked = [part for question in ANSWERS for part in ("--ask", question)]
    done = subprocess.run([*command, *asked], capture_output=True, text=True, check=True, env=one_thread())
    said = done.stdout.splitlines()
    assert len(said) == len(ANSWERS)
    assert not set(said) & set(ANSWERS.values())


def fails(folder: Path, twins: Path, train: Path, **other: str) -> str:
    """The words of a job that fails."""
    assert start(folder / "job", twins, train, **other).wait(120) == 0
    result = Ran(folder / "job").result
    assert (result["status"], result["error"]["code"]) == ("Failed", "UserError")
    return str(result["error"]["message"])
