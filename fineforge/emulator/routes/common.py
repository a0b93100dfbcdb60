"""What routes share: the service behind a request, JSON answers, the headers of long operations, pages of lists."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.models import AzureError, Cloud, Reply

PAGE = 100
"""Rows of a list answer before `nextLink`."""

Score = Callable[[str, str, bytes, float], Awaitable[tuple[int, bytes]]]
"""Endpoint, deployment, body, timeout in seconds -> status and body of the model server."""


@dataclass(frozen=True, slots=True)
class Service:
    """What every handler works with."""

    cloud: Cloud
    score: Score
    api_key: str
    """Signs what the emulator signs; made anew at each start."""


class NotImplementedHere(Exception):
    """The emulator never pretends: what it does not know, it names."""


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a mapping; 400 where it is none."""
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
    """A reply of the rules. `retry-after-ms` everywhere that a client polls, so that nobody waits the SDK's 30 s."""
    headers = dict(reply.headers)
    if reply.operation is not None:
        url = service.cloud.settings.operation_url(reply.operation)
        headers |= {"Azure-AsyncOperation": url, "retry-after-ms": "50"}
        if request.method == "DELETE":
            headers["Location"] = url.replace("OperationsStatus", "OperationResults")
        else:
            headers["Location"] = str(request.url)
    if reply.status == 204:
        return Response(None, 204, headers)
    return json_response(reply.body, reply.status, headers)


def page(request: Request, rows: list[Any]) -> Response:
    """Rows from `$skip`, at most `$top` or a page of them, with `nextLink` where there are more."""
    query = dict(request.query_params)
    start = int(query.get("$skip") or query.get("$skiptoken") or 0)
    top = query.get("$top")
    size = min(int(top), PAGE) if top else PAGE
    body: dict[str, Any] = {"value": rows[start : start + size]}
    if not top and start + size < len(rows):
        query["$skip"] = str(start + size)
        body["nextLink"] = f"https://{request.url.hostname}{request.url.path}?{urlencode(query)}"
    return json_response(body)
