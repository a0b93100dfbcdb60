"""The seam between the rules and what really runs: jobs that train, deployments that answer.

The rules call a `Runner`; a runner reports through `Reports`, which `Cloud` implements. Nothing here starts a process:
the real runner is `fineforge.emulator.runner.worker`, the one without processes is `instant`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A model of a registry: the runner puts its twin in its place."""

    registry: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class JobToRun:
    name: str
    component: str
    """Name of the registry component: `chat_completion_pipeline`."""
    component_version: str
    inputs: Mapping[str, str | Path]
    """Effective: what was given, else the component's default. Text as on the wire; assets and files as local paths."""
    base_model: BaseModel | None
    base_folder: Path | None
    """Where the base model is a model of the workspace: its folder."""
    outputs: Mapping[str, Path]
    """Output of the component (`mlflow_model_folder`, `pytorch_model_folder`) -> the folder that must hold it in the end."""


class Runner(Protocol):
    """No method blocks, and none raises for what goes wrong in a job or a deployment: that is reported."""

    def attach(self, reports: Reports) -> None:
        """Called once, before anything else."""

    def submit(self, job: JobToRun) -> None:
        """Runs a job, or goes on with one that was submitted before a restart."""

    def cancel(self, job: str) -> None:
        """Asks a job to stop; the runner reports `Canceled`. A job it does not know is reported `Canceled` at once."""

    def deploy(self, endpoint: str, deployment: str, model: BaseModel | Path) -> None:
        """Serves a model folder, or the twin of a base model; replaces what the deployment served before."""

    def undeploy(self, endpoint: str, deployment: str) -> None: ...


class Reports(Protocol):
    """What a runner tells the rules; every method may be called from any thread, also within the runner's own methods."""

    def job_started(self, job: str) -> None: ...

    def job_log(self, job: str, text: str) -> None:
        """Appends to the job's std_log."""

    def job_metric(self, job: str, metric: str, step: int, value: float, epoch: float | None = None) -> None: ...

    def job_finished(self, job: str, status: str, error: Mapping[str, str] | None = None) -> None:
        """`Completed`, `Failed` (with {"code", "message"}) or `Canceled`; outputs are whole when this is called."""

    def deployment_ready(self, endpoint: str, deployment: str) -> None: ...

    def deployment_failed(self, endpoint: str, deployment: str, code: str, message: str) -> None: ...
