"""The workspace itself and its datastores: they exist from the start and are only read."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from fineforge.emulator.rules.base import Body, Key, Kind, Reply
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import refuse
from fineforge.emulator.storage.blobs import ARTIFACTS

DEFAULT_DATASTORE = "workspaceblobstore"
IDENTITY_DATASTORE = "identityblobstore"
"""No credentials in it: clients come with a token of the storage audience."""


class Workspace(Kind):
    name = "workspace"

    def __init__(self, context: Context) -> None:
        self._settings = context.settings

    def get(self, path: Key) -> Reply:
        where = self._settings
        provider = f"/subscriptions/{where.subscription_id}/resourceGroups/{where.resource_group}/providers"
        api = f"{where.location}.api.azureml.ms"
        return Reply(
            200,
            {
                "id": where.workspace_path,
                "name": where.workspace,
                "type": "Microsoft.MachineLearningServices/workspaces",
                "location": where.location,
                "tags": {},
                "etag": None,
                "properties": {
                    "friendlyName": where.workspace,
                    "description": "",
                    "storageAccount": f"{provider}/Microsoft.Storage/storageAccounts/{where.storage_account}",
                    "keyVault": f"{provider}/Microsoft.Keyvault/vaults/kv",
                    "applicationInsights": f"{provider}/Microsoft.insights/components/insights",
                    "hbiWorkspace": False,
                    "provisioningState": "Succeeded",
                    "v1LegacyMode": False,
                    "workspaceId": where.workspace_id,
                    "publicNetworkAccess": "Enabled",
                    "discoveryUrl": f"https://{api}/discovery",
                    "mlFlowTrackingUri": f"azureml://{api}/mlflow/v1.0{where.workspace_path}",
                },
                "identity": {"type": "SystemAssigned", "principalId": where.principal_id, "tenantId": where.tenant_id},
                "kind": "Default",
                "sku": {"name": "Basic", "tier": "Basic"},
            },
        )


class Datastore(Kind):
    name = "datastore"

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, path: Key) -> Reply:
        found = self._all().get(path[0])
        if found is None:
            raise refuse("resource_missing")
        return Reply(200, found)

    def list(self, parent: Key, view: str) -> Reply:
        return Reply(200, {"value": list(self._all().values())})

    def post(self, path: Key, verb: str, body: Body) -> Reply:
        """listSecrets: the account key. What signs with it, and whether a SAS is given instead, is the HTTP side's."""
        credentials = self.get(path).body["properties"]["credentials"]["credentialsType"]
        if verb != "listSecrets":
            return super().post(path, verb, body)
        if credentials == "None":
            return Reply(200, {"secretsType": "None"})
        return Reply(200, {"secretsType": "AccountKey", "key": account_key(self._context.settings.workspace_id)})

    def _all(self) -> dict[str, Body]:
        container = self._context.settings.container
        return {
            DEFAULT_DATASTORE: self._body(DEFAULT_DATASTORE, container, "AccountKey", default=True),
            "workspaceartifactstore": self._body("workspaceartifactstore", ARTIFACTS, "AccountKey"),
            IDENTITY_DATASTORE: self._body(IDENTITY_DATASTORE, container, "None"),
        }

    def _body(self, name: str, container: str, credentials: str, default: bool = False) -> Body:
        where = self._context.settings
        properties: dict[str, Any] = {
            "description": None,
            "tags": None,
            "properties": None,
            "isDefault": default,
            "credentials": {"credentialsType": credentials},
            "datastoreType": "AzureBlob",
            "accountName": where.storage_account,
            "containerName": container,
            "endpoint": "core.windows.net",
            "protocol": "https",
            "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity",
        }
        return {
            "id": f"{where.workspace_path}/datastores/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/datastores",
            "properties": properties,
            "systemData": {
                "createdAt": "2022-09-20T06:30:35.010066+00:00",
                "createdBy": where.user,
                "createdByType": "Application",
            },
        }


def account_key(workspace_id: str) -> str:
    """The emulated account's key: 64 bytes, the same after a restart; it opens nothing but this emulator."""
    return base64.b64encode(hashlib.sha512(f"fineforge-local-storage:{workspace_id}".encode()).digest()).decode()
