"""Rows of a table as JSON Lines, byte for byte as `datasets.Dataset.to_json` writes them.

The usual types (text, whole numbers, truth values, lists and structs of them) take the standard library's encoder, corrected
where pandas' differs: four times as fast, and pandas need not be loaded. Everything else takes what `to_json` takes.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fineforge.core.diagnostics import Diagnostic, FineforgeError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 1000
"""Rows that are converted at once. `to_json` converts as many: a type's text may depend on its neighbours in a batch."""

_SLICE = 100
"""Rows that are Python objects at the same time: they take ten times the room of their bytes in a table."""

_ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_DELETE = re.compile(r"(?<!\\)((?:\\\\)*)\\u007f")


def line(value: Any) -> bytes:
    """One row as pandas writes it: `/` escaped, U+007F not."""
    text = _ENCODE(value).replace("/", "\\/")
    if "\\u007f" in text:
        text = _DELETE.sub("\\1\x7f", text)
    return text.encode("ascii")


def rows(table: pa.Table, texts: bool, name: str) -> Iterator[tuple[bytes | None, Any]]:
    """Every row of at most BATCH as (its line, its value); no lines where `texts` is false. Raises FF628."""
    values = _values(table)
    if not texts:
        return ((None, value) for value in values)
    if all(_usual(column) for column in table.columns):
        return ((line(value), value) for value in values)
    return zip(_as_pandas(table, name), values, strict=True)


def _values(table: pa.Table) -> Iterator[dict[str, Any]]:
    decoders = {field.name: decode for field in table.schema if (decode := _decoder(field.type)) is not None}
    for at in range(0, len(table), _SLICE):
        for value in table.slice(at, _SLICE).to_pylist():
            for name, decode in decoders.items():
                value[name] = decode(value[name])
            yield value


def _decoder(kind: pa.DataType) -> Callable[[Any], Any] | None:
    """What makes values of a column that holds JSON as text, at any depth: so `datasets` keeps rows whose keys differ."""
    import pyarrow.types as types

    if getattr(kind, "extension_name", "") == "arrow.json":
        return lambda text: None if text is None else json.loads(text)
    if types.is_list(kind) or types.is_large_list(kind):
        inner = _decoder(kind.value_type)
        return (lambda values: None if values is None else [inner(value) for value in values]) if inner else None
    if types.is_struct(kind):
        fields = {kind.field(index).name: _decoder(kind.field(index).type) for index in range(kind.num_fields)}
        return (lambda value: value and {k: (fields[k] or _same)(v) for k, v in value.items()}) if any(fields.values()) else None
    return None


def _same(value: Any) -> Any:
    return value


def _usual(column: pa.ChunkedArray) -> bool:
    import pyarrow.types as types

    return _plain(column.type, types) and not (_counts(column.type, types) and _odd(column, types))


def _plain(kind: pa.DataType, types: Any) -> bool:
    if types.is_list(kind) or types.is_large_list(kind):
        return _plain(kind.value_type, types)
    if types.is_struct(kind):
        return all(_plain(kind.field(index).type, types) for index in range(kind.num_fields))
    return any(test(kind) for test in (types.is_string, types.is_large_string, types.is_boolean, types.is_integer))


def _counts(kind: pa.DataType, types: Any, nested: bool = False) -> bool:
    """Whether there are numbers within lists."""
    if types.is_list(kind) or types.is_large_list(kind):
        return _counts(kind.value_type, types, nested=True)
    if types.is_struct(kind):
        return any(_counts(kind.field(index).type, types, nested) for index in range(kind.num_fields))
    return nested and bool(types.is_integer(kind))


def _odd(column: pa.ChunkedArray, types: Any) -> bool:
    """Numbers with gaps within lists: pandas makes them 1.0, and the gaps null."""
    return any(_gaps(chunk, types, nested=False) for chunk in column.chunks)


def _gaps(array: pa.Array, types: Any, nested: bool) -> bool:
    if types.is_list(array.type) or types.is_large_list(array.type):
        return _gaps(array.flatten(), types, nested=True)
    if types.is_struct(array.type):
        return any(_gaps(field, types, nested) for field in array.flatten())
    return nested and array.null_count > 0 and types.is_integer(array.type)


def _as_pandas(table: pa.Table, name: str) -> list[bytes]:
    frame = table.to_pandas(integer_object_nulls=True)
    decoded = [field.name for field in table.schema if _decoder(field.type) is not None]
    if decoded:
        values = list(_values(table))
        for column in decoded:
            frame[column] = [value[column] for value in values]
            frame[column] = frame[column].astype(object)
    to_json: Callable[..., str] = frame.to_json
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # times will be written otherwise one day, by `to_json` as well
            text = to_json(path_or_buf=None, orient="records", lines=True)
    except (TypeError, ValueError, OverflowError, UnicodeDecodeError) as error:
        raise FineforgeError(no_json(name, str(error))) from None
    return text.encode("utf-8").splitlines()


def no_json(name: str, words: str) -> Diagnostic:
    hint = "choose the columns to train on with `columns`"
    return Diagnostic("FF628", f"the rows of `{name}` cannot be written as JSON: {words[:120].lower()}", hint=hint)
