"""Managed online endpoints. Traffic is a map on the endpoint; its deployments are a kind of their own."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any

from fineforge.emulator.rules import checks, identities
from fineforge.emulator.rules.base import Body, Key, Kind, Operation, Reply
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import refuse
from fineforge.emulator.rules.scoring import issue
from fineforge.emulator.rules.sizes import ENDPOINTS, Quota

_AUTH_MODES = ("Key", "AMLToken", "AADToken")
_SERVER_PROPERTIES = frozenset({"azureml.onlineendpointid", "azureasyncoperationuri", "createdby", "createdat", "lastmodifiedat"})
"""Keys inside the immutable `properties` that the service or the SDK's get-then-put adds; they are let through."""

TOKEN_SECONDS = 12 * 3600


class Endpoint(Kind):
    """Documents are {"body": as answered, "keys": the secrets}."""

    name = "endpoint"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._quota = Quota(context)

    def get(self, path: Key) -> Reply:
        return Reply(200, self._found(path)["body"])

    def list(self, parent: Key, view: str) -> Reply:
        return Reply(200, {"value": [document["body"] for _, document in self._context.store.list("endpoint")]})

    def put(self, path: Key, body: Body) -> Reply:
        checks.endpoint_name(path[0], "endpoint")
        checks.tags(body.get("tags"))
        properties = checks.mapping(body, "properties")
        if not properties.get("authMode"):
            raise refuse("field_missing", field="authMode")
        checks.choice(properties, "authMode", *_AUTH_MODES)
        checks.choice(properties, "publicNetworkAccess", "Enabled", "Disabled")
        body = body | {"properties": properties}
        found = self._context.store.get("endpoint", path)
        return self._update(path, found, body) if found else self._create(path, body)

    def patch(self, path: Key, body: Body) -> Reply:
        """Binds a minimal type: tags and identity; `properties` is refused with 400 (FIELD GOTCHAS 13)."""
        if "properties" in body:
            raise refuse("patch_properties")
        document = self._found(path)
        self._refuse_busy(path)
        checks.tags(body.get("tags"))
        document["body"]["tags"] = body.get("tags", document["body"]["tags"])
        self._context.store.put("endpoint", path, document)
        return Reply(200, document["body"])

    def delete(self, path: Key) -> Reply:
        document = self._context.store.get("endpoint", path)
        if document is None:
            return Reply(204)
        document["body"]["properties"]["provisioningState"] = "Deleting"
        self._context.store.put("endpoint", path, document)
        return Reply(202, None, self._context.operations.begin("endpoint", path, "delete"))

    def post(self, path: Key, verb: str, body: Body) -> Reply:
        document = self._found(path)
        mode, keys = document["body"]["properties"]["authMode"], document["keys"]
        match verb:
            case "listKeys":
                if mode != "Key":
                    raise refuse("keys_of_token_endpoint")
                return Reply(200, {"primaryKey": keys["primary"], "secondaryKey": keys["secondary"]})
            case "regenerateKeys":
                which = "secondary" if str(body.get("keyType", "Primary")).lower() == "secondary" else "primary"
                keys[which] = body.get("keyValue") or _key()
                self._context.store.put("endpoint", path, document)
                return Reply(200)
            case "token":
                if mode == "Key":
                    raise refuse("token_of_key_endpoint")
                now = int(self._context.lifecycle.clock())
                times = {"expiryTimeUtc": now + TOKEN_SECONDS, "refreshAfterTimeUtc": now + TOKEN_SECONDS // 2}
                token = issue(keys["primary"], times["expiryTimeUtc"])
                return Reply(200, {"accessToken": token, "tokenType": "Bearer", **times})
            case _:
                return super().post(path, verb, body)

    def finish(self, operation: Operation) -> Mapping[str, str] | None:
        if operation.action == "delete" and not operation.error:
            self._remove(operation.path)
            return None
        document = self._found(operation.path)
        properties, name = document["body"]["properties"], operation.path[0]
        properties["provisioningState"] = "Failed" if operation.error else "Succeeded"
        if not operation.error:
            address = f"https://{name}.{self._context.settings.location}.inference.ml.azure.com"
            properties |= {"scoringUri": f"{address}/score", "swaggerUri": f"{address}/swagger.json"}
        self._context.store.put("endpoint", operation.path, document)
        return operation.error

    def _found(self, path: Key) -> Body:
        document = self._context.store.get("endpoint", path)
        if document is None:
            raise refuse("resource_missing")
        return document

    def _refuse_busy(self, path: Key) -> None:
        if self._context.operations.pending("endpoint", path):
            raise refuse("endpoint_busy")

    def _create(self, path: Key, body: Body) -> Reply:
        name, properties = path[0], body["properties"]
        if properties.get("traffic"):
            raise refuse("traffic_at_create")
        if self._context.store.get("region_name", (name.lower(),)):
            raise refuse("endpoint_name_taken")
        limit, usage = self._quota.limit(ENDPOINTS) or 0, len(self._context.store.list("endpoint"))
        if usage >= limit:
            raise refuse("endpoint_quota", subscription=self._context.settings.subscription_id, usage=usage, limit=limit)
        operation = self._context.operations.begin("endpoint", path, "create")
        document = {"body": self._document(name, body, operation), "keys": {"primary": _key(), "secondary": _key()}}
        self._context.store.put("endpoint", path, document)
        self._context.store.put("region_name", (name.lower(),), {"owner": self._context.settings.workspace_id})
        return Reply(201, document["body"], operation)

    def _update(self, path: Key, document: Body, body: Body) -> Reply:
        """A PUT replaces the traffic map whole; zero entries stay."""
        self._refuse_busy(path)
        current, wanted = document["body"]["properties"], body["properties"]
        if current["provisioningState"] == "Failed" and not current["scoringUri"]:
            raise refuse("endpoint_failed", endpoint=path[0])
        if body.get("identity") and not identities.same(body["identity"], document["body"]["identity"]):
            raise refuse("endpoint_identity", endpoint=path[0])
        self._check_properties(path[0], current["properties"], wanted.get("properties"))
        traffic, mirror = wanted.get("traffic") or {}, wanted.get("mirrorTraffic") or {}
        self._check_traffic(path[0], traffic)
        _check_mirror(traffic, mirror)
        operation = self._context.operations.begin("endpoint", path, "update")
        current["properties"]["AzureAsyncOperationUri"] = self._context.settings.operation_url(operation)
        current |= {
            "traffic": dict(traffic),
            "mirrorTraffic": dict(mirror),
            "description": wanted.get("description"),
            "authMode": wanted["authMode"],
            "publicNetworkAccess": wanted.get("publicNetworkAccess") or current["publicNetworkAccess"],
            "provisioningState": "Updating",
        }
        document["body"]["tags"] = body.get("tags") or {}
        document["body"]["systemData"]["lastModifiedAt"] = self._context.now()
        self._context.store.put("endpoint", path, document)
        return Reply(200, document["body"], operation)

    def _check_properties(self, endpoint: str, current: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> None:
        if wanted is None:
            return
        before, after = _own(current), _own(wanted)
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                raise refuse("endpoint_properties", key=key, endpoint=endpoint)

    def _check_traffic(self, endpoint: str, traffic: Mapping[str, Any]) -> None:
        for deployment, percent in traffic.items():
            if isinstance(percent, bool) or not isinstance(percent, int) or not 0 <= percent <= 100:
                raise refuse("traffic_value", deployment=deployment)
            document = self._context.store.get("deployment", (endpoint, deployment))
            # That traffic needs a deployment which was healthy once is assumed.
            if document is None or (percent and not document["healthy"]):
                raise refuse("traffic_unknown", deployment=deployment, endpoint=endpoint)
        total = sum(traffic.values())
        if total not in (0, 100):
            raise refuse("traffic_total", total=total)

    def _document(self, name: str, body: Body, operation: Operation) -> Body:
        """As recorded."""
        where, given = self._context.settings, body["properties"]
        server = {
            "azureml.onlineendpointid": f"{where.workspace_path}/onlineEndpoints/{name}".lower(),
            "AzureAsyncOperationUri": where.operation_url(operation),
        }
        return {
            "id": f"{where.workspace_path}/onlineEndpoints/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
            "properties": {
                "description": given.get("description"),
                "properties": dict(given.get("properties") or {}) | server,
                "scoringUri": None,
                "swaggerUri": None,
                "authMode": given["authMode"],
                "provisioningState": "Creating",
                "compute": given.get("compute"),
                "traffic": {},
                "mirrorTraffic": {},
                "publicNetworkAccess": given.get("publicNetworkAccess") or "Enabled",
            },
            "systemData": {"createdAt": self._context.now(), "createdBy": where.user, "lastModifiedAt": self._context.now()},
            "tags": body.get("tags") or {},
            "location": body.get("location") or where.location,
            "kind": "Managed",
            "identity": identities.answered(body.get("identity") or {"type": "SystemAssigned"}, where),
        }

    def _remove(self, path: Key) -> None:
        """Its deployments go with it (recorded), and its name is free again."""
        for key, _ in self._context.store.list("deployment", path):
            self._context.operations.drop("deployment", key)
            self._context.store.delete("deployment", key)
            self._context.effects.append(partial(self._context.runner.undeploy, *key))
        self._context.store.delete("endpoint", path)
        self._context.store.delete("region_name", (path[0].lower(),))


def _check_mirror(traffic: Mapping[str, int], mirror: Mapping[str, int]) -> None:
    live = {name for name, percent in traffic.items() if percent}
    used = {name: percent for name, percent in mirror.items() if percent}
    if len(used) > 1 or any(percent > 50 or name in live for name, percent in used.items()):
        raise refuse("mirror")


def _own(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if key.lower() not in _SERVER_PROPERTIES}


def _key() -> str:
    return secrets.token_urlsafe(32)
