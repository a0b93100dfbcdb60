"""The worker with real processes: jobs in a queue, deployments that answer, and what happens when either is stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fineforge.emulator.rules.runner import BaseModel, JobToRun
from fineforge.emulator.runner.worker import DIED, RESTARTED, Worker
from tests.emulator.trainer.conftest import ANSWERS, INPUTS, Ran, write_rows

pytestmark = pytest.mark.trains

PATIENCE = 120


class Told:
    """Remembers what the worker reports, and wakes whoever waits for it."""

    def __init__(self) -> None:
        self.events: list[tuple[str, ...]] = []
        self.log: dict[str, str] = {}
        self.changed = threading.Condition()

    def job_started(self, job: str) -> None:
        self._add("started", job)

    def job_log(self, job: str, text: str) -> None:
        with self.changed:
            self.log[job] = self.log.get(job, "") + text

    def job_metric(self, job: str, metric: str, step: int, value: float, epoch: float | None = None) -> None:
        self._add("metric", job, metric)

    def job_finished(self, job: str, status: str, error: Mapping[str, str] | None = None) -> None:
        self._add("finished", job, status, *((error["message"],) if error else ()))

    def deployment_ready(self, endpoint: str, deployment: str) -> None:
        self._add("ready", endpoint, deployment)

    def deployment_failed(self, endpoint: str, deployment: str, code: str, message: str) -> None:
        self._add("failed", endpoint, deployment, code, message)

    def wait(self, *wanted: str) -> tuple[str, ...]:
        """The first event that begins with `wanted`."""

        def found() -> tuple[str, ...] | None:
            return next((event for event in self.events if event[: len(wanted)] == wanted), None)

        with self.changed:
            event = self.changed.wait_for(found, PATIENCE)
            assert event is not None, (wanted, self.events, self.log)
            return event

    def wait_again(self, *wanted: str) -> None:
        """Until the event has come twice."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.events.count(wanted) >= 2, PATIENCE), self.events

    def _add(self, *event: str) -> None:
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def open_worker(tmp_path: Path, twins: Path, told: Told) -> Iterator[Callable[[], Worker]]:
    """Each call is a start of the emulator on the same home."""
    opened: list[Worker] = []
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "twins").symlink_to(twins)

    def start() -> Worker:
        worker = Worker(tmp_path / "home")
        worker.attach(told)
        opened.append(worker)
        return worker

    yield start
    for worker in opened:
        worker.close()


def job(name: str, folder: Path, rows: Path, **inputs: str) -> JobToRun:
    outputs = {output: folder / name / output for output in ("mlflow_model_folder", "pytorch_model_folder")}
    given: dict[str, Any] = {**INPUTS, "train_file_path": rows, **inputs}
    base = BaseModel("azureml", "Phi-4", "8")
    return JobToRun(name, "chat_completion_pipeline", "0.0.82", given, base, None, outputs)


def test_jobs_run_one_after_the_other_and_can_be_cancelled(open_worker: Callable[[], Worker], told: Told, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "train.jsonl", ANSWERS)
    worker = open_worker()
    worker.submit(job("long", tmp_path, rows, num_train_epochs="100000"))
    worker.submit(job("waiting", tmp_path, rows))
    told.wait("metric", "long", "loss")
    worker.cancel("waiting")
    told.wait("finished", "waiting", "Canceled")
    assert ("started", "waiting") not in told.events
    worker.cancel("long")
    told.wait("finished", "long", "Canceled")
    assert not (tmp_path / "long").exists()
    worker.cancel("unknown")
    told.wait("finished", "unknown", "Canceled")


def test_a_restarted_emulator_trains_again_and_says_so(open_worker: Callable[[], Worker], told: Told, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "train.jsonl", ANSWERS)
    first = open_worker()
    first.submit(job("begun", tmp_path, rows, num_train_epochs="100000"))
    told.wait("metric", "begun", "loss")
    first.close()
    assert not [event for event in told.events if event[0] == "finished"]
    second = open_worker()
    second.submit(job("begun", tmp_path, rows, max_steps="2"))
    told.wait("finished", "begun", "Completed")
    assert RESTARTED in told.log["begun"]
    assert (tmp_path / "begun" / "mlflow_model_folder" / "MLmodel").is_file()
    assert (tmp_path / "begun" / "pytorch_model_folder" / "config.json").is_file()


def test_a_job_that_fails_leaves_the_queue_going(open_worker: Callable[[], Worker], told: Told, tmp_path: Path) -> None:
    rows = tmp_path / "train.jsonl"
    rows.write_text("nonsense\n")
    worker = open_worker()
    for name in ("bad", "worse"):
        worker.submit(job(name, tmp_path, rows))
    for name in ("bad", "worse"):
        assert told.wait("finished", name)[2:] == ("Failed", "row 1 of the training file is not JSON")
        assert "failed: row 1 of the training file is not JSON" in told.log[name]


def test_a_deployment_answers_on_loopback_until_it_has_died_twice(
    open_worker: Callable[[], Worker], told: Told, trained: Ran, tmp_path: Path
) -> None:
    worker = open_worker()
    worker.deploy("shop", "blue", trained.model)
    told.wait("ready", "shop", "blue")
    answers = {question: json.loads(ask(worker, "blue", question)[1])["output"] for question in ANSWERS}
    assert sum(answers[question] == answer for question, answer in ANSWERS.items()) >= 7, answers
    assert ask(worker, "blue", "hello", max_new_tokens=0)[0] == 400
    port = int((tmp_path / "home" / "deployments" / "shop" / "blue" / "port").read_text())
    assert addresses(port) == {"0100007F"}
    os.kill(child_of_this(f"--ready {tmp_path}"), signal.SIGKILL)
    assert ask(worker, "blue", "hello")[0] == 503
    told.wait_again("ready", "shop", "blue")
    assert ask(worker, "blue", "hello")[0] == 200
    log = (tmp_path / "home" / "deployments" / "shop" / "blue" / "log.txt").read_text()
    assert DIED in log and log.count("the model is loaded") == 2 and "answered in" in log and "refused: " in log
    assert not [question for question in ANSWERS if question in log], "neither questions nor answers"
    os.kill(child_of_this(f"--ready {tmp_path}"), signal.SIGKILL)
    assert ask(worker, "blue", "hello")[0] == 503
    worker.undeploy("shop", "blue")
    assert ask(worker, "blue", "hello")[0] == 503


def test_a_base_model_answers_untuned(open_worker: Callable[[], Worker], told: Told) -> None:
    worker = open_worker()
    worker.deploy("shop", "base", BaseModel("azureml", "Phi-4", "8"))
    told.wait("ready", "shop", "base")
    status, answer = ask(worker, "base", next(iter(ANSWERS)))
    assert status == 200
    assert json.loads(answer)["output"] not in ANSWERS.values()


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("artifacts/weights/adapter/adapter_model.safetensors", "the model folder has no adapter"),
        ("artifacts/weights/model.safetensors", "the model folder has no weights"),
        ("MLmodel", "the folder is no MLflow model"),
    ],
)
def test_without_its_parts_the_deployment_fails(
    missing: str, words: str, open_worker: Callable[[], Worker], told: Told, trained: Ran, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(trained.model, broken)
    (broken / missing).unlink()
    open_worker().deploy("shop", "blue", broken)
    *_, code, message = told.wait("failed", "shop", "blue")
    assert code == "ResourceNotReady"
    assert f"User container has crashed or terminated: the model cannot be loaded: {words}" in message


def test_the_server_itself_never_loads_torch() -> None:
    program = "import sys, fineforge.emulator.__main__, fineforge.emulator.runner.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def ask(worker: Worker, deployment: str, question: str, **parameters: Any) -> tuple[int, bytes]:
    asked = {"input_string": [{"role": "user", "content": question}], "parameters": {"max_new_tokens": 30} | parameters}
    return worker.score("shop", deployment, json.dumps({"input_data": asked, "params": {}}).encode(), PATIENCE)


def addresses(port: int) -> set[str]:
    """Local addresses, as the kernel writes them, on which the port is listened to."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")}


def child_of_this(words: str) -> int:
    """The one process of this one whose command line holds `words`."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_text().replace("\0", " ")
                parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            except OSError:
                continue
            if words in command and parent == str(os.getpid()):
                found.append(int(folder.name))
    assert len(found) == 1
    return found[0]
