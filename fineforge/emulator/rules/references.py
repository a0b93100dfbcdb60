"""From a name in a body to the thing itself: files, versions of the workspace, models and components of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fineforge.catalog.facts import ComponentFact
from fineforge.emulator.rules import uris
from fineforge.emulator.rules.base import Body
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.data import Data
from fineforge.emulator.rules.model import Model
from fineforge.emulator.rules.registry import RegistryAsset, component
from fineforge.emulator.rules.registry_models import RegistryModel
from fineforge.emulator.rules.runner import BaseModel
from fineforge.emulator.rules.workspace import DEFAULT_DATASTORE, IDENTITY_DATASTORE
from fineforge.emulator.storage.blobs import ARTIFACTS


@dataclass(frozen=True, slots=True)
class References:
    context: Context
    data: Data
    models: Model
    registry_models: RegistryModel
    registry_components: RegistryAsset

    def component(self, text: str) -> ComponentFact | None:
        """Only registry components: no component of the workspace's own is emulated."""
        reference = uris.parse(text)
        if not isinstance(reference, uris.AssetRef) or reference.collection != "components":
            return None
        body = _version(self.registry_components, reference)
        return component(body) if body else None

    def model(self, reference: uris.AssetRef) -> BaseModel | Path | None:
        """A base model, or the folder of a model of the workspace (which may be empty: registering does not look, FIELD 10)."""
        if reference.registry:
            return self._registry_model(reference.registry, reference)
        if reference.collection not in ("models", ""):
            return None
        body = self.models.resolve(reference.name, reference.version)
        if body is None:
            return None
        target = uris.parse(body["properties"]["modelUri"])
        if isinstance(target, uris.AssetRef) and target.registry:
            return self.model(target)
        return self._blob(body["properties"]["modelUri"])

    def files(self, uri: str) -> Path | None:
        """The file or folder behind a data asset, a datastore path or an address of the account; None where nothing is."""
        reference = uris.parse(uri)
        if isinstance(reference, uris.AssetRef):
            if reference.registry or reference.collection not in ("data", ""):
                return None
            body = self.data.resolve(reference.name, reference.version)
            return self.files(body["properties"]["dataUri"]) if body else None
        found = self._blob(uri)
        return found if found is not None and found.exists() else None

    def _registry_model(self, registry: str, reference: uris.AssetRef) -> BaseModel | Path | None:
        body = _version(self.registry_models, reference)
        if body is None:
            return None
        version = body["id"].rsplit("/", 1)[1]
        published = self.registry_models.folder((registry, reference.name, version), body["properties"]["modelUri"])
        return published or BaseModel(registry, reference.name, version)

    def _blob(self, uri: str) -> Path | None:
        reference = uris.parse(uri)
        settings = self.context.settings
        if isinstance(reference, uris.BlobRef):
            containers = {
                DEFAULT_DATASTORE: settings.container,
                IDENTITY_DATASTORE: settings.container,
                "workspaceartifactstore": ARTIFACTS,
            }
            container, name = containers.get(reference.datastore), reference.path
        else:
            address = urlsplit(uri)
            if address.hostname != f"{settings.storage_account}.blob.core.windows.net":
                return None
            container, _, name = unquote(address.path).lstrip("/").partition("/")
        try:
            return self.context.blobs.path(container, name) if container else None
        except ValueError:
            return None


def _version(kind: RegistryAsset, reference: uris.AssetRef) -> Body | None:
    """By number, archived or not; by the label `latest`, active ones only."""
    view = "ActiveOnly" if reference.version is None else "All"
    for body in kind.versions(reference.registry or "", reference.name, view):
        if reference.version in (None, body["id"].rsplit("/", 1)[1]):
            return body
    return None
