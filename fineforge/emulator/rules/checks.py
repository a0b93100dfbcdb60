"""Checks that several kinds share. Each raises `AzureError`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fineforge.emulator.rules.errors import refuse

ASSET_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,254}\Z")
REGISTRY_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{2,32}\Z")
COMPUTE_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]\Z")
ENDPOINT_NAME = re.compile(r"[a-zA-Z](?:-?[a-zA-Z0-9]){2,31}\Z")
"""A letter, then letters, digits and single dashes; the length is checked apart, a dash and its letter being two."""

_TAG_FORBIDDEN = set("<>%&\\?/")


def asset_name(name: str) -> None:
    if not ASSET_NAME.match(name):
        raise refuse("asset_name")


def registry_name(name: str) -> None:
    """The pattern of the REST specification."""
    if not REGISTRY_NAME.match(name):
        raise refuse("registry_name", name=name)


def compute_name(name: str) -> None:
    if not COMPUTE_NAME.match(name):
        raise refuse("compute_name", name=name)


def endpoint_name(name: str, what: str) -> None:
    """`what` is `endpoint` or `deployment`: the same rule for both."""
    if not ENDPOINT_NAME.match(name) or not 3 <= len(name) <= 32:
        raise refuse("endpoint_name", what=what, name=name)


def tags(tags: Mapping[str, Any] | None) -> None:
    """ARM: 50 tags, names to 512 and values to 256 characters, no `< > % & \\ ? /` in names, names without case."""
    entries = dict(tags or {})
    seen: set[str] = set()
    for tag, value in entries.items():
        if len(tag) > 512 or len(str(value)) > 256 or _TAG_FORBIDDEN & set(tag) or tag.lower() in seen or len(entries) > 50:
            raise refuse("tags", tag=tag)
        seen.add(tag.lower())


def mapping(body: Mapping[str, Any], field: str) -> dict[str, Any]:
    """A required object within a body."""
    value = body.get(field)
    if not isinstance(value, Mapping):
        raise refuse("field_missing", field=field)
    return dict(value)


def choice(properties: dict[str, Any], field: str, *known: str) -> None:
    """A field that may be left out, but has no other values. They have no case: the SDK sends `disabled` (azure-ai-ml 1.35.2);
    the field becomes as the service writes it, which is assumed.
    """
    value = properties.get(field)
    if value is None:
        return
    spelled = {name.lower(): name for name in known}.get(str(value).lower())
    if spelled is None:
        raise refuse("field_value", value=value, field=field, known=", ".join(known))
    properties[field] = spelled
