"""`<endpoint>.<region>.inference.ml.azure.com`: who may ask, and which deployment answers; its words go back as they are."""

from __future__ import annotations

import random

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.http.common import Service, json_response
from fineforge.emulator.rules import AzureError
from fineforge.emulator.rules.scoring import Route

_MAX_BODY = 8 << 20


async def score(service: Service, request: Request, endpoint: str) -> Response:
    """401 wrong key, 404 nobody to answer, 408 too slow, 424 the model failed: the codes of the troubleshooting page."""
    route = _route(service, request, endpoint)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise AzureError(413, "PayloadTooLarge", "The request is larger than the service accepts.")
    try:
        status, answer = await service.score(route.endpoint, route.deployment, bytes(body), route.timeout)
    except TimeoutError:
        return json_response({"error": {"code": "RequestTimeout", "message": "The request timed out."}}, 408)
    headers = {"azureml-model-deployment": route.deployment}
    if status != 200:
        headers |= {"ms-azureml-model-error-statuscode": str(status), "ms-azureml-model-error-reason": "model_error"}
        return Response(answer, 424, headers, "application/json")
    return Response(answer, 200, headers, "application/json")


async def swagger(service: Service, request: Request, endpoint: str) -> Response:
    """The contract of the chat models, in short."""
    _route(service, request, endpoint)
    text = {"type": "object", "required": ["role", "content"]}
    conversation = {"type": "array", "items": text}
    fields = {"input_data": {"type": "object", "properties": {"input_string": conversation, "parameters": {"type": "object"}}}}
    body = {"content": {"application/json": {"schema": {"type": "object", "properties": fields}}}}
    paths = {"/score": {"post": {"requestBody": body, "responses": {"200": {"description": "the answer, as `output`"}}}}}
    return json_response({"openapi": "3.0.0", "info": {"title": endpoint, "version": "1.0"}, "paths": paths})


def _route(service: Service, request: Request, endpoint: str) -> Route:
    """A host's name has no case, an endpoint's has."""
    names = {body["name"].lower(): body["name"] for body in service.cloud.list("endpoint").body["value"]}
    key = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    return service.cloud.route(
        names.get(endpoint, endpoint), key, request.headers.get("azureml-model-deployment"), random.random()
    )
