"""The application behind the proxy: one table of routes, by host and path. What is not in it is answered 501, by name.

An emulator must never pretend: an unknown path, method or parameter is loud, so that nobody mistakes silence for support.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fineforge.emulator.http import aad, arm, blob, credentials, history, registry, scoring
from fineforge.emulator.http.common import Handler, NotImplementedHere, Service, json_response
from fineforge.emulator.rules import AzureError
from fineforge.emulator.testing import control
from fineforge.emulator.testing.faults import Fault, Faults, strike

LOGIN, ARM, STUDIO = r"login\.microsoftonline\.com", r"management\.azure\.com", r"ml\.azure\.com"
API, MFE = r"[a-z0-9]+\.api\.azureml\.ms", r"cert-[a-z0-9]+\.experiments\.azureml\.net"
BLOB, SCORE = r"[a-z0-9]+\.blob\.core\.windows\.net", r"(?P<endpoint>[a-z0-9-]+)\.[a-z0-9]+\.inference\.ml\.azure\.com"
HOSTS = re.compile("|".join((LOGIN, ARM, STUDIO, API, MFE, BLOB, SCORE.replace("?P<endpoint>", "?:"))))

WS = r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+"
LOC = r"/subscriptions/[^/]+/providers/Microsoft\.MachineLearningServices/locations/[^/]+"
REGISTRIES = r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices/registries"
REG = r"/mferp/managementfrontend" + REGISTRIES + r"/(?P<registry>[^/]+)"
REG_ASSETS = REG + r"/(?P<collection>models|components)"
HISTORY, RUN, MLFLOW = r"/history/v1\.0" + WS, r"/runs/(?P<run>[^/]+)", r"/mlflow/v1\.0" + WS + r"/api/2\.0/mlflow"
_V, _N = r"/(?P<version>[^/]+)", r"/(?P<name>[^/]+)"
_CONTAINER = r"/(?P<container>[a-z0-9][a-z0-9-]+)"

_PLAIN = ("api-version",)
_PAGED = (*_PLAIN, "$skip", "$top")
_ASSETS = (*_PAGED, "$orderBy", "listViewType", "tags")
_JOBS = (*_PAGED, "listViewType", "tag", "jobType")
_SAS = ("sv", "sr", "sp", "se", "sig")


@dataclass(frozen=True, slots=True)
class Route:
    methods: str
    host: str
    path: str
    handler: Handler
    parameters: tuple[str, ...] = _PLAIN
    """Query parameters that are understood; another one is a 501."""


ROUTES: tuple[Route, ...] = (
    # --- sign-in ------------------------------------------------------------------------------------------------------
    Route("GET", LOGIN, r"/(?P<tenant>[^/]+)/v2\.0/\.well-known/openid-configuration", aad.openid_configuration),
    Route("GET", LOGIN, r"/common/discovery/instance", aad.instance_discovery, (*_PLAIN, "authorization_endpoint")),
    Route("POST", LOGIN, r"/(?P<tenant>[^/]+)/oauth2/v2\.0/token", aad.token),
    # --- the workspace ------------------------------------------------------------------------------------------------
    Route("GET", ARM, WS, arm.workspace),
    Route("GET", ARM, WS + r"/computes", arm.collection("compute"), _PAGED),
    Route("GET PUT PATCH DELETE", ARM, WS + "/computes" + _N, arm.resource("compute"), (*_PLAIN, "underlyingResourceAction")),
    Route("GET", ARM, LOC + "/vmSizes", arm.sizes),
    Route("GET", ARM, LOC + "/usages", arm.usages),
    Route("GET", ARM, LOC + r"/(?:compute|mfe)OperationsStatus/(?P<operation>[^/]+)", arm.operation_status, (*_PLAIN, "service")),
    Route("GET", ARM, LOC + r"/(?:compute|mfe)OperationResults/(?P<operation>[^/]+)", arm.operation_result, (*_PLAIN, "service")),
    # The SDK sends orderByAsc with every list, and nothing to order by.
    Route("GET", ARM, WS + "/datastores", arm.collection("datastore"), (*_PAGED, "isDefault", "count", "orderByAsc")),
    Route("GET", ARM, WS + "/datastores" + _N, arm.resource("datastore")),
    Route("POST", ARM, WS + "/datastores" + _N + "/listSecrets", arm.list_secrets),
    # --- assets and jobs ----------------------------------------------------------------------------------------------
    Route("GET", ARM, WS + "/data", arm.collection("data"), _ASSETS),
    Route("GET PUT", ARM, WS + "/data" + _N, arm.resource("data")),
    Route("GET", ARM, WS + "/data" + _N + "/versions", arm.collection("data"), _ASSETS),
    Route("GET PUT DELETE", ARM, WS + "/data" + _N + "/versions" + _V, arm.resource("data")),
    Route("GET", ARM, WS + "/models", arm.collection("model"), _ASSETS),
    Route("GET PUT", ARM, WS + "/models" + _N, arm.resource("model")),
    Route("GET", ARM, WS + "/models" + _N + "/versions", arm.collection("model"), _ASSETS),
    Route("GET PUT DELETE", ARM, WS + "/models" + _N + "/versions" + _V, arm.resource("model")),
    Route("GET", ARM, WS + "/jobs", arm.collection("job"), _JOBS),
    Route("GET PUT DELETE", ARM, WS + "/jobs" + _N, arm.resource("job")),
    Route("POST", ARM, WS + "/jobs" + _N + "/cancel", arm.action("job", "cancel")),
    # --- endpoints ----------------------------------------------------------------------------------------------------
    Route("GET", ARM, WS + "/onlineEndpoints", arm.collection("endpoint"), _PAGED),
    Route("GET PUT PATCH DELETE", ARM, WS + "/onlineEndpoints" + _N, arm.resource("endpoint")),
    Route("POST", ARM, WS + "/onlineEndpoints" + _N + "/listKeys", arm.action("endpoint", "listKeys")),
    Route("POST", ARM, WS + "/onlineEndpoints" + _N + "/regenerateKeys", arm.action("endpoint", "regenerateKeys")),
    Route("POST", ARM, WS + "/onlineEndpoints" + _N + "/token", arm.action("endpoint", "token")),
    Route("GET", ARM, WS + "/onlineEndpoints" + _N + "/deployments", arm.collection("deployment"), _PAGED),
    Route("GET PUT PATCH DELETE", ARM, WS + "/onlineEndpoints" + _N + "/deployments" + _V, arm.resource("deployment")),
    Route("POST", ARM, WS + "/onlineEndpoints" + _N + "/deployments" + _V + "/getLogs", arm.action("deployment", "getLogs")),
    # --- registries ---------------------------------------------------------------------------------------------------
    Route("GET", API, r"/registrymanagement/v1\.0/registries/(?P<registry>[^/]+)/discovery", registry.discovery),
    Route("GET", ARM, REGISTRIES, arm.collection("registry_resource"), _PAGED),
    Route("GET PUT DELETE", ARM, REGISTRIES + _N, arm.resource("registry_resource")),
    Route("GET", MFE, REG_ASSETS, registry.names, _ASSETS),
    Route("GET", MFE, REG_ASSETS + _N, registry.container),
    Route("GET", MFE, REG_ASSETS + _N + "/versions", registry.versions, _ASSETS),
    Route("GET PUT", MFE, REG_ASSETS + _N + "/versions" + _V, registry.version),
    Route("GET", MFE, REG_ASSETS + _N + r"/labels/(?P<label>[^/]+)", registry.label),
    Route("PUT", MFE, REG + "/tempdatarefs" + _N + "/versions" + _V, registry.upload_address),
    Route("POST", MFE, REG + "/datarefs" + _N + "/versions" + _V, registry.download_address),
    Route("POST", MFE, REG + "/import", registry.copy),
    Route("GET", API, r"/assetstore/v1\.0/operations/(?P<operation>[^/]+)", registry.operation),
    # --- run history --------------------------------------------------------------------------------------------------
    Route("GET", API, "/discovery", history.workspace_discovery),
    Route("GET", API, HISTORY + RUN + "/details", history.details),
    Route("GET", API, HISTORY + RUN + "/children", history.children),
    Route("GET", API, HISTORY + RUN, history.run),
    Route("POST", API, HISTORY + "/rundata", history.data),
    Route("PATCH", API, HISTORY + r"/experiments/(?P<experiment>[^/]+)" + RUN, history.patch),
    Route("GET", API, MLFLOW + "/runs/get", history.mlflow_run, ("run_id", "run_uuid")),
    Route("POST", API, MLFLOW + "/runs/search", history.mlflow_search, ()),
    Route("GET", API, MLFLOW + "/experiments/get-by-name", history.mlflow_experiment, ("experiment_name",)),
    Route("GET", API, MLFLOW + "/metrics/get-history", history.mlflow_history, history.HISTORY_PARAMETERS),
    # --- storage and scoring ------------------------------------------------------------------------------------------
    Route("GET HEAD", BLOB, _CONTAINER, blob.listing, (*_SAS, "restype", "comp", "prefix", "delimiter", "include")),
    Route("GET HEAD PUT DELETE", BLOB, _CONTAINER + r"/(?P<name>.+)", blob.blob, (*_SAS, "comp", "blockid")),
    Route("POST", SCORE, "/score", scoring.score),
    Route("GET", SCORE, r"/swagger\.json", scoring.swagger),
)  # fmt: skip

_COMPILED = tuple(
    (frozenset(route.methods.split()), re.compile(route.host), re.compile(route.path, re.IGNORECASE), route) for route in ROUTES
)
_LOG = logging.getLogger("fineforge.emulator")
_ARM_HOST = "management.azure.com"
_ARM_AUDIENCES, _ML_AUDIENCE = ("https://management.azure.com", "https://management.core.windows.net"), "https://ml.azure.com"
_WORKSPACE = re.compile(r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/[^/]+/workspaces/([^/]+)", re.IGNORECASE)


class Application:
    """ASGI. `drop` closes a client's connection at once; `hooks` is None unless tests asked for them."""

    def __init__(self, service: Service, hooks: Faults | None, drop: Callable[[tuple[str, int]], None]) -> None:
        self._service, self._hooks, self._drop = service, hooks, drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        host = request.headers.get("host", "").split(":")[0].lower()
        if scope["scheme"] != "https":
            response = await control.answer(self._service, self._hooks, request)
        elif self._hooks is None:
            response = await self._answer(request, host)
        else:
            response = await self._answer_with_faults(self._hooks, request, host)
        if not isinstance(response, _Dropped):
            await response(scope, receive, send)

    async def _answer_with_faults(self, hooks: Faults, request: Request, host: str) -> Response:
        entry = hooks.record(request.method, host, request.url.path)
        if entry.write:
            entry.body = await _sent(request)
        faults = hooks.hits(entry)
        response = await self._struck([fault for fault in faults if fault.when == "before"], request)
        if response is None:
            response = await self._answer(request, host)
            response = await self._struck([fault for fault in faults if fault.when == "after"], request) or response
        entry.status = response.status_code
        return hooks.lagging(entry, request.url.query, response)

    async def _struck(self, faults: list[Fault], request: Request) -> Response | None:
        """What faults do; None where the request goes on."""
        for fault in faults:
            await strike(fault)
            if fault.what in ("drop", "kill"):
                if request.client is not None:
                    self._drop((request.client.host, request.client.port))
                return _Dropped()
            if fault.what == "error":
                refusal = fault.refusal()
                return json_response(fault.body or refusal.body(), refusal.status, fault.headers)
        return None

    async def _answer(self, request: Request, host: str) -> Response:
        try:
            return await _dispatch(self._service, request, host)
        except AzureError as error:
            return json_response(error.body(), error.status, {"x-ms-error-code": error.code})
        except NotImplementedHere as error:
            return _not_implemented(str(error))
        except ClientDisconnect:
            return _Dropped()
        except Exception:
            _LOG.exception("%s https://%s%s", request.method, host, request.url.path)
            message = "The emulator failed; `fineforge emulator logs` says more."
            return json_response({"error": {"code": "InternalServerError", "message": message}}, 500)


async def _sent(request: Request) -> Any:
    """Return the JSON of a request, or None. Starlette keeps the bytes, so the handler reads them again."""
    try:
        return json.loads(await request.body() or b"null")
    except (ClientDisconnect, ValueError, RecursionError):
        return None


class _Dropped(Response):
    """Stands for an answer that never arrives."""

    def __init__(self) -> None:
        super().__init__(status_code=0)


async def _dispatch(service: Service, request: Request, host: str) -> Response:
    path = request.url.path
    route, parts = _find(request.method, host, path)
    if host != request.scope["state"]["tunnel"]:
        raise AzureError(421, "MisdirectedRequest", f"The connection was made to {request.scope['state']['tunnel']}.")
    unknown = [name for name in request.query_params if name not in route.parameters]
    if unknown:
        raise NotImplementedHere(f"the query parameter {unknown[0]} of {request.method} https://{host}{path}")
    _authorise(request, host)
    if host == _ARM_HOST and "api-version" not in request.query_params:
        raise AzureError(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required.")
    _check_workspace(service, path)
    return await route.handler(service, request, **parts)


def _find(method: str, host: str, path: str) -> tuple[Route, dict[str, str]]:
    known_path = False
    for methods, host_pattern, path_pattern, route in _COMPILED:
        host_match = host_pattern.fullmatch(host)
        path_match = path_pattern.fullmatch(path) if host_match else None
        if host_match and path_match:
            if method in methods:
                return route, host_match.groupdict() | path_match.groupdict()
            known_path = True
    raise NotImplementedHere(f"the {'method' if known_path else 'path'} {method} https://{host}{path}")


def _authorise(request: Request, host: str) -> None:
    """ARM takes tokens for ARM only, the regional services those for Azure ML too. Storage and scoring ask by themselves."""
    regional = host.endswith((".experiments.azureml.net", ".api.azureml.ms")) and request.url.path != "/discovery"
    if host != _ARM_HOST and not regional:
        return
    authorization = request.headers.get("authorization", "")
    if not authorization:
        raise AzureError(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    try:
        audience, expiry = credentials.read(authorization)
    except ValueError:
        raise AzureError(401, "InvalidAuthenticationToken", "The access token is invalid.") from None
    accepted = (*_ARM_AUDIENCES, *([_ML_AUDIENCE] if regional else []))
    if audience not in accepted:
        message = f"The access token has been obtained for wrong audience or resource '{audience}'. Allowed: {accepted}."
        raise AzureError(401, "InvalidAuthenticationTokenAudience", message)
    if expiry < time.time():
        raise AzureError(401, "ExpiredAuthenticationToken", "The access token expiry is earlier than the current time.")


def _check_workspace(service: Service, path: str) -> None:
    """The workspace of the path must be the one that is here; ARM's names have no case."""
    found = _WORKSPACE.search(path)
    if found is None:
        return
    where, (subscription, group, workspace) = service.cloud.settings, found.groups()
    if subscription.lower() != where.subscription_id:
        raise AzureError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
    if group.lower() != where.resource_group.lower():
        raise AzureError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
    if workspace.lower() != where.workspace.lower():
        what = f"The Resource 'Microsoft.MachineLearningServices/workspaces/{workspace}' under resource group '{group}'"
        raise AzureError(404, "ResourceNotFound", f"{what} was not found.")


def _not_implemented(what: str) -> Response:
    body: dict[str, Any] = {"error": {"code": "NotImplemented", "message": f"The local emulator does not implement {what}."}}
    return Response(json.dumps(body), 501, {"x-ms-error-code": "NotImplemented"}, "application/json")
