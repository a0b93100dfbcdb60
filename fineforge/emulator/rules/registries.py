"""Registries themselves: the one of the base models, which is Microsoft's, and those that users create.

What is in them is in `registry`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from fineforge.emulator.rules import checks
from fineforge.emulator.rules.base import Body, Key, Kind, Operation, Reply, Settings
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import refuse
from fineforge.emulator.storage.store import Store

_BASE_GROUP = "registry-rg"


class Registry(Kind):
    """Path (registry,): what discovery answers (recorded)."""

    name = "registry"

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, path: Key) -> Reply:
        where = self._context.settings
        name = find(self._context.store, where, path[0])
        if name is None:
            raise refuse("resource_missing")
        number = _number(name)
        return Reply(
            200,
            {
                "registryId": number,
                "registryName": name,
                "tenantId": where.tenant_id,
                "primaryRegion": where.location,
                "regions": [where.location],
                "subscriptionId": where.subscription_id,
                "resourceGroup": _BASE_GROUP if name == where.registry else where.resource_group,
                "workspaceName": None,
                # The SDK appends to this address: it must end in a slash.
                "primaryRegionResourceProviderUri": f"https://cert-{where.location}.experiments.azureml.net/",
                "registryFqdns": {
                    where.location: {"uri": f"https://{number}.registry.{where.location}.privatelink.api.azureml.ms"}
                },
            },
        )


class RegistryResource(Kind):
    """Path (registry,): a registry as a resource of ARM. The registry of the base models is nobody's to see or change here."""

    name = "registry_resource"

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, path: Key) -> Reply:
        return Reply(200, self._found(path))

    def list(self, parent: Key, view: str) -> Reply:
        return Reply(200, {"value": [body for _, body in self._context.store.list("registry")]})

    def put(self, path: Key, body: Body) -> Reply:
        """202 at first, as azure-ai-ml 1.35.2 says of the service (`begin_create`)."""
        checks.registry_name(path[0])
        checks.tags(body.get("tags"))
        checks.mapping(body, "properties")
        if path[0].lower() == self._context.settings.registry:
            raise refuse("registry_name_taken", name=path[0])
        found = self._context.store.get("registry", _key(path[0]))
        document = registry_body(path[0], self._context.settings, body)
        document["systemData"] = found["systemData"] if found else self._context.created()
        document["properties"]["provisioningState"] = "Updating" if found else "Creating"
        self._context.store.put("registry", _key(path[0]), document)
        return Reply(202, document, self._context.operations.begin(self.name, path, "update" if found else "create"))

    def delete(self, path: Key) -> Reply:
        """What was published goes with it (assumed)."""
        found = self._context.store.get("registry", _key(path[0]))
        if found is None:
            return Reply(204)
        found["properties"]["provisioningState"] = "Deleting"
        self._context.store.put("registry", _key(path[0]), found)
        return Reply(202, None, self._context.operations.begin(self.name, path, "delete"))

    def finish(self, operation: Operation) -> Mapping[str, str] | None:
        key, store = _key(operation.path[0]), self._context.store
        if operation.action == "delete" and not operation.error:
            store.delete("registry", key)
            for asset, _ in store.list("registry_asset", key):
                store.delete("registry_asset", asset)
            return None
        found = self._found(operation.path)
        found["properties"]["provisioningState"] = "Failed" if operation.error else "Succeeded"
        store.put("registry", key, found)
        return operation.error

    def _found(self, path: Key) -> Body:
        found = self._context.store.get("registry", _key(path[0]))
        if found is None:
            raise refuse("resource_missing")
        return found


def find(store: Store, settings: Settings, name: str) -> str | None:
    """A registry's name as it was created; None where there is none. Names have no case."""
    if name.lower() == settings.registry:
        return settings.registry
    found = store.get("registry", _key(name))
    return str(found["name"]) if found else None


def registry_body(name: str, settings: Settings, given: Mapping[str, Any]) -> Body:
    where, properties = settings, dict(given.get("properties") or {})
    group = f"/subscriptions/{where.subscription_id}/resourceGroups/{where.resource_group}"
    regions = properties.get("regionDetails") or [{"location": where.location, "acrDetails": [], "storageAccountDetails": []}]
    return {
        "id": f"{group}/providers/Microsoft.MachineLearningServices/registries/{name}",
        "name": name,
        "type": "Microsoft.MachineLearningServices/registries",
        "location": given.get("location") or where.location,
        "tags": given.get("tags") or {},
        "identity": {"type": "SystemAssigned", "principalId": where.principal_id, "tenantId": where.tenant_id},
        "properties": properties
        | {
            "regionDetails": regions,
            "publicNetworkAccess": properties.get("publicNetworkAccess") or "Enabled",
            "discoveryUrl": f"https://{where.location}.api.azureml.ms/registrymanagement/v1.0/registries/{name}/discovery",
            "mlFlowRegistryUri": f"azureml://{where.location}.api.azureml.ms/mlflow/v1.0{group}/registries/{name}",
            "managedResourceGroup": {"resourceId": f"/subscriptions/{where.subscription_id}/resourceGroups/azureml-rg-{name}"},
            "provisioningState": "Succeeded",
        },
    }


def _key(name: str) -> Key:
    return (name.lower(),)


def _number(name: str) -> str:
    text = hashlib.sha256(name.lower().encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:32]}"
