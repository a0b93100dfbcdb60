"""management.azure.com: the workspace, and every kind of object in it, by the same few verbs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.models import AzureError
from fineforge.emulator.routes.common import NotImplementedHere, Service, json_response, page, read_json, reply_response

Handler = object


async def workspace(service: Service, request: Request) -> Response:
    return json_response(service.cloud.get("workspace").body)


def resource(kind: str):  # type: ignore[no-untyped-def]
    """Handler of one object: the named parts of the path, in order, are its key."""

    async def handle(service: Service, request: Request, **parts: str) -> Response:
        path = tuple(parts.values())
        match request.method:
            case "GET" | "HEAD":
                reply = service.cloud.get(kind, path)
            case "PUT":
                reply = service.cloud.put(kind, path, await read_json(request))
            case "PATCH":
                reply = service.cloud.patch(kind, path, await read_json(request))
            case "DELETE":
                reply = service.cloud.delete(kind, path)
            case _:
                raise NotImplementedHere(f"{request.method} of {kind}")
        return reply_response(service, request, reply)

    return handle


def collection(kind: str):  # type: ignore[no-untyped-def]
    """Handler of a list, whole pages at a time, newest first where the kind says so."""

    async def handle(service: Service, request: Request, **parts: str) -> Response:
        query = request.query_params
        view = query.get("listViewType") or "ActiveOnly"
        rows = list(service.cloud.list(kind, tuple(parts.values()), view).body["value"])
        if tag := query.get("tag"):
            rows = [row for row in rows if tag in (row["properties"].get("tags") or {})]
        if job_type := query.get("jobType"):
            rows = [row for row in rows if row["properties"].get("jobType") == job_type]
        if query.get("isDefault") == "true":
            rows = [row for row in rows if row["properties"].get("isDefault")]
        return page(request, rows)

    return handle


def action(kind: str, verb: str):  # type: ignore[no-untyped-def]
    """Handler of a POST that is named after what it does."""

    async def handle(service: Service, request: Request, **parts: str) -> Response:
        return reply_response(service, request, service.cloud.post(kind, tuple(parts.values()), verb, await read_json(request)))

    return handle


def container(kind: str):  # type: ignore[no-untyped-def]
    """Handler of an asset without a version: which one is the latest."""

    async def handle(service: Service, request: Request, name: str) -> Response:
        rows = service.cloud.list(kind, (name,), "ActiveOnly").body["value"]
        if not rows:
            raise AzureError(404, "UserError", f"No {kind} exists for name: {name}", inner="NotFoundError")
        latest = rows[0]["name"]
        settings = service.cloud.settings
        segment = "data" if kind == "data" else "models"
        return json_response(
            {
                "id": f"{settings.workspace_path}/{segment}/{name}",
                "name": name,
                "type": f"Microsoft.MachineLearningServices/workspaces/{segment}",
                "properties": {"description": None, "tags": {}, "properties": {}, "isArchived": False, "latestVersion": latest},
            }
        )

    return handle


async def sizes(service: Service, request: Request) -> Response:
    return json_response(service.cloud.get("vm_sizes").body)


async def usages(service: Service, request: Request) -> Response:
    return json_response(service.cloud.get("usages").body)


async def operation_status(service: Service, request: Request, operation: str) -> Response:
    """Clients poll here; without `retry-after-ms` in this very answer the SDK sleeps 30 s (azure-wire, surprise 9)."""
    return json_response(service.cloud.get("operation", (operation,)).body, headers={"retry-after-ms": "50"})


async def operation_result(service: Service, request: Request, operation: str) -> Response:
    body = service.cloud.get("operation", (operation,)).body
    over = body["status"] in ("Succeeded", "Failed", "Canceled")
    return Response(None, 200 if over else 202, {} if over else {"retry-after-ms": "50"})
