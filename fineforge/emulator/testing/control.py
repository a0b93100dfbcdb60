"""What the port answers without TLS: that it is alive, and with `--test-hooks` the switches of tests.

GET    /            alive, and as which process
POST   /faults      {"rules": [...]}: replaces the rules; the keys of one are those of `faults.Fault`
GET    /requests    {"requests": [{"method", "host", "path", "write", "status", "body"}, ...]} since the last
                    DELETE; status 0: no answer; body: of resource writes
DELETE /requests    forgets requests and rules
POST   /snapshot    {"folder"}: the whole state, blobs too, into a folder that is not there yet
POST   /restore     {"folder"}: the state as it was then
POST   /planted     {"what", "values"}: a method of `models.planted.Planted`, and the values for it in order
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.http.common import Service, json_response, read_json
from fineforge.emulator.rules import AzureError
from fineforge.emulator.testing.faults import Faults


async def answer(service: Service, hooks: Faults | None, request: Request) -> Response:
    """Answer a request that names a loopback address and does not come from another site's page.

    A page that was led here by its own DNS name names that as the host. A page that posts across origins, which browsers permit
    for plain text, names its origin.
    """
    place = request.headers.get("host", "")
    host = place.split(":")[0]
    if host not in ("127.0.0.1", "localhost"):
        return _error(403, f"{host} is not this machine; Azure's hosts are reached through CONNECT")
    origin = request.headers.get("origin")
    if origin not in (None, f"http://{place}") or request.headers.get("sec-fetch-site") == "cross-site":
        return _error(403, f"a page of {origin or 'another site'} may not use the emulator's switches")
    if (request.method, request.url.path) == ("GET", "/"):
        return json_response({"service": "fineforge emulator", "pid": os.getpid()})
    if hooks is None:
        return _error(404, "start the emulator with --test-hooks")
    try:
        found = _switch(service, hooks, request.method, request.url.path, await read_json(request))
    except (AzureError, KeyError, TypeError, ValueError, AttributeError, re.error, OSError) as error:
        return _error(400, f"{type(error).__name__}: {error}")
    return _error(404, request.url.path) if found is None else json_response(found)


def _switch(service: Service, hooks: Faults, method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
    match method, path:
        case "POST", "/faults":
            hooks.set(body["rules"])
        case "GET", "/requests":
            return {"requests": hooks.log()}
        case "DELETE", "/requests":
            hooks.clear()
        case "POST", "/snapshot":
            service.cloud.snapshot(Path(body["folder"]))
        case "POST", "/restore":
            service.cloud.restore(Path(body["folder"]))
            service.cloud.resume()
        case "POST", "/planted":
            getattr(service.cloud.planted, str(body["what"]))(*body.get("values", ()))
        case _:
            return None
    return {}


def _error(status: int, message: str) -> Response:
    return json_response({"error": {"code": "Refused", "message": message}}, status)
