"""Data assets of the workspace."""

from __future__ import annotations

from fineforge.emulator.rules import uris
from fineforge.emulator.rules.assets import Versioned
from fineforge.emulator.rules.base import Body, Key
from fineforge.emulator.rules.errors import refuse

_TYPES = ("uri_file", "uri_folder", "mltable")


class Data(Versioned):
    name = "data"
    collection = "data"

    def _new(self, path: Key, properties: Body) -> Body:
        if not properties.get("dataUri"):
            raise refuse("field_missing", field="dataUri")
        if properties.get("dataType") not in _TYPES:
            raise refuse("field_value", value=properties.get("dataType"), field="dataType", known=", ".join(_TYPES))
        return self.created(
            path,
            {
                "description": properties.get("description"),
                "tags": properties.get("tags") or {},
                "properties": properties.get("properties") or {},
                "isArchived": bool(properties.get("isArchived")),
                "isAnonymous": bool(properties.get("isAnonymous")),
                "dataUri": self._expanded(properties["dataUri"]),
                "dataType": properties["dataType"],
            },
        )

    def _fixed(self, found: Body, properties: Body) -> None:
        """A version is immutable but for tags, description and isArchived (GUIDE 9)."""
        if self._expanded(properties.get("dataUri") or "") != found["dataUri"] or properties.get("dataType") != found["dataType"]:
            raise refuse("data_immutable")

    def _expanded(self, uri: str) -> str:
        """The short form comes back long, with a lower-case `resourcegroups` (recorded)."""
        reference = uris.parse(uri)
        if not isinstance(reference, uris.BlobRef):
            return uri
        where = self._context.settings
        return (
            f"azureml://subscriptions/{where.subscription_id}/resourcegroups/{where.resource_group}/workspaces/{where.workspace}"
            f"/datastores/{reference.datastore}/paths/{reference.path}"
        )
