"""A document's shape: the base of the pydantic models of the spec and the project file, and their errors in a user's words.

Here belongs how a wrong shape is said, for any model; what the keys are is with the models. Nothing here reads a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, StringConstraints, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError

from fineforge.config.source import Source
from fineforge.core.diagnostics import Diagnostic, did_you_mean
from fineforge.core.objects import SpecPath


class Shape(BaseModel):
    """Strict, frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


M = TypeVar("M", bound=Shape)


def choose(message: str) -> PydanticCustomError:
    """For validators: keys that do not go together (FF125)."""
    return PydanticCustomError("choose", "{words}", {"words": message})


def _scalar(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    raise PydanticCustomError("parameter", "")


def _text(value: Any) -> Any:
    """Versions may be written as whole numbers; `1.10` is refused, for as a number it is `1.1`."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ParameterValue = Annotated[
    bool | int | float | str, PlainValidator(_scalar), WithJsonSchema({"type": ["boolean", "integer", "number", "string"]})
]
"""One validator, not a union: a union answers one mistake with an error per member."""

Version = Annotated[
    str,
    BeforeValidator(_text),
    StringConstraints(min_length=1, max_length=40),
    WithJsonSchema({"type": ["string", "integer"], "minLength": 1, "maxLength": 40}),
]


def fit(model: type[M], source: Source, patterns: Mapping[str, str]) -> tuple[M | None, list[Diagnostic]]:
    """The document as `model`, or None and every error of its shape. `patterns` says in words what a pattern means.

    A list is too short for pydantic, too, when its entries are wrong; only an empty one is said.
    """
    found = [_empty(path) for path in _nulls(source.data)]
    placed = {diagnostic.path for diagnostic in found}
    try:
        fitted = model.model_validate(source.data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        paths = [_path(detail["loc"], source.data) for detail in details]
        return None, [
            *found,
            *(
                _say(detail, model, path, patterns)
                for detail, path in zip(details, paths, strict=True)
                if path not in placed and not (detail["type"] == "too_short" and detail["input"])
            ),
        ]
    return (None if found else fitted), found


def known_keys(model: Any, path: SpecPath) -> list[str]:
    """The keys that `model` knows below `path`."""
    for part in path:
        if isinstance(part, int):
            continue
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        model = _model_of(fields[part].annotation) if part in fields else None
        if model is None:
            return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_of(part)) is not None), None)


def _nulls(value: Any, path: SpecPath = ()) -> Iterator[SpecPath]:
    """Keys and entries without a value: not the same as absent ones, and never meant."""
    if value is None:
        yield path
    elif isinstance(value, dict | list):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            if entry is None or isinstance(entry, dict | list):
                yield from _nulls(entry, (*path, key))


def _empty(path: SpecPath) -> Diagnostic:
    return Diagnostic("FF122", f"`{dotted(path)}` has no value", path=path, hint="set one (`{}` for a block), or delete the key")


def dotted(path: SpecPath) -> str:
    return ".".join(str(part) for part in path)


def _path(loc: tuple[int | str, ...], data: Any) -> SpecPath:
    """The part of pydantic's `loc` that is in the document; `loc` may hold class names and union tags."""
    path: SpecPath = ()
    for part in loc:
        inside = (
            (part in data) if isinstance(data, dict) else isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if inside:
            data = data[part]
            path = (*path, part)
    return path


def _say(detail: ErrorDetails, model: type[Shape], where: SpecPath, patterns: Mapping[str, str]) -> Diagnostic:
    kind, context, name = detail["type"], detail.get("ctx", {}), dotted(where)
    given = shown(detail["input"])
    if kind == "extra_forbidden":
        return _unknown_key(model, where)
    if kind == "missing":
        return Diagnostic("FF121", f"`{dotted((*where, detail['loc'][-1]))}` is missing", path=where)
    if kind == "choose":
        return Diagnostic("FF125", f"`{name}`: {detail['msg']}" if name else detail["msg"], path=where)
    if kind == "string_pattern_mismatch":
        return Diagnostic("FF123", f"`{name}` cannot be {given}", path=where, hint=patterns.get(context["pattern"], ""))
    if kind == "literal_error":
        hint = _option(str(detail["input"]), context["expected"])
        if detail["input"] == context["expected"]:  # a number in quotes
            return Diagnostic("FF122", f"`{name}` must be a number, got text", path=where, hint=f"write {given} without quotes")
        return Diagnostic("FF122", f"`{name}` cannot be {given}", path=where, hint=hint)
    if kind == "too_short":
        return Diagnostic("FF123", f"`{name}` has no entry", path=where, hint="set one, or delete the key")
    if kind in _LIMITS:
        return Diagnostic("FF123", f"`{name}` must be {_LIMITS[kind].format(**context)}, got {given}", path=where)
    expected, hint = next((words for prefix, words in _KINDS.items() if kind.startswith(prefix)), ("another type of value", ""))
    if expected == "text" and isinstance(detail["input"], dict | list):
        hint = ""
    return Diagnostic("FF122", f"`{name}` must be {expected}, got {given}", path=where, hint=hint)


_LIMITS = {
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "string_too_long": "{max_length} characters or fewer",
    "string_too_short": "{min_length} characters or more",
}
"""pydantic's kind of error -> what the value must be."""

_KINDS = {
    "string": ("text", "quote the value"),
    "int": ("a whole number", ""),
    "float": ("a number", ""),
    "finite": ("a number", ""),
    "bool": ("true or false", "write `true` or `false`"),
    "parameter": ("a number, text, true or false", ""),
    "dict": ("a mapping of keys to values", ""),
    "model": ("a mapping of keys to values", ""),
    "tuple": ("a list", "write `[` and `]` around it"),
}
"""Beginning of pydantic's kind of error -> what the value must be, and a hint."""


def shown(value: Any) -> str:
    """A value as a message shows it, in backticks where it is a word."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`" if text else "empty"


def _option(given: str, expected: str) -> str:
    options = re.findall(r"'([^']+)'", expected) or [expected]
    listed = ", ".join(f"`{option}`" for option in options)
    return did_you_mean(given, options, f"one of {listed}" if len(options) > 1 else f"write {listed}")


def _unknown_key(model: type[Shape], path: SpecPath) -> Diagnostic:
    known = known_keys(model, path[:-1])
    listed = "known here: " + ", ".join(f"`{key}`" for key in known) if known else ""
    hint = did_you_mean(str(path[-1]), known, listed)
    return Diagnostic("FF120", f"unknown key `{dotted(path)}`", path=path, hint=hint)
