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

from fineforge.emulator.rules.runner import BaseModel, JobToRun, Reports

POLL_SECONDS = 0.1
TERMINATE_SECONDS = 5.0
DIED = "the model server died; it is started once more\n"
RESTARTED = "the emulator was restarted while this job ran: training starts again from its beginning\n"


@dataclass(slots=True)
class _Served:
    """A deployment's process, from the moment that it was asked for."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def answers(self) -> bool:
        return self.port > 0 and self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        self.stopped.set()
        if self.process is not None:
            _end(self.process)


class Worker:
    """Implements `fineforge.emulator.rules.runner.Runner`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._reports: Reports | None = None
        self._queue: queue.Queue[JobToRun | None] = queue.Queue()
        self._waiting: set[str] = set()
        self._running = ""
        self._cancelled = threading.Event()
        """Of the running job."""
        self._served: dict[tuple[str, str], _Served] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="trainer", daemon=True)
        self._thread.start()

    # --- Runner ------------------------------------------------------------------------------------------------------

    def attach(self, reports: Reports) -> None:
        self._reports = reports

    def submit(self, job: JobToRun) -> None:
        with self._lock:
            self._waiting.add(job.name)
        self._queue.put(job)

    def cancel(self, job: str) -> None:
        with self._lock:
            running = job == self._running
            self._waiting.discard(job)
            if running:
                self._cancelled.set()
        if not running:
            self._tell.job_finished(job, "Canceled")

    def deploy(self, endpoint: str, deployment: str, model: BaseModel | Path) -> None:
        served = _Served(self._home / "deployments" / endpoint / deployment)
        with self._lock:
            before = self._served.get((endpoint, deployment))
            self._served[endpoint, deployment] = served
        work = (endpoint, deployment, model, served, before)
        threading.Thread(target=self._deploy, args=work, name=f"deploy {endpoint}/{deployment}", daemon=True).start()

    def undeploy(self, endpoint: str, deployment: str) -> None:
        with self._lock:
            served = self._served.pop((endpoint, deployment), None)
        if served is not None:
            threading.Thread(target=served.stop, name=f"undeploy {endpoint}/{deployment}", daemon=True).start()

    # --- scoring and end ---------------------------------------------------------------------------------------------

    def score(self, endpoint: str, deployment: str, body: bytes, timeout: float) -> tuple[int, bytes]:
        """Status and body of the model server. TimeoutError where it is slower than the endpoint allows."""
        served = self._served.get((endpoint, deployment))
        if served is None or not served.answers:
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
        """Ends every child process. What it ran is handed to the next one by the rules."""
        self._closing.set()
        self._queue.put(None)
        with self._lock:
            served, self._served = list(self._served.values()), {}
        for one in served:
            one.stop()
        self._thread.join(2 * TERMINATE_SECONDS)

    # --- jobs --------------------------------------------------------------------------------------------------------

    @property
    def _tell(self) -> Reports:
        if self._reports is None:
            raise RuntimeError("attach comes first")
        return self._reports

    def _work(self) -> None:
        while (job := self._queue.get()) is not None and not self._closing.is_set():
            if not self._take(job.name):
                continue
            try:
                self._run(job)
            except Exception as error:  # The queue must go on whatever one job does.
                message = f"the emulator could not run the job: {error}"
                self._tell.job_finished(job.name, "Failed", {"code": "InternalServerError", "message": message})
            with self._lock:
                self._running = ""

    def _take(self, job: str) -> bool:
        """Makes it the running job, unless it was cancelled while it waited."""
        with self._lock:
            if job not in self._waiting:
                return False
            self._waiting.discard(job)
            self._running = job
            self._cancelled.clear()
            return True

    def _run(self, job: JobToRun) -> None:
        folder, restarted = self._prepare(job)
        self._tell.job_started(job.name)
        if restarted:
            self._tell.job_log(job.name, RESTARTED)
        process = _start(folder / "process.txt", "fineforge.emulator.runner.trainer", str(folder))
        log, metrics = _Tail(folder / "log.txt"), _Tail(folder / "metrics.jsonl")
        while process.poll() is None:
            self._follow(job.name, log, metrics)
            if self._cancelled.is_set() or self._closing.is_set():
                _end(process)
                break
            time.sleep(POLL_SECONDS)
        self._follow(job.name, log, metrics)
        if not self._closing.is_set():
            self._finish(job, folder)

    def _prepare(self, job: JobToRun) -> tuple[Path, bool]:
        """The job's folder, and whether an earlier emulator had begun it."""
        folder = self._home / "jobs" / job.name
        restarted = folder.exists()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        base = job.base_model
        document = {
            "name": job.name,
            "component": job.component,
            "inputs": {name: {"path": str(value)} if isinstance(value, Path) else value for name, value in job.inputs.items()},
            "base_model": {"name": base.name, "version": base.version} if base else None,
            "base_folder": str(job.base_folder) if job.base_folder else None,
            "twins": str(self._home / "twins"),
            "threads": threads(),
        }
        (folder / "job.json").write_text(json.dumps(document), encoding="utf-8")
        return folder, restarted

    def _follow(self, job: str, log: _Tail, metrics: _Tail) -> None:
        if lines := log.new_lines():
            self._tell.job_log(job, "".join(f"{line}\n" for line in lines))
        for line in metrics.new_lines():
            point = json.loads(line)
            self._tell.job_metric(job, point["name"], int(point["step"]), float(point["value"]), point.get("epoch"))

    def _finish(self, job: JobToRun, folder: Path) -> None:
        """A job that was done before it could be cancelled is completed, as on Azure."""
        result = _read_result(folder)
        if result is None and self._cancelled.is_set():
            self._tell.job_log(job.name, "cancelled\n")
            self._tell.job_finished(job.name, "Canceled")
            return
        result = result or _crashed(folder)
        if result["status"] == "Completed":
            for name, target in job.outputs.items():
                _publish(folder / "output" / name, target)
        self._tell.job_finished(job.name, result["status"], result.get("error"))

    # --- deployments -------------------------------------------------------------------------------------------------

    def _deploy(self, endpoint: str, deployment: str, model: BaseModel | Path, served: _Served, before: _Served | None) -> None:
        if before is not None:
            before.stop()
        try:
            ready = self._serve(served, model)
        except OSError as error:
            self._tell.deployment_failed(endpoint, deployment, "InternalServerError", f"the emulator could not serve: {error}")
            return
        if served.stopped.is_set() or self._closing.is_set():
            served.stop()
        elif ready:
            self._tell.deployment_ready(endpoint, deployment)
            if self._revived(served, model):
                self._tell.deployment_ready(endpoint, deployment)
        else:
            message = f"User container has crashed or terminated: {_last_words(served.folder / 'log.txt')}. "
            message += "Please see aka.ms/oe-tsg#error-resourcenotready"
            self._tell.deployment_failed(endpoint, deployment, "ResourceNotReady", message)

    def _revived(self, served: _Served, model: BaseModel | Path) -> bool:
        """Waits until the process ends. One that died by itself is started once more; after that nobody answers, and requests are
        refused as those of any deployment whose container does not run."""
        assert served.process is not None
        served.process.wait()
        if served.stopped.is_set() or self._closing.is_set():
            return False
        with (served.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(DIED)
        try:
            ready = self._serve(served, model, again=True)
        except OSError:
            return False
        if served.stopped.is_set() or self._closing.is_set():
            served.stop()
        return ready and served.answers

    def _serve(self, served: _Served, model: BaseModel | Path, again: bool = False) -> bool:
        """Starts the process and waits until it answers; False where it ended. `again`: its log goes on."""
        served.folder.mkdir(parents=True, exist_ok=True)
        served.port = 0
        if not again:
            (served.folder / "log.txt").unlink(missing_ok=True)
        ready = served.folder / "port"
        ready.unlink(missing_ok=True)
        what = [str(self._home / "twins"), "--twin", model.name] if isinstance(model, BaseModel) else [str(model)]
        served.process = _start(served.folder / "log.txt", "fineforge.emulator.runner.scorer", *what, "--ready", str(ready))
        while served.process.poll() is None and not ready.exists() and not self._closing.is_set():
            if served.stopped.wait(POLL_SECONDS):
                return False
        if ready.exists():
            served.port = int(ready.read_text(encoding="utf-8"))
        return served.answers


@dataclass(slots=True)
class _Tail:
    """What has been read of a growing file."""

    file: Path
    offset: int = 0

    def new_lines(self) -> list[str]:
        """Whole lines only: a line that is still being written comes next time."""
        try:
            with self.file.open("rb") as stream:
                stream.seek(self.offset)
                content = stream.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self.offset += len(whole)
        return whole.decode("utf-8", errors="replace").splitlines()


def threads() -> int:
    """One on up to two cores: torch's default collapses when anything else needs a core (measured: 1 token/s against 15)."""
    configured = os.environ.get("FINEFORGE_TRAINER_THREADS", "")
    return int(configured) if configured.isdigit() and int(configured) else max(1, (os.cpu_count() or 1) // 2)


def _start(output: Path, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A child with one size of thread pool, nothing from a network, and the number of whom it must not outlive."""
    count = str(threads())
    more = {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment = os.environ | more | {"FINEFORGE_EMULATOR_PID": str(os.getpid())}
    command = [sys.executable, "-m", module, *arguments]
    with output.open("ab") as stream:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(TERMINATE_SECONDS)
        return
    process.kill()
    process.wait()


def _read_result(folder: Path) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return None


def _crashed(folder: Path) -> Mapping[str, Any]:
    message = f"the training process ended early: {_last_words(folder / 'process.txt')}"
    return {"status": "Failed", "error": {"code": "ExecutionFailed", "message": message}}


def _last_words(output: Path) -> str:
    """Of a process that ended when it should not."""
    said = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return said[-1] if said else "it said nothing"


def _publish(source: Path, target: Path) -> None:
    """An output appears whole or not at all."""
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    shutil.move(str(source), str(target))
