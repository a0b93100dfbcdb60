"""Where each kind lives in ARM, and at which API version. A read and the update that follows it use the same version."""

from __future__ import annotations

from urllib.parse import quote

from fineforge.core.gateway import Workspace
from fineforge.core.objects import ResourceKey

API_VERSIONS = {
    "workspace": "2024-10-01-preview",
    "compute": "2023-08-01-preview",
    "data": "2023-04-01-preview",
    "job": "2024-01-01-preview",
    "model": "2023-08-01-preview",
    "endpoint": "2022-02-01-preview",
    "deployment": "2023-04-01-preview",
    "datastore": "2024-10-01-preview",
    "sizes": "2023-08-01-preview",
}
"""The versions that azure-ai-ml 1.35.2 uses for the same objects."""

REGISTRY_API_VERSION = "2021-10-01-dataplanepreview"
_PREFIX = "/providers/Microsoft.MachineLearningServices/workspaces"


def workspace(where: Workspace) -> str:
    return f"/subscriptions/{where.subscription_id}/resourceGroups/{quote(where.resource_group)}{_PREFIX}/{quote(where.name)}"


def resource(where: Workspace, key: ResourceKey) -> str:
    """Path of one object below ARM's host."""
    root, name = workspace(where), _segment(key.name)
    match key.kind:
        case "compute":
            return f"{root}/computes/{name}"
        case "data" | "model":
            collection = "data" if key.kind == "data" else "models"
            return f"{root}/{collection}/{name}/versions/{_segment(key.version)}"
        case "job":
            return f"{root}/jobs/{name}"
        case "endpoint":
            return f"{root}/onlineEndpoints/{name}"
        case "deployment":
            return f"{root}/onlineEndpoints/{_segment(key.parent)}/deployments/{name}"
        case _:
            raise KeyError(key.kind)


def collection(where: Workspace, kind: str, parent: str | None) -> tuple[str, str]:
    """Path of a list, and its own parameters: archived objects are listed too, and only jobs of ours."""
    root, name = workspace(where), _segment(parent)
    match kind:
        case "compute":
            return f"{root}/computes", ""
        case "data":
            return f"{root}/data/{name}/versions", "&listViewType=All"
        case "model":
            return f"{root}/models/{name}/versions", "&listViewType=All"
        case "job":
            return f"{root}/jobs", "&listViewType=All&jobType=Pipeline&tag=fineforge-spec"
        case "endpoint":
            return f"{root}/onlineEndpoints", ""
        case "deployment":
            return f"{root}/onlineEndpoints/{name}/deployments", ""
        case _:
            raise KeyError(kind)


def key_of(kind: str, parent: str | None, raw: object) -> ResourceKey:
    """The key of an object in a list answer. Assets answer their version as `name`."""
    name = str(raw.get("name", "")) if isinstance(raw, dict) else ""
    if kind in ("data", "model"):
        return ResourceKey(kind, parent or "", name)
    return ResourceKey(kind, name, parent=parent if kind == "deployment" else None)


def _segment(name: str | None) -> str:
    """A name as one segment of a path: versions of data are free text."""
    return quote(name or "", safe="")
