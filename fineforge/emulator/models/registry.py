"""The registry of base models and components: the catalog's snapshot in the shapes of a registry, which are not a workspace's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from fineforge.catalog import snapshot
from fineforge.catalog.facts import ComponentFact
from fineforge.catalog.parse import parse_component
from fineforge.emulator.models.assets import visible
from fineforge.emulator.models.base import Body, Key, Kind, Reply, Settings
from fineforge.emulator.models.errors import refuse

_SYSTEM_DATA = {
    "createdAt": "2026-07-23T00:00:00.000000+00:00",
    "createdBy": "Microsoft",
    "createdByType": "User",
    "lastModifiedAt": "2026-07-23T00:00:00.000000+00:00",
    "lastModifiedBy": "Microsoft",
    "lastModifiedByType": "User",
}


class Registry(Kind):
    """Path (registry,): what discovery answers (recorded)."""

    name = "registry"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get(self, path: Key) -> Reply:
        where = self._settings
        if path[0].lower() != where.registry:
            raise refuse("resource_missing")
        return Reply(
            200,
            {
                "registryId": "11111111-1111-4111-8111-111111111111",
                "registryName": where.registry,
                "tenantId": where.tenant_id,
                "primaryRegion": where.location,
                "regions": [where.location],
                "subscriptionId": where.subscription_id,
                "resourceGroup": "registry-rg",
                "workspaceName": None,
                # The SDK appends to this address: it must end in a slash.
                "primaryRegionResourceProviderUri": f"https://cert-{where.location}.experiments.azureml.net/",
                "registryFqdns": {},
            },
        )


class RegistryAsset(Kind):
    """Path (registry, name, version); list of (registry, name): newest version first, archived ones left out unless asked for."""

    def __init__(self, settings: Settings, name: str, collection: str) -> None:
        self.name = name
        self._settings = settings
        self._collection = collection

    def get(self, path: Key) -> Reply:
        registry, name, version = path
        for body in self.versions(registry, name, "All"):
            if body["id"].endswith(f"/versions/{version}"):
                return Reply(200, body)
        raise refuse("asset_missing", id=f"azureml://registries/{registry}/{self._collection}/{name}/versions/{version}")

    def list(self, parent: Key, view: str) -> Reply:
        """() and (registry,): all of them."""
        if len(parent) < 2:
            return Reply(200, {"value": visible([*_bodies(self._collection, self._settings.metadata_era)], view)})
        return Reply(200, {"value": [*self.versions(parent[0], parent[1], view)]})

    def versions(self, registry: str, name: str, view: str = "ActiveOnly") -> tuple[Body, ...]:
        if registry.lower() != self._settings.registry:
            return ()
        marker = f"/{self._collection}/{name}/versions/".lower()
        found = [body for body in _bodies(self._collection, self._settings.metadata_era) if marker in body["id"].lower()]
        return tuple(visible(found, view))


@cache
def component_facts() -> Mapping[str, ComponentFact]:
    """By id, parsed once: every job looks its component up."""
    return {body["id"]: parse_component(body, "", "live") for body in _bodies("components", "B")}


@cache
def _bodies(collection: str, era: str) -> tuple[Body, ...]:
    """Newest first. The emulator's base models are twins, and say so."""
    if collection == "components":
        found = snapshot.component_bodies()
    else:
        found = snapshot.model_bodies(era)
        for body in found:
            body["properties"]["properties"]["fineforge-twin"] = "true"
    for body in found:
        body["systemData"] = _SYSTEM_DATA
    return tuple(sorted(found, key=_number, reverse=True))


def _number(body: Body) -> tuple[int, ...]:
    version = body["id"].rsplit("/", 1)[1]
    return tuple(int(part) for part in version.split(".") if part.isdigit())
