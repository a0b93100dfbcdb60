"""A job while it runs and after: status, log, metrics, error; and run history's view of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fineforge.emulator.blobs import ARTIFACTS, log_name, output_name
from fineforge.emulator.models.base import Body, Key, Kind, Reply
from fineforge.emulator.models.context import Context
from fineforge.emulator.models.errors import refuse
from fineforge.emulator.models.workspace import DEFAULT_DATASTORE

TERMINAL = frozenset({"Completed", "Failed", "Canceled"})


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
    """Path (job,): what GET history/v1.0/.../runs/{job}/details answers. Log addresses carry no signature yet."""

    name = "run"

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, path: Key) -> Reply:
        document = self._context.store.get("job", path)
        if document is None:
            raise refuse("resource_missing")
        properties, run = document["body"]["properties"], document["run"]
        error = run["final"]["error"] if run["final"] else None
        details: dict[str, Any] = {
            "runId": path[0],
            "rootRunId": path[0],
            "parentRunId": None,
            "experimentName": properties["experimentName"],
            "displayName": properties["displayName"],
            "runType": "azureml.PipelineRun",
            "status": properties["status"],
            "createdUtc": document["body"]["systemData"]["createdAt"],
            "startTimeUtc": run["start"],
            "endTimeUtc": run["end"],
            "properties": properties["properties"],
            "tags": properties["tags"],
            # Never null: the SDK's stream reads it without a check (seen with azure-ai-ml 1.35.2).
            "logFiles": self._log_files(path[0]),
        }
        return Reply(200, details | ({"error": {"error": error}} if error else {}))

    def _log_files(self, job: str) -> dict[str, str]:
        if not self._context.blobs.exists(ARTIFACTS, log_name(job)):
            return {}
        host = f"https://{self._context.settings.storage_account}.blob.core.windows.net"
        return {"logs/azureml/executionlogs.txt": f"{host}/{ARTIFACTS}/{log_name(job)}"}


class Metrics(Kind):
    """List of (job,): {"name", "step", "value", "epoch", "time"} in the order of arrival."""

    name = "metric"

    def __init__(self, context: Context) -> None:
        self._context = context

    def list(self, parent: Key, view: str) -> Reply:
        if self._context.store.get("job", parent) is None:
            raise refuse("resource_missing")
        return Reply(200, {"value": [body for _, body in self._context.store.list("metric", parent)]})
