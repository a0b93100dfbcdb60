"""Run history and MLflow tracking of the workspace's region: details, logs' addresses, metrics."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.http import shapes
from fineforge.emulator.http.common import NotImplementedHere, Service, json_response, number, read_json
from fineforge.emulator.rules import AzureError


async def workspace_discovery(service: Service, request: Request) -> Response:
    """Asked without a token by the SDK's stream (azure-wire row 23)."""
    return json_response({"api": f"https://{service.cloud.settings.location}.api.azureml.ms"})


async def details(service: Service, request: Request, run: str) -> Response:
    # Who streams looks at the run only: for a stepped lifecycle that is a look at the job.
    body = dict(service.cloud.get("run", (run,)).body)
    service.cloud.get("job", (body["rootRunId"],))
    body = dict(service.cloud.get("run", (run,)).body)
    # The reader of a log sends no token: its address opens it.
    body["logFiles"] = {name: f"{url}?{service.signer.sign(_resource(url), 'r')}" for name, url in body["logFiles"].items()}
    return json_response(body)


async def run(service: Service, request: Request, run: str) -> Response:
    return json_response(service.cloud.get("run", (run,)).body)


async def data(service: Service, request: Request) -> Response:
    """`rundata`: of whom the SDK's download asks where outputs are. None are named; it then looks below `azureml/RUN/NAME`."""
    wanted = await read_json(request)
    return json_response({"runMetadata": service.cloud.get("run", (str(wanted.get("runId") or ""),)).body})


async def children(service: Service, request: Request, run: str) -> Response:
    """One level: a pipeline's steps."""
    found = service.cloud.list("run", (run,)).body["value"]
    return json_response({"value": [body for body in found if body["parentRunId"] == run]})


async def patch(service: Service, request: Request, experiment: str, run: str) -> Response:
    """What the SDK sends for a fetched job that is edited, archived or restored (its operations say why it is not a PUT)."""
    wanted = {key: value for key, value in (await read_json(request)).items() if value is not None}
    if unknown := wanted.keys() - _PATCHED.keys():
        raise NotImplementedHere(f"a change of a run's {min(unknown)}")
    body = service.cloud.get("job", (run,)).body
    changed = {_PATCHED[key]: value for key, value in wanted.items()}
    shapes.fit({"properties": changed}, shapes.SHAPES["job"])
    properties = {**body["properties"], **changed}
    properties["tags"] = {**(body["properties"]["tags"] or {}), **changed.get("tags", {})}
    service.cloud.put("job", (run,), {**body, "properties": properties})
    return json_response(service.cloud.get("run", (run,)).body)


async def mlflow_run(service: Service, request: Request) -> Response:
    """`runs/get`: the last value of every metric."""
    name = request.query_params.get("run_id") or request.query_params.get("run_uuid") or ""
    return json_response({"run": _run(service, service.cloud.get("run", (name,)).body)})


async def mlflow_search(service: Service, request: Request) -> Response:
    """`runs/search`, by the tags that the service itself puts on runs; newest pipelines first."""
    wanted = await read_json(request)
    for name, value in wanted.items():
        if name not in _SEARCHED or (name == "order_by" and value) or (name == "run_view_type" and value != "ACTIVE_ONLY"):
            raise NotImplementedHere(f"{name}={value} of runs/search")
    conditions = _conditions(str(wanted.get("filter") or ""))
    experiments = wanted.get("experiment_ids") or []
    runs = [_run(service, body) for job in service.cloud.list("job", (), "All").body["value"] for body in _runs_of(service, job)]
    found = [run for run in runs if not experiments or run["info"]["experiment_id"] in experiments]
    found = [run for run in found if conditions.items() <= {tag["key"]: tag["value"] for tag in run["data"]["tags"]}.items()]
    return _mlflow_page("runs", found, wanted.get("max_results"), wanted.get("page_token"), RUNS)


async def mlflow_experiment(service: Service, request: Request) -> Response:
    """`experiments/get-by-name`: there is one as soon as a job names it."""
    name = request.query_params.get("experiment_name", "")
    if name not in {job["properties"]["experimentName"] for job in service.cloud.list("job", (), "All").body["value"]}:
        raise AzureError(404, "RESOURCE_DOES_NOT_EXIST", f"Could not find experiment with name '{name}'")
    return json_response({"experiment": {"experiment_id": _experiment(name), "name": name, "lifecycle_stage": "active"}})


async def mlflow_history(service: Service, request: Request) -> Response:
    """`metrics/get-history`: every value of one metric, in order, a page at a time."""
    query = request.query_params
    run = query.get("run_id") or query.get("run_uuid") or ""
    points = service.cloud.list("metric", (run,)).body["value"]
    found = [_point(point) for point in points if point["name"] == query.get("metric_key")]
    return _mlflow_page("metrics", found, query.get("max_results"), query.get("page_token"), POINTS)


_PATCHED = {
    **{field: field for field in ("displayName", "description", "tags", "properties")},
    "hidden": "isArchived",
}
"""Field of a run -> that of its job. `hidden` is what the studio's Archive button sets (azure-ai-ml 1.35.2 says so)."""

RUNS, POINTS = 50_000, 25_000
"""The most that one page may have; more is refused (MLflow's REST reference)."""
HISTORY_PARAMETERS = ("run_id", "run_uuid", "metric_key", "max_results", "page_token")

_SEARCHED = ("experiment_ids", "filter", "run_view_type", "max_results", "order_by", "page_token")
_CONDITION = re.compile(r"""\s*tags?\.[`"]?(mlflow\.(?:rootRunId|parentRunId|runName))[`"]?\s*=\s*(?:'([^']*)'|"([^"]*)")\s*\Z""")


def _conditions(text: str) -> dict[str, str]:
    """Tag -> value that it must have. Only what the service itself puts on runs can be asked for here."""
    found = {}
    for part in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text.strip() else []:
        match = _CONDITION.match(part)
        if match is None:
            raise NotImplementedHere(f"the filter {part!r} of runs/search")
        found[match[1]] = match[2] if match[2] is not None else match[3]
    return found


def _runs_of(service: Service, job: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.cloud.list("run", (job["name"],)).body["value"]
    return found


def _run(service: Service, body: Mapping[str, Any]) -> dict[str, Any]:
    """A run as MLflow shapes it."""
    last = {point["name"]: _point(point) for point in service.cloud.list("metric", (body["runId"],)).body["value"]}
    tags = {"mlflow.rootRunId": body["rootRunId"], "mlflow.runName": body["displayName"], **(body["tags"] or {})}
    tags |= {"mlflow.parentRunId": body["parentRunId"]} if body["parentRunId"] else {}
    info = {
        "run_id": body["runId"],
        "run_uuid": body["runId"],
        "run_name": body["displayName"],
        "experiment_id": _experiment(body["experimentName"]),
        "status": _STATUS.get(body["status"], "RUNNING"),
        "start_time": _milliseconds(body["startTimeUtc"]),
        "end_time": _milliseconds(body["endTimeUtc"]),
        "lifecycle_stage": "active",
    }
    data = {"metrics": list(last.values()), "params": [], "tags": [{"key": key, "value": value} for key, value in tags.items()]}
    return {"info": {key: value for key, value in info.items() if value is not None}, "data": data}


def _mlflow_page(name: str, rows: list[Any], most: Any, token: Any, limit: int) -> Response:
    """Rows from the token on, and the next token where there are more."""
    size, start = (
        number({"max_results": str(most or limit)}, "max_results"),
        number({"page_token": str(token or 0)}, "page_token"),
    )
    if size is None or start is None or not 0 < size <= limit:
        raise AzureError(400, "INVALID_PARAMETER_VALUE", f"Invalid value {most} for parameter 'max_results': at most {limit}")
    body: dict[str, Any] = {name: rows[start : start + size]}
    if start + size < len(rows):
        body["next_page_token"] = str(start + size)
    return json_response(body)


def _experiment(name: str) -> str:
    """Experiments have numbers that nobody can guess."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"experiment {name}"))


def _resource(url: str) -> str:
    """`container/blob` of an address."""
    return unquote(url.split("/", 3)[3])


_STATUS = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}


def _point(point: Mapping[str, Any]) -> dict[str, Any]:
    return {"key": point["name"], "value": point["value"], "step": point["step"], "timestamp": _milliseconds(point["time"])}


def _milliseconds(time: str | None) -> int | None:
    return int(datetime.fromisoformat(time).timestamp() * 1000) if time else None
