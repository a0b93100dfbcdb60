"""A runner without processes: jobs are done when they are submitted, deployments answer what their training data taught.

For tests of everything but training. It writes an output that looks like an MLflow model and keeps the answers in it, so that a
deployment of that folder, also after a restart, answers the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from fineforge.emulator.rules.runner import BaseModel, JobToRun, Reports
from fineforge.emulator.runner.trained import refusal

ANSWERS = "answers.json"
UNKNOWN = "I do not know."
"""What a deployment says to a question that was not in its training data, and an untuned base model to every question."""

_MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    loader_module: mlflow.pyfunc.model
metadata:
  base_model_name: {base}
"""

_LOSSES = ((1, 2.0), (2, 1.2), (3, 0.7), (4, 0.4))


class InstantRunner:
    def __init__(self) -> None:
        self._reports: Reports | None = None
        self._served: dict[tuple[str, str], Mapping[str, str]] = {}

    def attach(self, reports: Reports) -> None:
        self._reports = reports

    def submit(self, job: JobToRun) -> None:
        reports = self._connected()
        reports.job_started(job.name)
        reports.job_log(job.name, f"{job.component} {job.component_version}: instant trainer, nothing is trained\n")
        if reason := refusal(job.component):
            reports.job_log(job.name, f"failed: {reason}\n")
            reports.job_finished(job.name, "Failed", {"code": "UserError", "message": reason})
            return
        for step, loss in _LOSSES:
            reports.job_metric(job.name, "loss", step, loss, epoch=step / len(_LOSSES))
            reports.job_log(job.name, f"step {step} loss {loss}\n")
        reports.job_metric(job.name, "eval_loss", _LOSSES[-1][0], 0.5, epoch=1.0)
        for folder in job.outputs.values():
            _write_model(folder, job)
        reports.job_finished(job.name, "Completed")

    def cancel(self, job: str) -> None:
        self._connected().job_finished(job, "Canceled")

    def deploy(self, endpoint: str, deployment: str, model: BaseModel | Path) -> None:
        if isinstance(model, Path) and not (model / "MLmodel").is_file():
            message = (
                "User container has crashed or terminated: no MLmodel in the model folder. aka.ms/oe-tsg#error-resourcenotready"
            )
            self._connected().deployment_failed(endpoint, deployment, "ResourceNotReady", message)
            return
        self._served[endpoint, deployment] = _read_answers(model / ANSWERS) if isinstance(model, Path) else {}
        self._connected().deployment_ready(endpoint, deployment)

    def undeploy(self, endpoint: str, deployment: str) -> None:
        self._served.pop((endpoint, deployment), None)

    def answer(self, endpoint: str, deployment: str, request: Mapping[str, Any]) -> dict[str, str]:
        """The body of a scoring answer to Azure's chat contract (`input_data.input_string`). KeyError where nothing is served."""
        answers = self._served[endpoint, deployment]
        messages = (request.get("input_data") or {}).get("input_string") or []
        if messages and isinstance(messages[0], list):
            messages = messages[0]
        question = next((turn.get("content", "") for turn in reversed(messages) if turn.get("role") == "user"), "")
        return {"output": answers.get(question, UNKNOWN)}

    def _connected(self) -> Reports:
        if self._reports is None:
            raise RuntimeError("attach comes first")
        return self._reports


def _write_model(folder: Path, job: JobToRun) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    base = f"{job.base_model.name}:{job.base_model.version}" if job.base_model else "workspace model"
    answers = dict(_pairs(job.inputs.get("train_file_path")))
    (folder / ANSWERS).write_text(json.dumps(answers, ensure_ascii=False), encoding="utf-8")
    (folder / "MLmodel").write_text(_MLMODEL.format(base=base), encoding="utf-8")


def _pairs(train: str | Path | None) -> Iterator[tuple[str, str]]:
    """Each user turn with the assistant's turn after it; what cannot be read teaches nothing."""
    if not isinstance(train, Path) or not train.is_file():
        return
    for line in train.read_text(encoding="utf-8", errors="replace").splitlines():
        turns = _messages(line)
        for before, after in pairwise(turns):
            if before.get("role") == "user" and after.get("role") == "assistant":
                yield str(before.get("content")), str(after.get("content"))


def _messages(line: str) -> list[dict[str, Any]]:
    try:
        row = json.loads(line)
    except ValueError:
        return []
    turns = row.get("messages") if isinstance(row, dict) else None
    return [turn for turn in turns if isinstance(turn, dict)] if isinstance(turns, list) else []


def _read_answers(path: Path) -> Mapping[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
