"""The application behind the proxy: one table of routes, by host and path. What is not in it is answered 501, by name.

An emulator must never pretend: an unknown path, method or parameter is loud, so that nobody mistakes silence for support.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fineforge.emulator.faults import Fault, Faults, strike
from fineforge.emulator.models import AzureError
from fineforge.emulator.routes import aad, arm, blob, control, history, registry, scoring
from fineforge.emulator.routes.common import NotImplementedHere, Service, json_response

Handler = Callable[..., Awaitable[Response]]

LOGIN, ARM = r"login\.microsoftonline\.com", r"management\.azure\.com"
API, MFE = r"[a-z0-9]+\.api\.azureml\.ms", r"cert-[a-z0-9]+\.experiments\.azureml\.net"
BLOB, SCORE = r"[a-z0-9]+\.blob\.core\.windows\.net", r"(?P<endpoint>[a-z0-9-]+)\.[a-z0-9]+\.inference\.ml\.azure\.com"
HOSTS = re.compile("|".join((LOGIN, ARM, API, MFE, BLOB, SCORE.replace("?P<endpoint>", "?:"))))

WS = r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+"
LOC = r"/subscriptions/[^/]+/providers/Microsoft\.MachineLearningServices/locations/[^/]+"
REG = (
    r"/mferp/managementfrontend/subscriptions/[^/]+/resourceGroups/[^/]+/providers"
    r"/Microsoft\.MachineLearningServices/registries/(?P<registry>[^/]+)/(?P<collection>models|components)/(?P<name>[^/]+)"
)
RUN = r"/runs/(?P<run>[^/]+)"
_V, _N = r"/(?P<version>[^/]+)", r"/(?P<name>[^/]+)"
_VERSIONED = "api-version"
_LIST = (
    "api-version",
    "$skip",
    "$skiptoken",
    "$top",
    "$orderBy",
    "listViewType",
    "tag",
    "tags",
    "jobType",
    "count",
    "isDefault",
    "properties",
)


@dataclass(frozen=True, slots=True)
class Route:
    methods: str
    host: str
    path: str
    handler: Handler
    parameters: tuple[str, ...] = (_VERSIONED,)
    """Query parameters that are understood; another one is a 501. A `*` takes any (signatures)."""


ROUTES: tuple[Route, ...] = (
    # --- sign-in ------------------------------------------------------------------------------------------------------
    Route("GET", LOGIN, r"/(?P<tenant>[^/]+)/v2\.0/\.well-known/openid-configuration", aad.openid_configuration, ("*",)),
    Route("GET", LOGIN, r"/common/discovery/instance", aad.instance_discovery, ("*",)),
    Route("POST", LOGIN, r"/(?P<tenant>[^/]+)/oauth2/v2\.0/token", aad.token, ("*",)),
    # --- the workspace ------------------------------------------------------------------------------------------------
    Route("GET", ARM, WS, arm.workspace),
    Route("GET", ARM, WS + r"/computes", arm.collection("compute"), _LIST),
    Route("GET PUT PATCH DELETE", ARM, WS + "/computes" + _N, arm.resource("compute"), (_VERSIONED, "underlyingResourceAction")),
    Route("GET", ARM, LOC + "/vmSizes", arm.sizes, _LIST),
    Route("GET", ARM, LOC + "/usages", arm.usages, _LIST),
    Route("GET", ARM, LOC + r"/(?:compute|mfe)OperationsStatus/(?P<operation>[^/]+)", arm.operation_status, (_VERSIONED, "service")),
    Route("GET", ARM, LOC + r"/(?:compute|mfe)OperationResults/(?P<operation>[^/]+)", arm.operation_result, (_VERSIONED, "service")),
    Route("GET", ARM, WS + "/datastores", arm.collection("datastore"), _LIST),
    Route("GET", ARM, WS + "/datastores" + _N, arm.resource("datastore")),
    Route("POST", ARM, WS + "/datastores" + _N + "/listSecrets", arm.action("datastore", "listSecrets")),
    # --- assets and jobs ----------------------------------------------------------------------------------------------
    Route("GET", ARM, WS + "/data" + _N, arm.container("data")),
    Route("GET", ARM, WS + "/data" + _N + "/versions", arm.collection("data"), _LIST),
    Route("GET PUT DELETE", ARM, WS + "/data" + _N + "/versions" + _V, arm.resource("data")),
    Route("GET", ARM, WS + "/models", arm.collection("model"), _LIST),
    Route("GET", ARM, WS + "/models" + _N, arm.container("model")),
    Route("GET", ARM, WS + "/models" + _N + "/versions", arm.collection("model"), _LIST),
    Route("GET PUT DELETE", ARM, WS + "/models" + _N + "/versions" + _V, arm.resource("model")),
    Route("GET", ARM, WS + "/jobs", arm.collection("job"), _LIST),
    Route("GET PUT DELETE", ARM, WS + "/jobs" + _N, arm.resource("job")),
    Route("POST", ARM, WS + "/jobs" + _N + "/cancel", arm.action("job", "cancel")),
    # --- endpoints ----------------------------------------------------------------------------------------------------
    Route("GET", ARM, WS + "/onlineEndpoints", arm.collection("endpoint"), _LIST),
    Route("GET PUT PATCH DELETE", ARM, WS + "/onlineEndpoints" + _N, arm.resource("endpoint")),
    Route("POST", ARM, WS + "/onlineEndpoints" + _N + "/listKeys", arm.action("endpoint", "listKeys")),
    Route("POST", ARM, WS + "/onlineEndpoints" + _N + "/regenerateKeys", arm.action("endpoint", "regenerateKeys")),
    Route("POST", ARM, WS + "/onlineEndpoints" + _N + "/token", arm.action("endpoint", "token")),
    Route("GET", ARM, WS + "/onlineEndpoints" + _N + "/deployments", arm.collection("deployment"), _LIST),
    Route("GET PUT PATCH DELETE", ARM, WS + "/onlineEndpoints" + _N + "/deployments" + _V, arm.resource("deployment")),
    Route("POST", ARM, WS + "/onlineEndpoints" + _N + "/deployments" + _V + "/getLogs", arm.action("deployment", "getLogs")),
    # --- registries ---------------------------------------------------------------------------------------------------
    Route("GET", API, r"/registrymanagement/v1\.0/registries/(?P<registry>[^/]+)/discovery", registry.discovery),
    Route("GET", MFE, REG + "/versions", registry.versions, _LIST),
    Route("GET", MFE, REG + "/versions" + _V, registry.version),
    Route("GET", MFE, REG + r"/labels/(?P<label>[^/]+)", registry.label),
    # --- run history --------------------------------------------------------------------------------------------------
    Route("GET", API, "/discovery", history.workspace_discovery),
    Route("GET", API, r"/history/v1\.0" + WS + RUN + "/details", history.details, ("*",)),
    Route("GET", API, r"/history/v1\.0" + WS + RUN + "/children", history.children, ("*",)),
    Route("GET", API, r"/history/v1\.0" + WS + RUN, history.run, ("*",)),
    Route("PATCH", API, r"/history/v1\.0" + WS + r"/experiments/(?P<experiment>[^/]+)" + RUN, history.patch, ("*",)),
    Route("GET", API, r"/mlflow/v1\.0" + WS + r"/api/2\.0/mlflow/runs/get", history.mlflow_run, ("run_id", "run_uuid")),
    Route(
        "GET", API, r"/mlflow/v1\.0" + WS + r"/api/2\.0/mlflow/metrics/get-history", history.mlflow_history, ("run_id", "run_uuid", "metric_key")
    ),
    # --- storage and scoring ------------------------------------------------------------------------------------------
    Route("GET HEAD", BLOB, r"/(?P<container>[^/]+)", blob.listing, ("*",)),
    Route("GET HEAD PUT DELETE", BLOB, r"/(?P<container>[^/]+)/(?P<name>.+)", blob.blob, ("*",)),
    Route("POST", SCORE, "/score", scoring.score),
    Route("GET", SCORE, r"/swagger\.json", scoring.swagger),
)  # fmt: skip

_COMPILED = tuple(
    (frozenset(route.methods.split()), re.compile(route.host), re.compile(route.path, re.IGNORECASE), route) for route in ROUTES
)
_LOG = logging.getLogger("fineforge.emulator")


class Application:
    """ASGI. `drop` closes a client's connection at once; `hooks` is None unless tests asked for them."""

    def __init__(self, service: Service, hooks: Faults | None, drop: Callable[[tuple[str, int]], None]) -> None:
        self._service, self._hooks, self._drop = service, hooks, drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        host = (request.headers.get("host") or "").split(":")[0].lower()
        if scope["scheme"] != "https":
            response = await control.answer(self._service, self._hooks, request)
            await response(scope, receive, send)
            return
        if self._hooks is None:
            response = await self._answer(request, host)
            await response(scope, receive, send)
            return
        await self._answer_with_faults(request, host, scope, receive, send)

    async def _answer_with_faults(self, request: Request, host: str, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._hooks is not None
        entry = self._hooks.record(request.method, host, request.url.path)
        faults = self._hooks.hits(entry)
        response = await self._struck([fault for fault in faults if fault.when == "before"], request)
        if response is None:
            response = await self._answer(request, host)
            entry.status = response.status_code
            hidden = await self._struck([fault for fault in faults if fault.when == "after"], request)
            response = hidden or response
        if not isinstance(response, _Dropped):
            await response(scope, receive, send)

    async def _struck(self, faults: list[Fault], request: Request) -> Response | None:
        """What faults do; None where the request goes on."""
        for fault in faults:
            await strike(fault)
            if fault.what in ("drop", "kill"):
                client = request.client
                if client is not None:
                    self._drop((client.host, client.port))
                return _Dropped()
            if fault.what == "error":
                body = fault.body or {"error": {"code": "InternalServerError", "message": "An internal server error occurred."}}
                return json_response(body, fault.status, fault.headers)
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


class _Dropped(Response):
    """Stands for an answer that never arrives."""


async def _dispatch(service: Service, request: Request, host: str) -> Response:
    path = request.url.path
    known_path = False
    for methods, host_pattern, path_pattern, route in _COMPILED:
        host_match = host_pattern.fullmatch(host)
        path_match = path_pattern.fullmatch(path) if host_match else None
        if host_match is None or path_match is None:
            continue
        known_path = True
        if request.method not in methods:
            continue
        if "*" not in route.parameters:
            unknown = [name for name in request.query_params if name not in route.parameters]
            if unknown:
                raise NotImplementedHere(f"the query parameter {unknown[0]} of {request.method} https://{host}{path}")
        _authorise(service, request, host, path)
        return await route.handler(service, request, **host_match.groupdict(), **path_match.groupdict())
    what = "the method" if known_path else "the path"
    raise NotImplementedHere(f"{what} {request.method} https://{host}{path}")


def _authorise(service: Service, request: Request, host: str, path: str) -> None:
    """ARM and its kin want a token, and the workspace of the path must be the one that is here."""
    if host == "management.azure.com" or host.endswith(".experiments.azureml.net"):
        if not (request.headers.get("authorization") or "").startswith("Bearer "):
            raise AzureError(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    where = service.cloud.settings
    found = re.search(r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/[^/]+/workspaces/([^/]+)", path, re.IGNORECASE)
    if found and found.groups() != (where.subscription_id, where.resource_group, where.workspace):
        if found[2].lower() != where.resource_group.lower():
            raise AzureError(404, "ResourceGroupNotFound", f"Resource group '{found[2]}' could not be found.")
        if found[3].lower() != where.workspace.lower() or found[1].lower() != where.subscription_id.lower():
            message = f"The Resource 'Microsoft.MachineLearningServices/workspaces/{found[3]}' under resource group '{found[2]}' was not found."
            raise AzureError(404, "ResourceNotFound", message)


def _not_implemented(what: str) -> Response:
    body: dict[str, Any] = {"error": {"code": "NotImplemented", "message": f"The local emulator does not implement {what}."}}
    return Response(json.dumps(body), 501, {"x-ms-error-code": "NotImplemented"}, "application/json")
