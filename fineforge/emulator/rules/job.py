"""Jobs: submission, what may change afterwards, cancel, delete; and what stops one before it trains.

Only pipeline jobs of one registry component are emulated: the fine-tuning components are such.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fineforge.emulator.rules import checks, steps, uris
from fineforge.emulator.rules.assets import visible
from fineforge.emulator.rules.base import Body, Key, Kind, Operation, Reply
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import failure, refuse
from fineforge.emulator.rules.references import References
from fineforge.emulator.rules.runner import BaseModel, JobToRun
from fineforge.emulator.rules.runs import TERMINAL, Runs, step_of
from fineforge.emulator.rules.sizes import find
from fineforge.emulator.storage.blobs import output_name

_CHANGEABLE = ("description", "tags", "displayName", "properties", "isArchived")
_FIXED = ("jobType", "settings", "inputs", "outputs", "jobs", "componentId", "computeId", "experimentName")
_SERVER_KEYS = frozenset({"mode", "description", "_source"})
"""Inside the fixed fields: what the server adds or a client's round trip loses; not compared."""
_MODEL_INPUTS = ("mlflow_model", "custom_model", "triton_model")


class Job(Kind):
    """Documents are {"body", "fixed": what later bodies must equal, "run": {"start", "end", "final", "clusters"}}."""

    name = "job"

    def __init__(self, context: Context, references: References) -> None:
        self._context = context
        self._references = references
        self._runs = Runs(context)

    def get(self, path: Key) -> Reply:
        return Reply(200, self._found(path)["body"])

    def list(self, parent: Key, view: str) -> Reply:
        """Newest first."""
        return Reply(200, {"value": visible([document["body"] for _, document in self._context.store.list("job")][::-1], view)})

    def put(self, path: Key, body: Body) -> Reply:
        checks.asset_name(path[0])
        properties = checks.mapping(body, "properties")
        checks.tags(properties.get("tags"))
        document = self._context.store.get("job", path)
        if document is not None:
            return self._update(path, document, properties)
        if self._context.store.get("job_name", path) is not None:
            raise refuse("job_exists")  # deleted, but a name is taken for ever
        if properties.get("jobType") != "Pipeline":
            raise refuse("job_type", type=properties.get("jobType"))
        steps.read(properties, self._references.component)
        self._check_computes(properties)
        document = {
            "body": self._body(path[0], properties),
            "fixed": _fixed(properties),
            "run": {"start": None, "end": None, "final": None},
        }
        self._context.store.put("job", path, document)
        self._context.store.put("job_name", path, {})
        self._context.operations.begin("job", path, "start")
        return Reply(201, document["body"])

    def post(self, path: Key, verb: str, body: Body) -> Reply:
        """cancel: 200; of a job that is over, nothing happens (assumed)."""
        if verb != "cancel":
            return super().post(path, verb, body)
        document = self._found(path)
        properties = document["body"]["properties"]
        if properties["status"] in TERMINAL:
            return Reply(200)
        waiting = any(operation.action == "start" for operation in self._context.operations.pending("job", path))
        self._context.operations.drop("job", path)
        if waiting:
            self._runs.finished(path[0], "Canceled", None)
        else:
            properties["status"] = "CancelRequested"
            document["run"]["final"] = None
            self._context.store.put("job", path, document)
            self._context.effects.append(partial(self._context.runner.cancel, path[0]))
        return Reply(200)

    def delete(self, path: Key) -> Reply:
        document = self._context.store.get("job", path)
        if document is None:
            return Reply(204)
        status = document["body"]["properties"]["status"]
        if status not in TERMINAL:
            raise refuse("job_running", name=path[0], status=status)
        self._context.store.delete("job", path)
        return Reply(200)

    def finish(self, operation: Operation) -> Mapping[str, str] | None:
        name, document = operation.path[0], self._found(operation.path)
        if operation.action == "finish":
            self._runs.end(name, document)
            return None
        job, problem = self._prepared(name, document)
        error = operation.error or problem or self._evicted(document)
        if error:
            self._runs.finished(name, "Failed", error)
            return None
        document["body"]["properties"]["status"] = "Queued"
        self._context.store.put("job", operation.path, document)
        self._context.effects.append(partial(self._context.runner.submit, job))
        return None

    def resume(self) -> None:
        """Jobs that the runner had are handed to it again."""
        for path, document in self._context.store.list("job"):
            status = document["body"]["properties"]["status"]
            if status == "CancelRequested":
                self._context.effects.append(partial(self._context.runner.cancel, path[0]))
            elif status in ("Queued", "Running"):
                job, _ = self._prepared(path[0], document)
                self._context.effects.append(partial(self._context.runner.submit, job))

    def _found(self, path: Key) -> Body:
        document = self._context.store.get("job", path)
        if document is None:
            if step_of(self._context, path[0]):
                raise refuse("job_child")
            raise refuse("asset_missing", id=f"{self._context.settings.workspace_path}/jobs/{path[0]}")
        return document

    def _update(self, path: Key, document: Body, properties: Body) -> Reply:
        """The same body again is fine; only some fields may differ (azure-docs#122250)."""
        if _fixed(properties) != document["fixed"]:
            raise refuse("job_exists")
        current = document["body"]["properties"]
        for field in _CHANGEABLE:
            if field in properties:
                current[field] = (current["properties"] | properties[field]) if field == "properties" else properties[field]
        document["body"]["systemData"]["lastModifiedAt"] = self._context.now()
        self._context.store.put("job", path, document)
        return Reply(200, document["body"])

    def _check_computes(self, properties: Mapping[str, Any]) -> None:
        settings = properties.get("settings") or {}
        for text in (properties.get("computeId"), settings.get("default_compute")):
            if text and not self._has_compute(str(text)):
                raise refuse("compute_unknown", name=uris.compute_name(str(text)), workspace=self._context.settings.workspace)

    def _has_compute(self, text: str) -> bool:
        name = uris.compute_name(text)
        found = self._context.store.get("compute", (name,))
        return name == steps.SERVERLESS or (found is not None and found["properties"]["provisioningState"] != "Failed")

    def _prepared(self, name: str, document: Body) -> tuple[JobToRun, dict[str, str] | None]:
        """The job as the runner takes it, and what stops it, if anything does."""
        properties = document["body"]["properties"]
        step = steps.read(properties, self._references.component)
        document["run"]["clusters"] = steps.clusters(properties, step)
        error = steps.violation(step) or self._wrong_size(step)
        inputs: dict[str, str | Path] = {}
        base: BaseModel | Path | None = None
        for key, text in steps.effective(step).items():
            kind = step.component.inputs[key].type
            if kind in steps.LITERALS:
                inputs[key] = text
                if key.startswith("compute_") and not self._has_compute(text):
                    error = error or failure("job_compute", name=text, input=key)
            elif kind in _MODEL_INPUTS:
                base = self._model(text)
                error = error or (failure("job_model", id=text, input=key) if base is None else None)
            elif files := self._references.files(text):
                inputs[key] = files
            else:
                error = error or failure("job_data", uri=text, input=key)
        outputs = {
            key: self._context.blobs.path(self._context.settings.container, output_name(name, top))
            for key, top in step.outputs.items()
        }
        model = base if isinstance(base, BaseModel) else None
        folder = base if isinstance(base, Path) else None
        return JobToRun(name, step.component.name, step.component.version, inputs, model, folder, outputs), error

    def _wrong_size(self, step: steps.Step) -> dict[str, str] | None:
        """Only sizes that somebody asked for: a default of the component is the service's business."""
        for key, text in step.sizes().items():
            if find(text) is None:
                return failure("job_size", size=text, input=key)
        return None

    def _evicted(self, document: Body) -> dict[str, str] | None:
        """Once for each time that a test planted it."""
        for cluster in document["run"]["clusters"]:
            if self._context.store.delete("eviction", (cluster.lower(),)):
                return failure("job_preempted")
        return None

    def _model(self, text: str) -> BaseModel | Path | None:
        reference = uris.parse(text)
        if isinstance(reference, uris.AssetRef):
            return self._references.model(reference)
        return self._references.files(text)

    def _body(self, name: str, given: Body) -> Body:
        """Recorded: 201 at once, Preparing, modes added."""
        where = self._context.settings
        tracking = f"azureml://{where.location}.api.azureml.ms/mlflow/v1.0{where.workspace_path}?"
        studio = f"https://ml.azure.com/runs/{name}?wsid={where.workspace_path}"
        service = dict.fromkeys(("port", "status", "errorMessage", "properties", "nodes"))
        server = {
            "azureml.DevPlatv2": "true",
            "azureml.runsource": "azureml.PipelineRun",
            "runSource": "MFE",
            "runType": "HTTP",
            "azureml.parameters": json.dumps(
                {key: entry.get("value") for key, entry in (given.get("inputs") or {}).items() if "value" in entry}
            ),
            "azureml.continue_on_step_failure": str(bool((given.get("settings") or {}).get("continue_on_step_failure", True))),
            "azureml.defaultDataStoreName": "workspaceblobstore",
            "azureml.pipelineComponent": "pipelinerun",
        }
        return {
            "id": f"{where.workspace_path}/jobs/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/jobs",
            "properties": {
                "description": given.get("description"),
                "tags": given.get("tags") or {},
                "properties": dict(given.get("properties") or {}) | server,
                "displayName": given.get("displayName") or name,
                "status": "Preparing",
                "experimentName": given.get("experimentName") or "Default",
                "services": {
                    "Tracking": {"jobServiceType": "Tracking", "endpoint": tracking, **service},
                    "Studio": {"jobServiceType": "Studio", "endpoint": studio, **service},
                },
                "computeId": given.get("computeId"),
                "isArchived": bool(given.get("isArchived")),
                "identity": given.get("identity"),
                "componentId": given.get("componentId"),
                "jobType": "Pipeline",
                "settings": given.get("settings") or {},
                "jobs": given.get("jobs") or {},
                "inputs": {key: _input(entry) for key, entry in (given.get("inputs") or {}).items()},
                "outputs": {key: _output(entry) for key, entry in (given.get("outputs") or {}).items()},
                "sourceJobId": None,
            },
            "systemData": self._context.created(),
        }


def _input(entry: Body) -> Body:
    mode = {} if entry.get("jobInputType") == "literal" else {"mode": "ReadOnlyMount"}
    return {"description": None, **mode, **entry}


def _output(entry: Body) -> Body:
    return {"description": None, "uri": None, "mode": "ReadWriteMount", **entry}


def _fixed(properties: Mapping[str, Any]) -> Body:
    """The part of a job that nobody can change, without what the server adds."""
    fixed = {field: _bare(properties.get(field)) for field in _FIXED}
    for output in (fixed["outputs"] or {}).values():
        output.pop("uri", None)  # filled in when the job completes
    return {field: value for field, value in fixed.items() if value not in (None, {})}


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _bare(entry) for key, entry in value.items() if entry is not None and key not in _SERVER_KEYS}
    return value
