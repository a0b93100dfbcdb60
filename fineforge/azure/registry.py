"""Registries: where one is (discovery, remembered on disk, for it never changes), and its models and components by version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fineforge.azure import paths
from fineforge.azure.door import object_of, rows_of
from fineforge.azure.errors import is_missing, refusal
from fineforge.azure.http import ML_SCOPE, Http
from fineforge.azure.remembered import Remembered
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.objects import Raw

_DISCOVERY_HOST = "https://eastus.api.azureml.ms"
"""Any region answers for any registry (azure-ai-ml 1.35.2 asks eastus)."""


class Registry:
    def __init__(self, http: Http, remembered: Remembered) -> None:
        self._http, self._remembered = http, remembered

    def read(self, registry: str, collection: str, name: str, version: str | None) -> Raw | None:
        """A version of a model or component (`collection` is `models` or `components`); None where the registry has none.

        Without a version the newest that is not archived, asked for as azure-ai-ml 1.35.2 does: the first of the list by time.
        """
        path = f"{collection}/{quote(name, safe='')}/versions"
        query = f"api-version={paths.REGISTRY_API_VERSION}"
        if version is None:
            query += "&$orderBy=createdtime%20desc&$top=1&listViewType=ActiveOnly"
        else:
            path += f"/{quote(version, safe='')}"
        answer = self._http.send("GET", f"{self._root(registry)}/{path}?{query}")
        if answer.ok and version is None:
            return next((dict(entry) for entry in rows_of(answer)), None)
        if answer.ok:
            return dict(object_of(answer, "properties"))
        if is_missing(answer.status, answer.body):
            return None
        raise refusal(
            answer.status, answer.body, f"{collection}/{name}:{version or 'latest'} of registry {registry}", answer.headers
        )

    def _root(self, registry: str) -> str:
        found = _needed(self._remembered.get(f"registry-{registry}")) or self._discover(registry)
        where = f"subscriptions/{found['subscriptionId']}/resourceGroups/{found['resourceGroup']}"
        host = found["primaryRegionResourceProviderUri"].rstrip("/")
        return f"{host}/mferp/managementfrontend/{where}/providers/Microsoft.MachineLearningServices/registries/{registry}"

    def _discover(self, registry: str) -> dict[str, Any]:
        url = f"{_DISCOVERY_HOST}/registrymanagement/v1.0/registries/{registry}/discovery"
        answer = self._http.send("GET", url, scope=ML_SCOPE)
        if not answer.ok:
            raise refusal(answer.status, answer.body, f"registry {registry}", answer.headers)
        found = _needed(object_of(answer))
        if found is None:
            raise FineforgeError(Diagnostic("FF400", f"registry `{registry}`: its discovery answer cannot be used"))
        self._remembered.put(f"registry-{registry}", found)
        return found


def _needed(body: Any) -> dict[str, str] | None:
    """What of the discovery is needed; None where a part is missing, or is no address of Azure ML to send a token to."""
    keys = ("subscriptionId", "resourceGroup", "primaryRegionResourceProviderUri")
    if not isinstance(body, Mapping) or not all(isinstance(body.get(key), str) for key in keys):
        return None
    host = body["primaryRegionResourceProviderUri"].removeprefix("https://").split("/")[0]
    return {key: body[key] for key in keys} if host.endswith((".azureml.net", ".azureml.ms")) else None
