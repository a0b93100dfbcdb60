"""What data and models have in common: names, versions, latest, archive, containers."""

from __future__ import annotations

from typing import Any

from fineforge.emulator.rules import checks
from fineforge.emulator.rules.base import Body, Key, Kind, Reply
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import AzureError, refuse

PROVIDER = "Microsoft.MachineLearningServices/workspaces"


class Versioned(Kind):
    """A kind with versions that are archived and restored, never deleted. Path (name, version); (name,) is the container."""

    collection = ""
    """As in addresses: `data`, `models`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, path: Key) -> Reply:
        document = self._version(path) if len(path) == 2 else self._container(path[0])
        if document is None:
            raise self.missing(path)
        return Reply(200, document)

    def list(self, parent: Key, view: str) -> Reply:
        """Versions of (name,), newest first; all containers for ()."""
        if parent:
            versions = [body for _, body in self._context.store.list(self.name, parent)]
            return Reply(200, {"value": visible(versions[::-1], view)})
        names = dict.fromkeys(path[0] for path, _ in self._context.store.list(self.name))
        return Reply(200, {"value": visible([body for name in names if (body := self._container(name))], view)})

    def put(self, path: Key, body: Body) -> Reply:
        checks.asset_name(path[0])
        properties = checks.mapping(body, "properties")
        checks.tags(properties.get("tags"))
        if len(path) == 1:
            return self._put_container(path[0], properties)
        found = self._version(path)
        document = self._changed(path, found, properties) if found else self._new(path, properties)
        self._context.store.put(self.name, path, document)
        return Reply(200 if found else 201, document)

    def missing(self, path: Key) -> AzureError:
        location = f"locations/{self._context.settings.location}/workspaces/{self._context.settings.workspace_id}"
        version = f"/versions/{path[1]}" if len(path) == 2 else ""
        return refuse("asset_missing", id=f"azureml://{location}/{self.collection}/{path[0]}{version}")

    def resolve(self, name: str, version: str | None) -> Body | None:
        """A version by number, or the newest active one."""
        if version is not None:
            return self._version((name, version))
        versions = [body for _, body in self._context.store.list(self.name, (name,)) if not body["properties"]["isArchived"]]
        return versions[-1] if versions else None

    def created(self, path: Key, properties: Body) -> Body:
        """The answer's frame around the properties of a new version: in a workspace `name` is the version (recorded)."""
        name, version = path
        return {
            "id": f"{self._context.settings.workspace_path}/{self.collection}/{name}/versions/{version}",
            "name": version,
            "type": f"{PROVIDER}/{self.collection}/versions",
            "properties": properties,
            "systemData": self._context.created(),
        }

    def _new(self, path: Key, properties: Body) -> Body:
        raise NotImplementedError

    def _fixed(self, found: Body, properties: Body) -> None:
        """Raises where something would change that cannot."""
        raise NotImplementedError

    def _changed(self, path: Key, found: Body, properties: Body) -> Body:
        self._fixed(found["properties"], properties)
        for field in ("description", "tags", "properties", "isArchived"):
            if field in properties:
                found["properties"][field] = properties[field]
        found["systemData"]["lastModifiedAt"] = self._context.now()
        return found

    def _version(self, path: Key) -> Body | None:
        return self._context.store.get(self.name, path)

    def _container(self, name: str) -> Body | None:
        versions = self._context.store.list(self.name, (name,))
        if not versions:
            return None
        kept = self._context.store.get(f"{self.name}_container", (name,)) or {}
        latest = self.resolve(name, None)
        number = max((int(path[1]) for path, _ in versions if path[1].isdigit()), default=0)
        properties: dict[str, Any] = {
            "description": None,
            "tags": {},
            "properties": {},
            "isArchived": False,
            **kept,
            "latestVersion": self._version_of(latest) if latest else None,
            "nextVersion": str(number + 1),
        }
        if "dataType" in versions[0][1]["properties"]:
            properties["dataType"] = versions[0][1]["properties"]["dataType"]
        return {
            "id": f"{self._context.settings.workspace_path}/{self.collection}/{name}",
            "name": name,
            "type": f"{PROVIDER}/{self.collection}",
            "properties": properties,
            "systemData": versions[0][1]["systemData"],
        }

    def _put_container(self, name: str, properties: Body) -> Reply:
        if self._container(name) is None:
            raise self.missing((name,))
        kept: dict[str, Any] = {
            field: properties[field] for field in ("description", "tags", "properties", "isArchived") if field in properties
        }
        self._context.store.put(f"{self.name}_container", (name,), kept)
        return Reply(200, self._container(name))

    @staticmethod
    def _version_of(body: Body) -> str:
        return str(body["name"])


def visible(bodies: list[Body], view: str) -> list[Body]:
    """listViewType: archived ones are not in a list unless it says so."""
    if view == "All":
        return bodies
    return [body for body in bodies if bool(body["properties"].get("isArchived")) == (view == "ArchivedOnly")]
