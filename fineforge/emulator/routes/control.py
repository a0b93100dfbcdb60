"""What the port answers without TLS: that it is alive, and with `--test-hooks` the switches of tests. Loopback only, like all of it."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.faults import Faults
from fineforge.emulator.routes.common import Service, json_response, read_json


async def answer(service: Service, hooks: Faults | None, request: Request) -> Response:
    """`GET /` for everybody; the rest is a 404 unless the emulator was started for tests."""
    if request.url.path == "/" and request.method == "GET":
        return json_response({"service": "fineforge emulator"})
    host = (request.headers.get("host") or "").split(":")[0]
    if hooks is None or host not in ("127.0.0.1", "localhost"):
        return json_response({"error": {"code": "NotFound", "message": "start the emulator with --test-hooks"}}, 404)
    match request.method, request.url.path:
        case "POST", "/faults":
            hooks.set((await read_json(request))["rules"])
        case "GET", "/requests":
            return json_response({"requests": hooks.log()})
        case "DELETE", "/requests":
            hooks.clear()
        case "POST", "/snapshot":
            service.cloud.snapshot(Path((await read_json(request))["folder"]))
        case "POST", "/restore":
            service.cloud.restore(Path((await read_json(request))["folder"]))
            service.cloud.resume()
        case "POST", "/planted":
            body = await read_json(request)
            getattr(service.cloud.planted, str(body["what"]))(*body.get("values", ()))
        case _:
            return json_response({"error": {"code": "NotFound", "message": request.url.path}}, 404)
    return json_response({})
