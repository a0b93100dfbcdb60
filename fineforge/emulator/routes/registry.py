"""Registries: where one is, and its models and components. They speak other shapes than a workspace (recorded)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.models import AzureError
from fineforge.emulator.routes.common import NotImplementedHere, Service, json_response, newest_first, page

_KINDS = {"models": "registry_model", "components": "registry_component"}


async def discovery(service: Service, request: Request, registry: str) -> Response:
    return json_response(service.cloud.get("registry", (registry,)).body)


async def versions(service: Service, request: Request, registry: str, collection: str, name: str) -> Response:
    view = request.query_params.get("listViewType", "ActiveOnly")
    if "tags" in request.query_params:
        raise NotImplementedHere("the query parameter tags of a registry's list")
    rows = list(service.cloud.list(_KINDS[collection], (registry, name), view).body["value"])
    return page(request, rows if newest_first(request) else rows[::-1])


async def version(service: Service, request: Request, registry: str, collection: str, name: str, version: str) -> Response:
    return json_response(service.cloud.get(_KINDS[collection], (registry, name, version)).body)


async def label(service: Service, request: Request, registry: str, collection: str, name: str, label: str) -> Response:
    """`latest` is the newest that is not archived; no other label is known here."""
    rows = service.cloud.list(_KINDS[collection], (registry, name), "ActiveOnly").body["value"]
    if label != "latest" or not rows:
        raise AzureError(404, "UserError", f"Could not find asset with label {label} of {name}", inner="NotFoundError")
    return json_response(rows[0])
