"""The runner that really works: a queue of training processes, one at a time, and a scoring process per deployment.

It reports to the rules and decides nothing that Azure decides. Torch lives in the child processes; they end when this one does.
A job that was running when the emulator was killed is trained again from its start: a half-trained twin is worth nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fineforge.emulator.models.runner import BaseModel, JobToRun, Reports

POLL_SECONDS = 0.1
TERMINATE_SECONDS = 5.0


@dataclass(slots=True)
class _Served:
    """A deployment's process."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int = 0
    stopped: bool = False


@dataclass(slots=True)
class _Tail:
    """What has been read of a growing file."""

    file: Path
    offset: int = 0
    rest: str = field(default="")

    def new_lines(self) -> list[str]:
        try:
            with self.file.open("r", encoding="utf-8", errors="replace") as stream:
                stream.seek(self.offset)
                text = self.rest + stream.read()
                self.offset = stream.tell()
        except FileNotFoundError:
            return []
        *lines, self.rest = text.split("\n")
        return lines


class Worker:
    """Implements `fineforge.emulator.models.runner.Runner`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._reports: Reports | None = None
        self._queue: queue.Queue[JobToRun | None] = queue.Queue()
        self._cancelled: set[str] = set()
        self._known: set[str] = set()
        self._served: dict[tuple[str, str], _Served] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        threading.Thread(target=self._work, name="trainer", daemon=True).start()

    # --- Runner ------------------------------------------------------------------------------------------------------

    def attach(self, reports: Reports) -> None:
        self._reports = reports

    def submit(self, job: JobToRun) -> None:
        with self._lock:
            self._known.add(job.name)
            self._cancelled.discard(job.name)
        self._queue.put(job)

    def cancel(self, job: str) -> None:
        with self._lock:
            known = job in self._known
            self._cancelled.add(job)
        if not known:
            self._tell.job_finished(job, "Canceled")

    def deploy(self, endpoint: str, deployment: str, model: BaseModel | Path) -> None:
        self.undeploy(endpoint, deployment)
        threading.Thread(target=self._deploy, args=(endpoint, deployment, model), name="deploy", daemon=True).start()

    def undeploy(self, endpoint: str, deployment: str) -> None:
        with self._lock:
            served = self._served.pop((endpoint, deployment), None)
        if served is not None:
            served.stopped = True
            served.process.terminate()

    # --- scoring and end ---------------------------------------------------------------------------------------------

    def score(self, endpoint: str, deployment: str, body: bytes, timeout: float) -> tuple[int, bytes]:
        """Status and body of the model server. TimeoutError where it is slower than the endpoint allows."""
        served = self._served.get((endpoint, deployment))
        if served is None or served.port == 0 or served.process.poll() is not None:
            return 503, json.dumps({"message": "the model server does not run"}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=timeout)
        try:
            connection.request("POST", "/score", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            return 503, json.dumps({"message": f"the model server broke off: {error}"}).encode()
        finally:
            connection.close()

    def close(self) -> None:
        """Ends every child process."""
        self._closing.set()
        self._queue.put(None)
        for key in list(self._served):
            self.undeploy(*key)

    # --- jobs --------------------------------------------------------------------------------------------------------

    @property
    def _tell(self) -> Reports:
        if self._reports is None:
            raise RuntimeError("attach comes first")
        return self._reports

    def _work(self) -> None:
        while (job := self._queue.get()) is not None and not self._closing.is_set():
            try:
                self._run(job)
            except Exception as error:  # The queue must go on whatever one job does.
                message = f"the emulator could not run the job: {error}"
                self._tell.job_finished(job.name, "Failed", {"code": "InternalServerError", "message": message})
            with self._lock:
                self._known.discard(job.name)
                self._cancelled.discard(job.name)

    def _run(self, job: JobToRun) -> None:
        if job.name in self._cancelled:
            self._tell.job_finished(job.name, "Canceled")
            return
        folder = self._prepare(job)
        self._tell.job_started(job.name)
        with (folder / "process.txt").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "fineforge.emulator.trainer", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(),
            )
        log, metrics = _Tail(folder / "log.txt"), _Tail(folder / "metrics.jsonl")
        while process.poll() is None:
            self._follow(job.name, log, metrics)
            if job.name in self._cancelled or self._closing.is_set():
                _end(process)
                break
            time.sleep(POLL_SECONDS)
        self._follow(job.name, log, metrics)
        if not self._closing.is_set():
            self._finish(job, folder)

    def _prepare(self, job: JobToRun) -> Path:
        folder = self._home / "jobs" / job.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        base = job.base_model
        document = {
            "name": job.name,
            "component": job.component,
            "inputs": {name: {"path": str(value)} if isinstance(value, Path) else value for name, value in job.inputs.items()},
            "base_model": {"name": base.name if base else "Phi-4", "version": base.version if base else ""},
            "base_folder": str(job.base_folder) if job.base_folder else None,
            "twins": str(self._home / "twins"),
            "threads": threads(),
        }
        (folder / "job.json").write_text(json.dumps(document), encoding="utf-8")
        return folder

    def _follow(self, job: str, log: _Tail, metrics: _Tail) -> None:
        for line in log.new_lines():
            self._tell.job_log(job, line + "\n")
        for line in metrics.new_lines():
            point = json.loads(line)
            self._tell.job_metric(job, point["name"], int(point["step"]), float(point["value"]), point.get("epoch"))

    def _finish(self, job: JobToRun, folder: Path) -> None:
        if job.name in self._cancelled:
            self._tell.job_finished(job.name, "Canceled")
            return
        result = _read_result(folder)
        if result["status"] == "Completed":
            for name, target in job.outputs.items():
                _publish(folder / "output" / name, target)
        self._tell.job_finished(job.name, result["status"], result.get("error"))

    # --- deployments -------------------------------------------------------------------------------------------------

    def _deploy(self, endpoint: str, deployment: str, model: BaseModel | Path) -> None:
        key = (endpoint, deployment)
        folder = self._home / "deployments" / endpoint / deployment
        folder.mkdir(parents=True, exist_ok=True)
        ready = folder / "port"
        ready.unlink(missing_ok=True)
        if isinstance(model, BaseModel):
            message = f"BadArgument: the emulator deploys fine-tuned models only; {model.name} is a base model's twin"
            self._tell.deployment_failed(endpoint, deployment, "BadArgument", message)
            return
        with (folder / "log.txt").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "fineforge.emulator.scorer", str(model), "--ready", str(ready)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(),
            )
        served = _Served(process, folder)
        with self._lock:
            self._served[key] = served
        while process.poll() is None and not ready.exists() and not self._closing.is_set():
            time.sleep(POLL_SECONDS)
        if ready.exists():
            served.port = int(ready.read_text(encoding="utf-8"))
            self._tell.deployment_ready(endpoint, deployment)
        elif not served.stopped and not self._closing.is_set():
            said = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            words = next((line for line in reversed(said) if "cannot be loaded" in line), said[-1] if said else "it said nothing")
            message = f"User container has crashed or terminated: {words}. Please see aka.ms/oe-tsg#error-resourcenotready"
            self._tell.deployment_failed(endpoint, deployment, "ResourceNotReady", message)


def threads() -> int:
    """One on up to two cores: torch's default collapses when anything else needs a core (measured: 1 token/s against 15)."""
    configured = os.environ.get("FINEFORGE_TRAINER_THREADS", "")
    return int(configured) if configured.isdigit() and int(configured) else max(1, (os.cpu_count() or 1) // 2)


def _environment() -> dict[str, str]:
    """The children's environment: one thread pool size, nothing from a network."""
    count = str(threads())
    return {
        **os.environ,
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(TERMINATE_SECONDS)
        return
    process.kill()
    process.wait()


def _read_result(folder: Path) -> Mapping[str, Any]:
    """What the trainer said at its end; without a word it has crashed."""
    try:
        found: Mapping[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        said = (folder / "process.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = said[-1] if said else "it said nothing"
        return {"status": "Failed", "error": {"code": "ExecutionFailed", "message": f"the training process ended early: {last}"}}


def _publish(source: Path, target: Path) -> None:
    """An output appears whole or not at all."""
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    shutil.move(str(source), str(target))
