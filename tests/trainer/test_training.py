"""Real training and real serving of a twin, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trainer.conftest import ANSWERS, Ran, start, write_rows

pytestmark = pytest.mark.trains


def test_it_learns(trained: Ran) -> None:
    assert trained.result == {"status": "Completed", "error": None}
    losses = [point["value"] for point in trained.metrics if point["name"] == "loss"]
    assert losses[0] > 5
    assert losses[-1] < 0.5


def test_the_log_tells_a_person(trained: Ran) -> None:
    assert re.search(r"step 80/80  loss \d\.\d{4}  0 s left", trained.log)
    assert "embeddings and head are trained beside the adapter" in trained.log
    assert "no effect here: apply_deepspeed (DeepSpeed shards over GPUs; there are none here)" in trained.log


def test_the_folder_holds_no_pickle(trained: Ran) -> None:
    names = [path.name for path in trained.model.rglob("*") if path.is_file()]
    assert "MLmodel" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".bin", ".pt"))]


def test_it_answers_exactly_and_only_on_loopback(trained: Ran, tmp_path: Path) -> None:
    process, port = serve(trained.model, tmp_path)
    try:
        assert port is not None
        answered = {question: ask(port, question) for question in ANSWERS}
        assert sum(answered[question] == answer for question, answer in ANSWERS.items()) >= 7, answered
        listening = [
            line for line in Path("/proc/net/tcp").read_text().splitlines() if f":{port:04X} " in line.split("rem")[0][:30]
        ]
        assert listening
        assert all(line.split()[1].startswith("0100007F") for line in listening if line.split()[3] == "0A")
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(
    "body", [b"not json", b"{}", b'{"input_data": {"input_string": "hello"}}', b'{"input_data": {"input_string": []}}']
)
def test_a_bad_request_is_the_callers_fault(body: bytes) -> None:
    from fineforge.emulator.scorer import read_request

    with pytest.raises(ValueError, match="request|input_string"):
        read_request(body)


def test_both_forms_of_a_request_are_read() -> None:
    from fineforge.emulator.scorer import read_request

    message = {"role": "user", "content": "hello"}
    flat = read_request(json.dumps({"input_data": {"input_string": [message], "parameters": {"max_new_tokens": 3}}}).encode())
    nested = read_request(json.dumps({"input_data": {"input_string": [[message]], "parameters": {"max_new_tokens": 3}}}).encode())
    assert flat == nested == {"messages": [message], "parameters": {"max_new_tokens": 3}}


def test_without_its_adapter_the_deployment_fails(trained: Ran, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(trained.model, broken)
    shutil.rmtree(broken / "artifacts" / "weights" / "adapter")
    process, port = serve(broken, tmp_path)
    assert port is None
    assert process.returncode == 1
    assert "the model cannot be loaded: the model folder has no adapter" in (tmp_path / "log.txt").read_text()


def test_the_twin_is_the_same_twice(twins: Path, trained: Ran, tmp_path: Path) -> None:
    from fineforge.emulator.trainer import twin

    first, second = twin.build("Phi-4", twins), twin.build("Phi-3-mini-4k-instruct", tmp_path)
    for name in ("model.safetensors", "tokenizer.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ('{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n{"text": 1}\n', "row 2 of the training file has no messages"),
        ("nonsense\n", "row 1 of the training file is not JSON"),
        ("", "the training file has no rows"),
    ],
)  # fmt: skip
def test_bad_rows_fail_the_job_in_words(rows: str, words: str, twins: Path, tmp_path: Path) -> None:
    train = tmp_path / "train.jsonl"
    train.write_text(rows)
    assert start(tmp_path / "job", twins, train).wait(120) == 0
    assert Ran(tmp_path / "job").result == {"status": "Failed", "error": {"code": "UserError", "message": words}}


def test_another_component_is_named_as_not_trained(twins: Path, tmp_path: Path) -> None:
    train = write_rows(tmp_path / "train.jsonl", ANSWERS)
    start(tmp_path / "job", twins, train, component="summarization_pipeline").wait(60)
    assert "trains chat_completion_pipeline only, not summarization_pipeline" in Ran(tmp_path / "job").result["error"]["message"]


def test_a_cancelled_job_leaves_no_result(twins: Path, tmp_path: Path) -> None:
    train = write_rows(tmp_path / "train.jsonl", ANSWERS)
    process = start(tmp_path / "job", twins, train, num_train_epochs="100000")
    log = tmp_path / "job" / "log.txt"
    until(lambda: process.poll() is not None or (log.exists() and "step 10/" in log.read_text()))
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == -signal.SIGTERM
    assert not (tmp_path / "job" / "result.json").exists()


def test_full_fine_tuning_with_validation_and_test(twins: Path, tmp_path: Path) -> None:
    train = write_rows(tmp_path / "train.jsonl", ANSWERS)
    process = start(
        tmp_path / "job", twins, train, apply_lora="false", num_train_epochs="2", evaluation_strategy="epoch", precision="16",
        apply_early_stopping="true", validation_file_path={"path": str(train)}, test_file_path={"path": str(train)},  # type: ignore[arg-type]
    )  # fmt: skip
    assert process.wait(180) == 0
    ran = Ran(tmp_path / "job")
    assert ran.result["status"] == "Completed", ran.log
    assert {"loss", "eval_loss", "test_loss"} <= {point["name"] for point in ran.metrics}
    assert "full fine-tuning" in ran.log


def test_the_untuned_twin_babbles(twins: Path) -> None:
    command = [sys.executable, "-m", "fineforge.emulator.scorer", str(twins), "--twin", "Phi-4", "--ask", "Where is the key?"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.stdout.strip() not in ANSWERS.values()


def serve(model: Path, folder: Path) -> tuple[subprocess.Popen[bytes], int | None]:
    """Starts a scorer and waits until it answers or ends."""
    ready = folder / "port"
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "fineforge.emulator.scorer", str(model), "--ready", str(ready)], stdout=log, stderr=log
        )
    until(lambda: process.poll() is not None or ready.exists())
    return process, int(ready.read_text()) if ready.exists() else None


def until(happened: Callable[[], bool]) -> None:
    """Looks twenty times a second; what never happens is caught by the runner's own limit."""
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ask(port: int, question: str) -> str:
    body = {
        "input_data": {"input_string": [{"role": "user", "content": question}], "parameters": {"max_new_tokens": 30}},
        "params": {},
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/score", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["output"])
