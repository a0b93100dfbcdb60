"""Managed identities of clusters and endpoints, as the service answers them: with the ids that it gave to each."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from fineforge.emulator.rules.base import Body, Settings
from fineforge.emulator.rules.errors import refuse

_TYPES = {"none": "None", "systemassigned": "SystemAssigned", "userassigned": "UserAssigned"}
_BOTH = "SystemAssigned,UserAssigned"


def answered(given: Mapping[str, Any], settings: Settings) -> Body:
    """`{"type": ..., "userAssignedIdentities": {id: {}}}` with principal and client ids. Ids of identities do not come from Azure
    here, so any is taken for one that exists.
    """
    kind, named = _type(given.get("type")), dict(given.get("userAssignedIdentities") or {})
    if bool(named) != ("UserAssigned" in kind):
        raise refuse("identity", type=kind, count=len(named))
    body: Body = {"type": kind}
    if "SystemAssigned" in kind:
        body |= {"principalId": settings.principal_id, "tenantId": settings.tenant_id}
    if named:
        body["userAssignedIdentities"] = {name: _ids(name) for name in named}
    return body


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Of one type, with the same user-assigned ones; resource ids have no case."""
    mine, yours = (
        (_type(entry.get("type")), {name.lower() for name in entry.get("userAssignedIdentities") or {}}) for entry in (one, other)
    )
    return mine == yours


def _type(text: Any) -> str:
    parts = [part.strip().lower() for part in str(text or "None").split(",")]
    if sorted(parts) == ["systemassigned", "userassigned"]:
        return _BOTH
    known = _TYPES.get(parts[0]) if len(parts) == 1 else None
    if known is None:
        raise refuse("field_value", value=text, field="identity.type", known=", ".join([*_TYPES.values(), _BOTH]))
    return known


def _ids(name: str) -> dict[str, str]:
    """The same for the same identity."""
    return {key: str(uuid.uuid5(uuid.NAMESPACE_URL, f"{key}:{name.lower()}")) for key in ("principalId", "clientId")}
