"""Managed online deployments: what an endpoint runs. Whether one really starts is the runner's word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fineforge.catalog.durations import seconds
from fineforge.emulator.rules import checks, uris
from fineforge.emulator.rules.base import Body, Key, Kind, Operation, Reply
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import refuse
from fineforge.emulator.rules.references import References
from fineforge.emulator.rules.runner import BaseModel
from fineforge.emulator.rules.sizes import DEPLOYMENTS, Quota, find

PER_ENDPOINT, INSTANCES, TIMEOUT_SECONDS = 20, 50, 180
"""QUOTA; the deployment's YAML reference."""
TAIL = 500
"""Lines of a log where a request does not say how many (assumed)."""
_SCORES = "InferenceServer"
"""The container whose log there is."""

_REQUEST = {"maxQueueWait": "PT0S", "requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1}
_PROBE = {"failureThreshold": 30, "successThreshold": 1, "timeout": "PT2S", "period": "PT10S", "initialDelay": "PT10S"}
"""Defaults that appear only when the deployment is done (recorded)."""

_RESTARTS = ("model", "environmentId", "environmentVariables", "codeConfiguration", "instanceType")
"""Changes of these start the containers anew; of others (tags, counts, probes, request settings) do not, here."""


class Deployment(Kind):
    """Documents are {"body", "healthy": was it ever, "family" and "cores": quota held, "model": what the runner got}."""

    name = "deployment"

    def __init__(self, context: Context, references: References) -> None:
        self._context = context
        self._references = references
        self._quota = Quota(context)

    def get(self, path: Key) -> Reply:
        return Reply(200, self._found(path)["body"])

    def list(self, parent: Key, view: str) -> Reply:
        if self._context.store.get("endpoint", parent) is None:
            raise refuse("resource_missing")
        return Reply(200, {"value": [document["body"] for _, document in self._context.store.list("deployment", parent)]})

    def put(self, path: Key, body: Body) -> Reply:
        endpoint, name = path
        checks.endpoint_name(name, "deployment")
        checks.tags(body.get("tags"))
        self._refuse_busy_endpoint(endpoint)
        properties = checks.mapping(body, "properties")
        checks.choice(properties, "egressPublicNetworkAccess", "Enabled", "Disabled")
        checks.choice(properties.get("scaleSettings") or {}, "scaleType", "Default", "TargetUtilization")
        body = body | {"properties": properties}
        document = self._context.store.get("deployment", path)
        if document is not None:
            self._refuse_update(path, document)
        else:
            self._refuse_one_more(endpoint)
        held = document["cores"] if document else 0
        family, cores = self._check_size(properties, body.get("sku") or {}, held)
        model = self._check_model(path, properties)
        _check_timeout(properties)
        return self._accept(path, document, body, {"family": family, "cores": cores, "model": model})

    def patch(self, path: Key, body: Body) -> Reply:
        """Tags and instance count only (PartialMinimalTrackedResourceWithSku)."""
        if "properties" in body:
            raise refuse("patch_properties")
        current = self._found(path)["body"]
        return self.put(
            path, current | {"tags": body.get("tags", current["tags"]), "sku": current["sku"] | (body.get("sku") or {})}
        )

    def delete(self, path: Key) -> Reply:
        document = self._context.store.get("deployment", path)
        if document is None:
            return Reply(204)
        endpoint = self._context.store.get("endpoint", path[:1])
        if endpoint and endpoint["body"]["properties"]["traffic"].get(path[1], 0) > 0:
            raise refuse("live_traffic", deployment=path[1])
        document["body"]["properties"]["provisioningState"] = "Deleting"
        self._context.store.put("deployment", path, document)
        return Reply(202, None, self._context.operations.begin("deployment", path, "delete"))

    def post(self, path: Key, verb: str, body: Body) -> Reply:
        """getLogs: what the scoring process wrote, its last lines. The words of a deployment that wrote nothing: FIELD 14.1."""
        if verb != "getLogs":
            return super().post(path, verb, body)
        if self._found(path)["body"]["properties"]["provisioningState"] in ("Creating", "Updating", "Deleting"):
            raise refuse("logs_busy")
        if (container := body.get("containerType") or _SCORES) != _SCORES:
            raise refuse("logs_container", container=container)
        said = self._said(path)[-int(body.get("tail") or TAIL) :]
        return Reply(
            200, {"content": "".join(f"{line}\n" for line in said) or "There are no logs for this deployment at the moment."}
        )

    def finish(self, operation: Operation) -> Mapping[str, str] | None:
        path = operation.path
        if operation.action == "delete" and not operation.error:
            self._remove(path)
            return None
        document = self._found(path)
        properties = document["body"]["properties"]
        if self._context.operations.pending("deployment", path):
            properties["provisioningState"] = "Deleting"
        else:
            properties["provisioningState"] = "Failed" if operation.error else "Succeeded"
        if not operation.error:
            document["healthy"] = True
            _add_defaults(properties)
        self._context.store.put("deployment", path, document)
        return operation.error

    def resume(self) -> None:
        """Every deployment that is not on its way out is served again."""
        for path, document in self._context.store.list("deployment"):
            if document["body"]["properties"]["provisioningState"] in ("Succeeded", "Updating"):
                self._context.effects.append(self._deploy(path, document["model"]))

    def _said(self, path: Key) -> tuple[str, ...]:
        """What is only kept here, then the worker's log; a runner without processes writes none."""
        properties = self._found(path)["body"]["properties"]
        kept = tuple(
            f"no effect here: {name} (the emulator serves the model by itself)"
            for name in ("environmentId", "codeConfiguration")
            if properties.get(name)
        )
        log = self._context.blobs.root.parent.joinpath("deployments", *path, "log.txt")
        return kept + (tuple(log.read_text(encoding="utf-8", errors="replace").splitlines()) if log.is_file() else ())

    def _found(self, path: Key) -> Body:
        document = self._context.store.get("deployment", path)
        if document is None:
            raise refuse("resource_missing")
        return document

    def _refuse_busy_endpoint(self, endpoint: str) -> None:
        """A deployment cannot be written while its endpoint is Updating (azure-sdk-for-net#36961)."""
        document = self._context.store.get("endpoint", (endpoint,))
        if document is None:
            raise refuse("resource_missing")
        if self._context.operations.pending("endpoint", (endpoint,)):
            raise refuse("endpoint_busy")
        if not document["body"]["properties"]["scoringUri"]:
            raise refuse("endpoint_failed", endpoint=endpoint)

    def _refuse_update(self, path: Key, document: Body) -> None:
        if self._context.operations.pending("deployment", path):
            raise refuse("busy", workspace=self._context.settings.workspace)
        # After a failed UPDATE of one that was healthy once, an update is accepted: not evidenced, assumed.
        if not document["healthy"]:
            raise refuse("unrecoverable", deployment=path[1])

    def _refuse_one_more(self, endpoint: str) -> None:
        """20 deployments an endpoint, 500 a region and subscription (QUOTA)."""
        usage = len(self._context.store.list("deployment", (endpoint,)))
        if usage >= PER_ENDPOINT:
            raise refuse("deployment_count", endpoint=endpoint, usage=usage, limit=PER_ENDPOINT)
        usage, limit = len(self._context.store.list("deployment")), self._quota.limit(DEPLOYMENTS) or 0
        if usage >= limit:
            raise refuse("deployment_quota", subscription=self._context.settings.subscription_id, usage=usage, limit=limit)

    def _check_size(self, properties: Mapping[str, Any], sku: Mapping[str, Any], held: int) -> tuple[str, int]:
        count = sku.get("capacity", 1)
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= INSTANCES:
            raise refuse("instance_count", count=count, limit=INSTANCES)
        size = find(str(properties.get("instanceType") or ""))
        if size is None or not size.endpoint:
            raise refuse("instance_type", size=properties.get("instanceType"))
        return size.family, self._quota.check_deployment(size, count, held)

    def _check_model(self, path: Key, properties: Mapping[str, Any]) -> Body:
        """What the runner will be given: a folder, or a base model of a registry."""
        text = str(properties.get("model") or "")
        reference = uris.parse(text)
        found = self._references.model(reference) if isinstance(reference, uris.AssetRef) else None
        if found is None:
            raise refuse("model_of_deployment", id=text, deployment=path[1])
        if isinstance(found, BaseModel):
            return {"registry": found.registry, "name": found.name, "version": found.version}
        return {"folder": str(found)}

    def _accept(self, path: Key, document: Body | None, body: Body, more: Body) -> Reply:
        before = document["body"]["properties"] if document else {}
        after = self._body(path, body)
        restarts = document is None or any(before.get(field) != after["properties"].get(field) for field in _RESTARTS)
        restarts = restarts or before["provisioningState"] == "Failed"
        operation = self._context.operations.begin("deployment", path, "update" if document else "create", waits=restarts)
        after["properties"]["properties"]["AzureAsyncOperationUri"] = self._context.settings.operation_url(operation)
        if document:
            after["systemData"] = document["body"]["systemData"] | {"lastModifiedAt": self._context.now()}
        healthy = bool(document and document["healthy"])
        self._context.store.put("deployment", path, {"body": after, "healthy": healthy, **more})
        if restarts:
            self._context.effects.append(self._deploy(path, more["model"]))
        return Reply(200 if document else 201, after, operation)

    def _deploy(self, path: Key, model: Body) -> Callable[[], None]:
        what = Path(model["folder"]) if "folder" in model else BaseModel(**model)
        return partial(self._context.runner.deploy, path[0], path[1], what)

    def _body(self, path: Key, body: Body) -> Body:
        """Recorded: Updating even for a new one; defaults of probes and requests come later."""
        where, given = self._context.settings, body["properties"]
        now = self._context.now()
        sku = {"name": "Default", "tier": "Standard"} | (body.get("sku") or {})
        return {
            "id": f"{where.workspace_path}/onlineEndpoints/{path[0]}/deployments/{path[1]}",
            "name": path[1],
            "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
            "properties": {
                "codeConfiguration": given.get("codeConfiguration"),
                "description": given.get("description"),
                "environmentId": given.get("environmentId"),
                "environmentVariables": given.get("environmentVariables") or {},
                "appInsightsEnabled": bool(given.get("appInsightsEnabled")),
                "endpointComputeType": "Managed",
                "instanceType": given["instanceType"],
                "model": given["model"],
                "privateNetworkConnection": bool(given.get("privateNetworkConnection")),
                # The SDK cannot read a deployment without it (seen with azure-ai-ml 1.35.2).
                "scaleSettings": given.get("scaleSettings") or {"scaleType": "Default"},
                "properties": dict(given.get("properties") or {}),
                "requestSettings": _request_settings(given),
                "modelMountPath": given.get("modelMountPath"),
                "livenessProbe": given.get("livenessProbe"),
                "readinessProbe": given.get("readinessProbe"),
                "provisioningState": "Updating",
                "egressPublicNetworkAccess": given.get("egressPublicNetworkAccess") or "Enabled",
            },
            "systemData": {"createdAt": now, "createdBy": where.user, "lastModifiedAt": now},
            "tags": body.get("tags") or {},
            "location": body.get("location") or where.location,
            "kind": "Managed",
            "sku": sku | {"capacity": sku.get("capacity", 1)},
        }

    def _remove(self, path: Key) -> None:
        """Its entry in the traffic map goes with it: a map may name existing deployments only (assumed)."""
        self._context.store.delete("deployment", path)
        self._context.effects.append(partial(self._context.runner.undeploy, *path))
        endpoint = self._context.store.get("endpoint", path[:1])
        if endpoint and endpoint["body"]["properties"]["traffic"].pop(path[1], None) is not None:
            self._context.store.put("endpoint", path[:1], endpoint)


def _check_timeout(properties: Mapping[str, Any]) -> None:
    timeout = (properties.get("requestSettings") or {}).get("requestTimeout")
    try:
        if timeout and seconds(timeout) > TIMEOUT_SECONDS:
            raise refuse("request_timeout", value=timeout)
    except ValueError:
        raise refuse("request_timeout", value=timeout) from None


def _request_settings(given: Mapping[str, Any]) -> Body:
    """Before the deployment is done a timeout that was not given reads PT0S (recorded)."""
    settings = {key: value for key, value in (given.get("requestSettings") or {}).items() if value is not None}
    return _REQUEST | {"requestTimeout": "PT0S"} | settings


def _add_defaults(properties: Body) -> None:
    settings = properties["requestSettings"]
    if settings["requestTimeout"] == "PT0S":
        settings["requestTimeout"] = _REQUEST["requestTimeout"]
    for probe in ("livenessProbe", "readinessProbe"):
        given = properties[probe] or {}
        properties[probe] = _PROBE | {key: value for key, value in given.items() if value is not None}
