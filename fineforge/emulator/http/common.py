"""What routes share: the service behind a request, JSON answers, the headers of long operations, pages of lists."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.http.credentials import Signer
from fineforge.emulator.rules import AzureError, Cloud, Reply
from fineforge.emulator.rules.workspace import account_key

PAGE = 100
"""Rows of a list answer before `nextLink`."""

RETRY = {"retry-after-ms": "50"}
"""On every answer that a client polls: without it the SDK sleeps 30 s (azure-wire, surprise 9)."""

Handler = Callable[..., Awaitable[Response]]
"""(service, request, **named parts of host and path)."""

Score = Callable[[str, str, bytes, float], Awaitable[tuple[int, bytes]]]
"""Endpoint, deployment, body, timeout in seconds -> status and body of the model server."""


@dataclass(frozen=True)
class Service:
    """What every handler works with."""

    cloud: Cloud
    score: Score

    @cached_property
    def signer(self) -> Signer:
        """Signs and checks addresses of blobs, also those that were given out before a restart."""
        return Signer(account_key(self.cloud.settings.workspace_id))


class NotImplementedHere(Exception):
    """The emulator never pretends: what it does not know, it names."""


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a mapping, empty where there is none; 400 where it is something else."""
    content = await request.body()
    if not content:
        return {}
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise AzureError(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized.") from None
    if not isinstance(found, dict):
        raise AzureError(400, "InvalidRequestContent", "The request content is not a JSON object.")
    return found


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body).encode(), status, headers, "application/json; charset=utf-8")


def reply_response(service: Service, request: Request, reply: Reply) -> Response:
    """A reply of the rules, with the addresses of its operation."""
    headers = dict(reply.headers)
    if reply.operation is not None:
        url = service.cloud.settings.operation_url(reply.operation)
        deleted = request.method == "DELETE"
        location = url.replace("OperationsStatus", "OperationResults") if deleted else str(request.url)
        headers |= {"Azure-AsyncOperation": url, "Location": location, **RETRY}
    if reply.status == 204:
        return Response(None, 204, headers)
    return json_response(reply.body, reply.status, headers)


def page(request: Request, rows: list[Any], size: int = PAGE) -> Response:
    """Rows from `$skip`, with `nextLink` where there are more; with `$top` so many of them and no link."""
    query = dict(request.query_params)
    start, top = number(query, "$skip") or 0, number(query, "$top")
    body: dict[str, Any] = {"value": rows[start : start + (size if top is None else top)]}
    if top is None and start + size < len(rows):
        query["$skip"] = str(start + size)
        body["nextLink"] = f"https://{request.url.hostname}{request.url.path}?{urlencode(query)}"
    return json_response(body)


def number(query: dict[str, str], name: str) -> int | None:
    """A parameter that counts; 400 where it does not."""
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise AzureError(400, "BadRequest", f"The value '{text}' of the query parameter {name} is not a number.")
    return int(text)


def view(request: Request) -> str:
    """Which of active and archived ones a list has."""
    found = request.query_params.get("listViewType", "ActiveOnly")
    if found == "ListViewType.ACTIVE_ONLY":  # azure-ai-ml 1.35.2 and 3.11, in lists of a registry
        return "ActiveOnly"
    if found not in ("ActiveOnly", "ArchivedOnly", "All"):
        raise NotImplementedHere(f"listViewType={found}")
    return found


def newest_first(request: Request) -> bool:
    """What `$orderBy` asks for; lists of the rules are newest first."""
    match request.query_params.get("$orderBy", "createdtime desc").lower().split():
        case ["createdtime", "desc"]:
            return True
        case ["createdtime"] | ["createdtime", "asc"]:
            return False
    raise NotImplementedHere(f"$orderBy={request.query_params['$orderBy']}")
