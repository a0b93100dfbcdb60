"""A job while it runs and after: status, log, metrics, error; and run history's view of it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fineforge.emulator.rules.base import Body, Key, Kind, Reply
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import refuse
from fineforge.emulator.rules.workspace import DEFAULT_DATASTORE
from fineforge.emulator.storage.blobs import ARTIFACTS, log_name, output_name

TERMINAL = frozenset({"Completed", "Failed", "Canceled"})
_NUMBER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Runs:
    """Changes of a job's state. What is told about a job that is over, or gone, changes nothing."""

    context: Context

    def started(self, job: str) -> None:
        document = self._live(job)
        if document and document["body"]["properties"]["status"] != "CancelRequested":
            document["body"]["properties"]["status"] = "Running"
            document["run"]["start"] = document["run"]["start"] or self.context.now()
            self.context.store.put("job", (job,), document)

    def log(self, job: str, text: str) -> None:
        """Into the blob that run history names, as the service does: readers fetch it whole."""
        target = self.context.blobs.path(ARTIFACTS, log_name(job))
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a", encoding="utf-8") as file:
            file.write(text)

    def metric(self, job: str, metric: str, step: int, value: float, epoch: float | None) -> None:
        body = {"name": metric, "step": step, "value": value, "epoch": epoch, "time": self.context.now()}
        self.context.store.put("metric", (job, metric, f"{step:09d}"), body)

    def finished(self, job: str, status: str, error: Mapping[str, str] | None) -> None:
        """A completed job is Finalizing until the lifecycle lets it go."""
        document = self._live(job)
        if document is None or document["run"]["final"]:
            return
        document["run"]["final"] = {"status": status, "error": dict(error) if error else None}
        if status == "Completed":
            document["body"]["properties"]["status"] = "Finalizing"
            self.context.operations.begin("job", (job,), "finish")
            self.context.store.put("job", (job,), document)
        else:
            self.end(job, document)

    def end(self, job: str, document: Body) -> None:
        final, properties = document["run"]["final"], document["body"]["properties"]
        properties["status"] = final["status"]
        document["run"]["end"] = self.context.now()
        if final["status"] == "Completed":
            for name, output in properties["outputs"].items():
                output["uri"] = f"azureml://datastores/{DEFAULT_DATASTORE}/paths/{output_name(job, name)}/"
        self.context.store.put("job", (job,), document)

    def _live(self, job: str) -> Body | None:
        document = self.context.store.get("job", (job,))
        return document if document and document["body"]["properties"]["status"] not in TERMINAL else None


class RunDetails(Kind):
    """Path (run,): what GET history/v1.0/.../runs/{run}/details answers. Log addresses carry no signature yet.

    The run of a pipeline job is called as the job is; each of its steps has one of its own below it, with a number for a name.
    List of (job,): the job's own run and those below it.
    """

    name = "run"

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, path: Key) -> Reply:
        job, step = run_of(self._context, path[0])
        return Reply(200, self._details(job, step))

    def list(self, parent: Key, view: str) -> Reply:
        job, _ = run_of(self._context, parent[0])
        document = self._context.store.get("job", (job,)) or {}
        below = document["body"]["properties"]["jobs"]
        return Reply(200, {"value": [self._details(job, ""), *(self._details(job, step) for step in below)]})

    def _details(self, job: str, step: str) -> Body:
        document = self._context.store.get("job", (job,)) or {}
        properties, run = document["body"]["properties"], document["run"]
        error = run["final"]["error"] if run["final"] else None
        details: dict[str, Any] = {
            "runId": step_run(job, step) if step else job,
            "rootRunId": job,
            "parentRunId": job if step else None,
            "experimentName": properties["experimentName"],
            "displayName": step or properties["displayName"],
            "runType": "azureml.StepRun" if step else "azureml.PipelineRun",
            "status": properties["status"],
            "createdUtc": document["body"]["systemData"]["createdAt"],
            "startTimeUtc": run["start"],
            "endTimeUtc": run["end"],
            "properties": {} if step else properties["properties"],
            "tags": {} if step else properties["tags"],
            # Never null: the SDK's stream reads it without a check (seen with azure-ai-ml 1.35.2).
            "logFiles": {} if step else self._log_files(job),
        }
        return details | ({"error": {"error": error}} if error else {})

    def _log_files(self, job: str) -> dict[str, str]:
        """All that a job writes is in the one log that the SDK's stream prints; its step has none of its own here."""
        if not self._context.blobs.exists(ARTIFACTS, log_name(job)):
            return {}
        host = f"https://{self._context.settings.storage_account}.blob.core.windows.net"
        return {"logs/azureml/executionlogs.txt": f"{host}/{ARTIFACTS}/{log_name(job)}"}


class Metrics(Kind):
    """List of (run,): {"name", "step", "value", "epoch", "time"} in the order of arrival.

    A step and its pipeline have the same: the fine-tuning components log to both (azureml-assets, `log_metrics_at_root`).
    """

    name = "metric"

    def __init__(self, context: Context) -> None:
        self._context = context

    def list(self, parent: Key, view: str) -> Reply:
        job, _ = run_of(self._context, parent[0])
        return Reply(200, {"value": [body for _, body in self._context.store.list("metric", (job,))]})


def step_run(job: str, step: str) -> str:
    """The id of a step's run: a number, always the same one."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{job}/{step}"))


def run_of(context: Context, run: str) -> tuple[str, str]:
    """Job and step of a run; of a job's own run the step is empty. 404 where there is no such run."""
    if context.store.get("job", (run,)) is not None:
        return run, ""
    if found := step_of(context, run):
        return found
    raise refuse("resource_missing")


def step_of(context: Context, run: str) -> tuple[str, str] | None:
    """Job and step, where the run is a step's. Absent jobs are asked for often: only a number is searched for."""
    if _NUMBER.fullmatch(run):
        for path, document in context.store.list("job"):
            for step in document["body"]["properties"]["jobs"]:
                if step_run(path[0], step) == run:
                    return path[0], step
    return None
