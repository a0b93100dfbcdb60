"""What is in registries: the catalog's base models and components, and what users publish; in a registry's shapes, which are not
a workspace's. Registries themselves: `registries`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from fineforge.catalog import snapshot
from fineforge.catalog.facts import ComponentFact
from fineforge.catalog.parse import parse_component
from fineforge.emulator.rules.assets import visible
from fineforge.emulator.rules.base import Body, Key, Kind, Reply
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import refuse

_SYSTEM_DATA = {
    "createdAt": "2026-07-23T00:00:00.000000+00:00",
    "createdBy": "Microsoft",
    "createdByType": "User",
    "lastModifiedAt": "2026-07-23T00:00:00.000000+00:00",
    "lastModifiedBy": "Microsoft",
    "lastModifiedByType": "User",
}


class RegistryAsset(Kind):
    """Path (registry, name, version), or (registry, name) for the container; list of (registry, name): newest version first,
    archived ones left out unless asked for.
    """

    def __init__(self, context: Context, name: str, collection: str) -> None:
        self.name = name
        self._context = context
        self._collection = collection

    def get(self, path: Key) -> Reply:
        found = self.version(path) if len(path) == 3 else self._container(path)
        if found is None:
            version = f"/versions/{path[2]}" if len(path) == 3 else ""
            raise refuse("asset_missing", id=f"azureml://registries/{path[0]}/{self._collection}/{path[1]}{version}")
        return Reply(200, found)

    def list(self, parent: Key, view: str) -> Reply:
        """(): the base models or components; (registry,): all in one registry, newest first."""
        registry = parent[0] if parent else self._context.settings.registry
        if len(parent) < 2:
            return Reply(200, {"value": visible([*self._bodies(registry)], view)})
        return Reply(200, {"value": [*self.versions(registry, parent[1], view)]})

    def version(self, path: Key) -> Body | None:
        """Archived or not."""
        registry, name, version = path
        bodies = self.versions(registry, name, "All")
        return next((body for body in bodies if body["id"].endswith(f"/versions/{version}")), None)

    def versions(self, registry: str, name: str, view: str = "ActiveOnly") -> tuple[Body, ...]:
        marker = f"/{self._collection}/{name}/versions/".lower()
        return tuple(visible([body for body in self._bodies(registry) if marker in body["id"].lower()], view))

    def _bodies(self, registry: str) -> tuple[Body, ...]:
        """What was published last comes first; the catalog's own come after it."""
        settings, store = self._context.settings, self._context.store
        published = [body for _, body in store.list("registry_asset", (registry.lower(), self._collection))][::-1]
        own = _bodies(self._collection, settings.metadata_era) if registry.lower() == settings.registry else ()
        return (*published, *own)

    def _container(self, path: Key) -> Body | None:
        """As much of one as the SDK reads to number the next version."""
        bodies = self.versions(path[0], path[1], "All")
        if not bodies:
            return None
        latest = next((body for body in bodies if not body["properties"]["isArchived"]), None)
        numbers = [int(text) for body in bodies if (text := _version(body)).isdigit()]
        properties: Body = {
            "description": None,
            "tags": {},
            "properties": {},
            "isArchived": False,
            "latestVersion": _version(latest) if latest else None,
            "nextVersion": str(max(numbers, default=0) + 1),
        }
        identifier = f"azureml://registries/{path[0]}/{self._collection}/{path[1]}"
        return {"id": identifier, "name": path[1], "type": self._collection, "properties": properties}


def publish(context: Context, body: Body) -> None:
    """Into the registry that its id names. ValueError where the catalog has it."""
    _, _, _, registry, collection, name, _, version = body["id"].split("/")
    if any(own["id"] == body["id"] for own in _bodies(collection, context.settings.metadata_era)):
        raise ValueError(f"{body['id']} is in the catalog")
    context.store.put("registry_asset", (registry.lower(), collection, name, version), body)


def component(body: Body) -> ComponentFact:
    """The facts of a component of a registry."""
    return component_facts().get(body["id"]) or parse_component(body, body["id"].split("/")[3], "live")


@cache
def component_facts() -> Mapping[str, ComponentFact]:
    """Those of the catalog by id, parsed once: every job looks its component up."""
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
    return tuple(sorted(found, key=_order, reverse=True))


def _version(body: Body) -> str:
    return str(body["id"].rsplit("/", 1)[1])


def _order(body: Body) -> tuple[int, ...]:
    return tuple(int(part) for part in _version(body).split(".") if part.isdigit())
