"""Run history and MLflow tracking of the workspace's region: details, logs' addresses, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.routes.common import Service, json_response, read_json


async def workspace_discovery(service: Service, request: Request) -> Response:
    """Asked without a token by the SDK's stream (azure-wire row 23)."""
    return json_response({"api": f"https://{service.cloud.settings.location}.api.azureml.ms"})


async def details(service: Service, request: Request, run: str) -> Response:
    # Who streams looks at the run only: for a stepped lifecycle that is a look at the job.
    service.cloud.get("job", (run,))
    body = dict(service.cloud.get("run", (run,)).body)
    # The reader of a log sends no token: its address opens it.
    body["logFiles"] = {name: f"{url}?{service.signer.sign(_resource(url), 'r')}" for name, url in body["logFiles"].items()}
    return json_response(body)


async def run(service: Service, request: Request, run: str) -> Response:
    return json_response(service.cloud.get("run", (run,)).body)


async def children(service: Service, request: Request, run: str) -> Response:
    """The emulator trains a pipeline in one go: its job has no child runs."""
    service.cloud.get("run", (run,))
    return json_response({"value": []})


async def patch(service: Service, request: Request, experiment: str, run: str) -> Response:
    """What the SDK sends for a fetched job that is edited: tags, description, display name."""
    wanted = await read_json(request)
    body = service.cloud.get("job", (run,)).body
    properties = dict(body["properties"])
    properties |= {key: wanted[key] for key in ("displayName", "description") if key in wanted}
    properties["tags"] = {**(properties.get("tags") or {}), **(wanted.get("tags") or {})}
    service.cloud.put("job", (run,), {**body, "properties": properties})
    return json_response(service.cloud.get("run", (run,)).body)


async def mlflow_run(service: Service, request: Request) -> Response:
    """`runs/get`: the last value of every metric."""
    name = request.query_params.get("run_id") or request.query_params.get("run_uuid") or ""
    body = service.cloud.get("run", (name,)).body
    last: dict[str, Any] = {}
    for point in service.cloud.list("metric", (name,)).body["value"]:
        last[point["name"]] = _point(point)
    info = {
        "run_id": name,
        "run_uuid": name,
        "experiment_id": body["experimentName"],
        "status": _STATUS.get(body["status"], "RUNNING"),
    }
    tags = [{"key": key, "value": value} for key, value in (body["tags"] or {}).items()]
    return json_response({"run": {"info": info, "data": {"metrics": list(last.values()), "params": [], "tags": tags}}})


async def mlflow_history(service: Service, request: Request) -> Response:
    """`metrics/get-history`: every value of one metric, in order."""
    query = request.query_params
    points = service.cloud.list("metric", (query.get("run_id", ""),)).body["value"]
    return json_response({"metrics": [_point(point) for point in points if point["name"] == query.get("metric_key")]})


def _resource(url: str) -> str:
    """`container/blob` of an address."""
    return unquote(url.split("/", 3)[3])


_STATUS = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}


def _point(point: Mapping[str, Any]) -> dict[str, Any]:
    return {"key": point["name"], "value": point["value"], "step": point["step"], "timestamp": point["time"]}
