"""Registries: where one is, what is in it, and how something gets there. They speak other shapes than a workspace (recorded)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.http.common import RETRY, NotImplementedHere, Service, json_response, newest_first, page, read_json, view
from fineforge.emulator.rules import AzureError, Reply

_KINDS = {"models": "registry_model", "components": "registry_component"}


async def discovery(service: Service, request: Request, registry: str) -> Response:
    return json_response(service.cloud.get("registry", (registry,)).body)


async def names(service: Service, request: Request, registry: str, collection: str) -> Response:
    """Each name once: its container."""
    bodies = service.cloud.list(_KINDS[collection], (registry,), view(request)).body["value"]
    found = dict.fromkeys(body["id"].split("/")[5] for body in bodies)
    return page(request, [service.cloud.get(_KINDS[collection], (registry, name)).body for name in found])


async def container(service: Service, request: Request, registry: str, collection: str, name: str) -> Response:
    return json_response(service.cloud.get(_KINDS[collection], (registry, name)).body)


async def versions(service: Service, request: Request, registry: str, collection: str, name: str) -> Response:
    if "tags" in request.query_params:
        raise NotImplementedHere("the query parameter tags of a registry's list")
    rows = list(service.cloud.list(_KINDS[collection], (registry, name), view(request)).body["value"])
    return page(request, rows if newest_first(request) else rows[::-1])


async def version(service: Service, request: Request, registry: str, collection: str, name: str, version: str) -> Response:
    path = (registry, name, version)
    if request.method == "PUT":
        if collection != "models":
            raise NotImplementedHere(f"a PUT into the {collection} of a registry")
        return _accepted(service, service.cloud.put(_KINDS[collection], path, await read_json(request)))
    return json_response(service.cloud.get(_KINDS[collection], path).body)


async def label(service: Service, request: Request, registry: str, collection: str, name: str, label: str) -> Response:
    """`latest` is the newest that is not archived; no other label is known here."""
    rows = service.cloud.list(_KINDS[collection], (registry, name), "ActiveOnly").body["value"]
    if label != "latest" or not rows:
        raise AzureError(404, "UserError", f"Could not find asset with label {label} of {name}", inner="NotFoundError")
    return json_response(rows[0])


async def upload_address(service: Service, request: Request, registry: str, name: str, version: str) -> Response:
    """`tempdatarefs`: where the files of a version that is to be published go. 409 where it exists."""
    return await _address(service, request, (registry, name, version), "upload", "racwdl")


async def download_address(service: Service, request: Request, registry: str, name: str, version: str) -> Response:
    """`datarefs`: the files of a published version, to read."""
    return await _address(service, request, (registry, name, version), "download", "rl")


async def copy(service: Service, request: Request, registry: str) -> Response:
    """`import`: what `models.share` sends."""
    return _accepted(service, service.cloud.post("registry_model", (registry,), "import", await read_json(request)))


async def operation(service: Service, request: Request, operation: str) -> Response:
    """Recorded: 202 while it runs, in the end 200 with the asset's id, or 204 for a copy. No status is in it.

    How it tells of a failure is not known: the error as an answer of 400 is assumed.
    """
    seen = service.cloud.get("operation", (operation,)).body
    if error := seen.get("error"):
        raise AzureError(400, error["code"], error["message"])
    if seen["status"] != "Succeeded":
        return Response(None, 202, RETRY)
    found = service.cloud.operation(operation)
    if found.action == "import":
        return Response(None, 204)
    registry, name, number = found.path
    return json_response({"assetId": f"azureml://registries/{registry}/models/{name}/versions/{number}"})


async def _address(service: Service, request: Request, path: tuple[str, ...], verb: str, permissions: str) -> Response:
    body = await read_json(request)
    where = service.cloud.settings
    container: str = service.cloud.post("registry_model", path, verb, body).body["container"]
    uri = f"https://{where.storage_account}.blob.core.windows.net/{container}"
    signed = f"{uri}?{service.signer.sign(container, permissions)}"
    answer: dict[str, Any] = {
        "blobReferenceForConsumption": {
            "blobUri": body.get("blobUri") or uri,
            "storageAccountArmId": None,
            "credential": {"credentialType": "SAS", "sasUri": signed},
        }
    }
    if verb == "upload":
        answer |= {"temporaryDataReferenceId": container, "temporaryDataReferenceType": "TemporaryBlobReference"}
    return json_response(answer)


def _accepted(service: Service, reply: Reply) -> Response:
    """Recorded: 202, the body the text null, the address of an operation of the asset store."""
    assert reply.operation is not None
    location = f"https://{service.cloud.settings.location}.api.azureml.ms/assetstore/v1.0/operations/{reply.operation.id}"
    return json_response(None, 202, {"Location": location, "x-ms-async-operation-timeout": "PT1H", **RETRY})
