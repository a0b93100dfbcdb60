"""Models that users put into registries of their own: uploaded by themselves, or copied from the workspace.

Bytes of a registry's model lie in a container of that model alone; who reads or writes there gets a signature from the routes.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fineforge.emulator.rules import checks, registries, uris
from fineforge.emulator.rules.base import Body, Key, Operation, Reply
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import refuse
from fineforge.emulator.rules.model import TYPES, Model
from fineforge.emulator.rules.registry import RegistryAsset, publish

_CHANGEABLE = ("description", "tags", "properties", "isArchived")


class RegistryModel(RegistryAsset):
    """Path (registry, name, version). What a write makes is there when its operation is over, not before."""

    def __init__(self, context: Context, models: Model) -> None:
        super().__init__(context, "registry_model", "models")
        self._models = models

    def put(self, path: Key, body: Body) -> Reply:
        """A model whose files were uploaded to the address that `post` gave. 202 always (recorded for components)."""
        name = self._checked(path)
        properties = checks.mapping(body, "properties")
        checks.tags(properties.get("tags"))
        found = self.version(path)
        if found is not None:
            return self._begin(path, _changed(found, path, properties), "create")
        kind, uri = properties.get("modelType") or "custom_model", _bare(str(properties.get("modelUri") or ""))
        if kind not in TYPES:
            raise refuse("field_value", value=kind, field="modelType", known=", ".join(TYPES))
        folder = self.folder(path, uri)
        if folder is None or not folder.exists():
            raise refuse("registry_upload", uri=uri, registry=name)
        return self._begin(path, self._body(path, properties | {"modelType": kind, "modelUri": uri}), "create")

    def post(self, path: Key, verb: str, body: Body) -> Reply:
        """`import` of (registry,): a copy of a workspace's model. `upload` and `download` of a version: its container."""
        match verb:
            case "import":
                return self._import(path[0], checks.mapping(body, "properties"))
            case "upload":
                self._checked(path)
                if self.version(path) is not None:
                    raise refuse("registry_version_exists")
                return Reply(200, {"container": container(path)})
            case "download":
                self.get(path)
                return Reply(200, {"container": container(path)})
            case _:
                return super().post(path, verb, body)

    def finish(self, operation: Operation) -> Mapping[str, str] | None:
        draft = self._context.store.get("registry_draft", operation.path)
        self._context.store.delete("registry_draft", operation.path)
        if draft is None or operation.error:
            return operation.error
        if draft["source"]:
            target = self._context.blobs.path(container(operation.path), Path(draft["source"]).name)
            shutil.copytree(draft["source"], target, dirs_exist_ok=True)
        publish(self._context, draft["body"])
        return None

    def folder(self, path: Key, uri: str) -> Path | None:
        """Of the files of a version; None where the address is not in its container."""
        address = urlsplit(uri)
        where, _, name = unquote(address.path).lstrip("/").partition("/")
        if address.hostname != self._host() or where != container(path) or not name:
            return None
        try:
            return self._context.blobs.path(where, name)
        except ValueError:
            return None

    def _checked(self, path: Key) -> str:
        """The registry's name. That versions are numbers, as in a workspace, is assumed."""
        registry, name, version = path
        checks.asset_name(name)
        if not (version.isascii() and version.isdigit() and int(version) > 0):
            raise refuse("model_version", name=name, version=version)
        found = registries.find(self._context.store, self._context.settings, registry)
        if found is None:
            raise refuse("resource_missing")
        if found == self._context.settings.registry:
            raise refuse("registry_forbidden", registry=found)
        return found

    def _import(self, registry: str, properties: Mapping[str, Any]) -> Reply:
        text = str(properties.get("sourceAssetId") or "")
        source = uris.parse(text)
        workspace = f"/workspaces/{self._context.settings.workspace_id}/"
        if not isinstance(source, uris.AssetRef) or source.collection != "models" or workspace not in text:
            raise refuse("asset_unknown", id=text)
        path = (
            registry,
            str(properties.get("destinationName") or source.name),
            str(properties.get("destinationVersion") or source.version),
        )
        self._checked(path)
        body = self._models.resolve(source.name, source.version)
        if body is None:
            raise refuse("asset_unknown", id=text)
        if self.version(path) is not None:
            raise refuse("registry_version_exists")
        folder = self._source(body)
        wanted = body["properties"] | {"modelUri": f"https://{self._host()}/{container(path)}/{folder.name}"}
        document = self._body(path, wanted)
        document["properties"] |= {"originAssetId": text, "flavors": body["properties"]["flavors"]}
        return self._begin(path, document, "import", folder)

    def _source(self, body: Body) -> Path:
        """The model's folder in the workspace's storage. That an empty one is refused here is assumed."""
        uri = body["properties"]["modelUri"]
        reference = uris.parse(uri)
        settings = self._context.settings
        if not isinstance(reference, uris.BlobRef) or not self._context.blobs.exists(settings.container, reference.path):
            raise refuse("no_artifacts", path=uri)
        return self._context.blobs.path(settings.container, reference.path)

    def _begin(self, path: Key, body: Body, action: str, source: Path | None = None) -> Reply:
        path = (path[0].lower(), *path[1:])
        if self._context.operations.pending(self.name, path):
            raise refuse("busy", workspace=path[0])
        self._context.store.put("registry_draft", path, {"body": body, "source": str(source) if source else None})
        return Reply(202, None, self._context.operations.begin(self.name, path, action))

    def _body(self, path: Key, properties: Mapping[str, Any]) -> Body:
        """Recorded: `name` is the model's name and `type` a short word, unlike components."""
        registry = registries.find(self._context.store, self._context.settings, path[0])
        return {
            "id": f"azureml://registries/{registry}/models/{path[1]}/versions/{path[2]}",
            "name": path[1],
            "type": "models",
            "properties": {
                "description": properties.get("description"),
                "tags": properties.get("tags") or {},
                "properties": properties.get("properties") or {},
                "isArchived": bool(properties.get("isArchived")),
                "isAnonymous": False,
                "flavors": properties.get("flavors") or {},
                "modelType": properties["modelType"],
                "modelUri": properties["modelUri"],
                "originAssetId": None,
                "jobName": None,
            },
            "systemData": self._context.created(),
        }

    def _host(self) -> str:
        return f"{self._context.settings.storage_account}.blob.core.windows.net"


def container(path: Key) -> str:
    """Of one version's files; names of registries and models have signs that a container's may not have."""
    registry, name, version = path
    return f"registry-{hashlib.sha256(f'{registry.lower()}/{name}/{version}'.encode()).hexdigest()[:24]}"


def _changed(found: Body, path: Key, properties: Mapping[str, Any]) -> Body:
    uri = _bare(str(properties.get("modelUri") or found["properties"]["modelUri"]))
    if uri != found["properties"]["modelUri"]:
        raise refuse("registry_version_exists")
    changes = {field: properties[field] for field in _CHANGEABLE if field in properties}
    return found | {"properties": found["properties"] | changes}


def _bare(uri: str) -> str:
    """The SDK joins the name of what it uploaded to the signed address; the signature is not part of it."""
    return uri.partition("?")[0].rstrip("/")
