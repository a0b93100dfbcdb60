"""The published schemas of what programs read: plan, events and answers, each docs/NAME.schema.json, made of the shapes.

They allow keys that they do not know, for a later minor version may have them, and refuse other major versions.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from fineforge.documents.answers import ANSWERS, ANSWERS_FORMAT
from fineforge.documents.events import EVENTS_FORMAT, LINES, Line, VersionLine
from fineforge.documents.shapes import PLAN_FORMAT, PlanDocument

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HEAD = {
    "@level": {"enum": ["error", "warning", "note", "info"]},
    "@message": {"type": "string", "description": "For people; its words may change"},
    "@timestamp": {"type": "string", "format": "date-time"},
}


def plan_schema() -> dict[str, Any]:
    """Of `plan --json`."""
    schema = TypeAdapter(PlanDocument).json_schema()
    schema["properties"]["format_version"]["pattern"] = _same_major(PLAN_FORMAT)
    return {"$schema": _DIALECT, **schema, "title": f"fineforge plan ({PLAN_FORMAT})"}


def events_schema() -> dict[str, Any]:
    """Of one line of `apply --json`. A type of line that it does not know is allowed."""
    definitions: dict[str, Any] = {}
    known = [_line(line, definitions) for line in LINES]
    words = [word for line in LINES for word in line.type]
    unknown = {"properties": {"type": {"type": "string", "not": {"enum": words}}}}
    return {
        "$schema": _DIALECT,
        "title": f"A line of a fineforge apply ({EVENTS_FORMAT})",
        "type": "object",
        "required": [*_HEAD, "type"],
        "properties": _HEAD,
        "oneOf": [*known, unknown],
        "$defs": definitions,
    }


def answers_schema() -> dict[str, Any]:
    """Of what other commands answer with `--json`; `#/$defs/Status` and the like are those of each."""
    definitions: dict[str, Any] = {}
    for answer in ANSWERS:
        schema = TypeAdapter(answer).json_schema()
        version = schema["properties"].pop("format_version")
        version["pattern"] = _same_major(version.pop("default"))
        schema["properties"] = {"format_version": version, **schema["properties"]}
        schema["required"] = ["format_version", *schema["required"]]
        definitions |= {**schema.pop("$defs", {}), answer.__name__: schema}
    return {
        "$schema": _DIALECT,
        "title": f"An answer of fineforge ({ANSWERS_FORMAT})",
        "anyOf": [{"$ref": f"#/$defs/{answer.__name__}"} for answer in ANSWERS],
        "$defs": definitions,
    }


def _line(line: type[Line], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = TypeAdapter(line).json_schema()
    definitions |= schema.pop("$defs", {})
    properties = {"type": {"enum": list(line.type)}, **schema.get("properties", {})}
    if line is VersionLine:
        properties["format_version"]["pattern"] = _same_major(EVENTS_FORMAT)
    return {**schema, "properties": properties, "required": ["type", *schema.get("required", [])]}


def _same_major(version: str) -> str:
    return rf"^{version.partition('.')[0]}\.[0-9]+$"
