"""`<endpoint>.<region>.inference.ml.azure.com`: who may ask, which deployment answers; the model server's words go back as they are."""

from __future__ import annotations

import random

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.models import AzureError
from fineforge.emulator.routes.common import Service, json_response

_MAX_BODY = 8 << 20


async def score(service: Service, request: Request, endpoint: str) -> Response:
    """401 wrong key, 404 nobody to answer, 408 too slow, 424 the model failed: the codes of the troubleshooting page."""
    token = (request.headers.get("authorization") or "").removeprefix("Bearer ").strip()
    chosen = request.headers.get("azureml-model-deployment")
    route = service.cloud.route(endpoint, token, chosen, random.random())
    body = await request.body()
    if len(body) > _MAX_BODY:
        raise AzureError(413, "PayloadTooLarge", "The request is larger than the service accepts.")
    try:
        status, answer = await service.score(route.endpoint, route.deployment, body, route.timeout)
    except TimeoutError:
        return json_response({"error": {"code": "RequestTimeout", "message": "The request timed out."}}, 408)
    headers = {"azureml-model-deployment": route.deployment}
    if status != 200:
        headers |= {"ms-azureml-model-error-statuscode": str(status), "ms-azureml-model-error-reason": "model_error"}
        return Response(answer, 424, headers, "application/json")
    return Response(answer, 200, headers, "application/json")


async def swagger(service: Service, request: Request, endpoint: str) -> Response:
    """The contract of the chat models, in short."""
    return json_response(
        {
            "openapi": "3.0.0",
            "info": {"title": endpoint, "version": "1.0"},
            "paths": {"/score": {"post": {"responses": {"200": {}}}}},
        }
    )
