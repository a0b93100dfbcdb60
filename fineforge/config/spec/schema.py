"""The JSON Schema of a spec, for editors: what one may write, before defaults and overlays are laid over each other.

So nothing is needed that a lower layer may give, every key may hold a reference, and null takes a key away. What the spec must be
once it is composed is said by the models, through `fineforge validate`.
"""

from __future__ import annotations

from typing import Any

from fineforge.config.spec import Spec

REFERENCE = r"\$\{\s*(var|env)\."
_OPEN: dict[str, Any] = {"anyOf": [{"type": "null"}, {"type": "string", "pattern": REFERENCE}]}
_OPEN_REF = {"$ref": "#/$defs/Open"}
_OF_THE_SPEC = ("version", "name", "targets")
"""Keys that no overlay has."""


def schema() -> dict[str, Any]:
    """Without `$schema` and title."""
    made = Spec.model_json_schema(by_alias=True)
    blocks = {name: _partial(block) for name, block in made["$defs"].items()}
    root = _partial(made)
    overlay = {key: value for key, value in root["properties"].items() if key not in _OF_THE_SPEC}
    overlays = {
        "type": "object",
        "description": "Partial specs by target. The one of the selected target is merged over this spec.",
        "additionalProperties": {"type": "object", "properties": overlay, "additionalProperties": False},
    }
    own = {key: made["properties"][key] for key in ("version", "name")}
    return {
        **root,
        "$defs": {**blocks, "Open": _OPEN},
        "properties": {**root["properties"], **own, "overlays": overlays},
        "required": ["version", "name"],
    }


def _partial(block: dict[str, Any]) -> dict[str, Any]:
    """An object of which any part may be given."""
    kept = {key: value for key, value in block.items() if key != "required"}
    return {**kept, "properties": {key: _open(value) for key, value in block.get("properties", {}).items()}}


def _open(value: dict[str, Any]) -> dict[str, Any]:
    """A value, a reference, or null. What editors show of the key stays at the key."""
    said: dict[str, Any] = {key: value[key] for key in ("title", "description", "default") if key in value}
    rest = {key: entry for key, entry in value.items() if key not in said}
    choices = rest["anyOf"] if rest.keys() == {"anyOf"} else [rest]
    return {"anyOf": [*(_inner(choice) for choice in choices if choice != {"type": "null"}), _OPEN_REF], **said}


def _inner(choice: dict[str, Any]) -> dict[str, Any]:
    """Lists and mappings of values: their entries may hold references too."""
    return {
        key: _open(entry) if key in ("items", "additionalProperties") and isinstance(entry, dict) else entry
        for key, entry in choice.items()
    }
