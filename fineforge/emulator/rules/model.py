"""Models of the workspace."""

from __future__ import annotations

from fineforge.emulator.rules import uris
from fineforge.emulator.rules.assets import Versioned
from fineforge.emulator.rules.base import Body, Key, Reply
from fineforge.emulator.rules.errors import refuse

TYPES = ("custom_model", "mlflow_model", "triton_model")


class Model(Versioned):
    name = "model"
    collection = "models"

    def put(self, path: Key, body: Body) -> Reply:
        if len(path) == 2 and not (path[1].isascii() and path[1].isdigit() and int(path[1]) > 0):
            raise refuse("model_version", name=path[0], version=path[1])
        return super().put(path, body)

    def _new(self, path: Key, properties: Body) -> Body:
        if not properties.get("modelUri"):
            raise refuse("field_missing", field="modelUri")
        kind = properties.get("modelType") or "custom_model"
        if kind not in TYPES:
            raise refuse("field_value", value=kind, field="modelType", known=", ".join(TYPES))
        reference = uris.parse(properties["modelUri"])
        return self.created(
            path,
            {
                "description": properties.get("description"),
                "tags": properties.get("tags") or {},
                "properties": properties.get("properties") or {},
                "isArchived": bool(properties.get("isArchived")),
                "isAnonymous": bool(properties.get("isAnonymous")),
                # The SDK reads `flavors` without a check: never null (seen with azure-ai-ml 1.35.2).
                "flavors": properties.get("flavors") or {},
                "modelType": kind,
                "modelUri": self._resolved(properties["modelUri"], reference),
                "jobName": reference.job if isinstance(reference, uris.JobOutputRef) else properties.get("jobName"),
            },
        )

    def _fixed(self, found: Body, properties: Body) -> None:
        uri = properties.get("modelUri") or ""
        if (
            self._resolved(uri, uris.parse(uri)) != found["modelUri"]
            or properties.get("modelType", found["modelType"]) != found["modelType"]
        ):
            raise refuse("asset_path")

    def _resolved(self, uri: str, reference: uris.Reference | None) -> str:
        """A job's output becomes the path that holds it; the form is inferred."""
        match reference:
            case uris.JobOutputRef():
                reference = self._output(uri, reference)
            case uris.BlobRef():
                pass
            case _:
                return uri
        where = self._context.settings
        return (
            f"azureml://subscriptions/{where.subscription_id}/resourceGroups/{where.resource_group}/workspaces/{where.workspace}"
            f"/datastores/{reference.datastore}/paths/{reference.path.rstrip('/')}"
        )

    def _output(self, uri: str, reference: uris.JobOutputRef) -> uris.BlobRef:
        job = self._context.store.get("job", (reference.job,))
        output = job["body"]["properties"]["outputs"].get(reference.output) if job else None
        found = uris.parse(output["uri"]) if output and output["uri"] else None
        if not isinstance(found, uris.BlobRef):
            raise refuse("no_artifacts", path=uri)
        if not self._context.blobs.exists(self._context.settings.container, found.path):
            raise refuse("no_artifacts", path=uri)
        return found
