"""management.azure.com: the workspace, and every kind of object in it, by the same few verbs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.http import shapes
from fineforge.emulator.http.common import (
    RETRY,
    Handler,
    NotImplementedHere,
    Service,
    json_response,
    newest_first,
    page,
    read_json,
    reply_response,
    view,
)


async def workspace(service: Service, request: Request) -> Response:
    return json_response(service.cloud.get("workspace").body)


def resource(kind: str) -> Handler:
    """Handler of one object: the named parts of the path, in order, are its key."""

    async def handle(service: Service, request: Request, **parts: str) -> Response:
        path = tuple(parts.values())
        match request.method:
            case "GET":
                reply = service.cloud.get(kind, path)
            case "PUT":
                reply = service.cloud.put(kind, path, await _read(request, kind))
            case "PATCH":
                reply = service.cloud.patch(kind, path, await _read(request, kind))
            case "DELETE":
                reply = service.cloud.delete(kind, path)
            case method:
                raise NotImplementedHere(f"{method} of {kind}")
        return reply_response(service, request, reply)

    return handle


def collection(kind: str) -> Handler:
    """Handler of a list, a page at a time."""

    async def handle(service: Service, request: Request, **parts: str) -> Response:
        rows = list(service.cloud.list(kind, tuple(parts.values()), view(request)).body["value"])
        rows = [row for row in rows if _is_wanted(row["properties"], request.query_params)]
        return page(request, rows if newest_first(request) else rows[::-1])

    return handle


def action(kind: str, verb: str) -> Handler:
    """Handler of a POST that is named after what it does."""

    async def handle(service: Service, request: Request, **parts: str) -> Response:
        body = await read_json(request)
        shapes.fit(body, shapes.ACTIONS)
        return reply_response(service, request, service.cloud.post(kind, tuple(parts.values()), verb, body))

    return handle


async def list_secrets(service: Service, request: Request, name: str) -> Response:
    """Who asks for something that expires gets a signature of the container, everybody else the account's key."""
    body = await read_json(request)
    reply = service.cloud.post("datastore", (name,), "listSecrets", body)
    if body.get("expirableSecret") and reply.body["secretsType"] == "AccountKey":
        container = service.cloud.get("datastore", (name,)).body["properties"]["containerName"]
        return json_response({"secretsType": "Sas", "sasToken": service.signer.sign(container, "racwdl")})
    return json_response(reply.body)


async def sizes(service: Service, request: Request) -> Response:
    return json_response(service.cloud.get("vm_sizes").body)


async def usages(service: Service, request: Request) -> Response:
    return json_response(service.cloud.get("usages").body)


async def operation_status(service: Service, request: Request, operation: str) -> Response:
    return json_response(service.cloud.get("operation", (operation,)).body, headers=RETRY)


async def operation_result(service: Service, request: Request, operation: str) -> Response:
    over = service.cloud.get("operation", (operation,)).body["status"] in ("Succeeded", "Failed", "Canceled")
    return Response(None, 200 if over else 202, {} if over else RETRY)


async def _read(request: Request, kind: str) -> dict[str, Any]:
    body = await read_json(request)
    shapes.fit(body, shapes.SHAPES.get(kind, {}))
    return body


def _is_wanted(properties: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """`tags` is a list of names, each with a value or without; `tag` is one name."""
    tags = properties.get("tags") or {}
    for entry in filter(None, (query.get("tags") or query.get("tag") or "").split(",")):
        name, _, value = entry.partition("=")
        if name not in tags or (value and tags[name] != value):
            return False
    if query.get("jobType") not in (None, properties.get("jobType")):
        return False
    return query.get("isDefault") is None or str(bool(properties.get("isDefault"))).lower() == query["isDefault"].lower()
