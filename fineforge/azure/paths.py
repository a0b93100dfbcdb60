"""Paths and API versions of ARM, from what each kind declares. A read and the update that follows it use the same version."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from fineforge.core.gateway import Workspace
from fineforge.core.objects import ResourceKey
from fineforge.resources.kinds import KINDS
from fineforge.resources.kinds.base import Api

API_VERSIONS = {
    "workspace": "2024-10-01-preview",
    "datastore": "2024-10-01-preview",
    "sizes": "2023-08-01-preview",
    **{kind.name: kind.api.version for kind in KINDS.values() if kind.api is not None},
}
"""The versions that azure-ai-ml 1.35.2 uses for the same objects."""

REGISTRY_API_VERSION = "2021-10-01-dataplanepreview"
_PREFIX = "/providers/Microsoft.MachineLearningServices/workspaces"


def workspace(where: Workspace) -> str:
    return f"/subscriptions/{where.subscription_id}/resourceGroups/{quote(where.resource_group)}{_PREFIX}/{quote(where.name)}"


def resource(where: Workspace, key: ResourceKey) -> str:
    """Return the path of one object below ARM's host."""
    return _path(where, key.kind, {"name": key.name, "version": key.version, "parent": key.parent})


def collection(where: Workspace, kind: str, parent: str | None) -> tuple[str, str]:
    """Return the path of a list and its query: archived objects are included, and only jobs of fineforge.

    `parent` is the name whose versions are wanted where the kind has versions, else the object that contains the listed ones.
    """
    path = _path(where, kind, {"name": parent if api(kind).is_versioned else "", "parent": parent})
    return path.rpartition("/")[0], api(kind).list_query


def names(where: Workspace, kind: str) -> tuple[str, str]:
    """Return the path of the list of a versioned kind's names, and its query."""
    return f"{workspace(where)}/{api(kind).path.partition('/')[0]}", api(kind).list_query


def key_of(kind: str, parent: str | None, raw: object) -> ResourceKey:
    """Return the key of an object in a list answer. Assets answer their version as `name`."""
    name = str(raw.get("name", "")) if isinstance(raw, dict) else ""
    if api(kind).is_versioned:
        return ResourceKey(kind, parent or "", name)
    return ResourceKey(kind, name, parent=parent if KINDS[kind].parent else None)


def api(kind: str) -> Api:
    """Return how ARM keeps the kind. Raise KeyError where the workspace does not have it."""
    if (entry := KINDS[kind].api) is None:
        raise KeyError(kind)
    return entry


def _path(where: Workspace, kind: str, names: Mapping[str, str | None]) -> str:
    segments = {name: _segment(names.get(name)) for name in ("name", "version", "parent")}
    return f"{workspace(where)}/{api(kind).path.format_map(segments)}"


def _segment(name: str | None) -> str:
    """A name as one segment of a path: versions of data are free text."""
    return quote(name or "", safe="")
