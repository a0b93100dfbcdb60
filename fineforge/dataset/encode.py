"""Rows of a table as JSON Lines, byte for byte as `datasets.Dataset.to_json` writes them.

The usual types (text, whole numbers, truth values, lists and structs of them) take the standard library's encoder, corrected
where pandas' differs: four times as fast, and pandas need not be loaded. Everything else takes what `to_json` takes.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.dataset import sizes
from fineforge.dataset.child import too_much

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


HELD = 64 << 20
"""Bytes of a batch that is converted as a whole."""


class NoJson(Exception):
    """A row that has no form in JSON: its index in the table or None, and what is wrong."""


def even(tables: Iterable[pa.Table], texts: bool, name: str) -> Iterator[pa.Table]:
    """Yield the same rows in tables of BATCH rows, the last one shorter. Raises FF631.

    Tables end earlier after some MiB, if no row's line depends on its neighbours.
    """
    import pyarrow as pa

    waiting: list[pa.Table] = []
    count = held = 0
    for table in tables:
        waiting.append(table)
        count, held = count + len(table), held + sizes.size(table)
        if count >= BATCH or held > sizes.PIECE:
            whole = pa.concat_tables(waiting, promote_options="permissive") if len(waiting) > 1 else waiting[0]
            full = count - count % BATCH
            for at in range(0, full, BATCH):
                yield whole.slice(at, BATCH)
            rest = whole.slice(full)
            if held > sizes.PIECE and len(rest) and not (texts and _neighbours(rest)):
                yield rest
                rest = rest.slice(len(rest))
            waiting, count, held = ([rest] if len(rest) else []), len(rest), sizes.size(rest)
            if held > HELD:
                message = f"has rows that hold more than {HELD >> 20} MiB together with columns that must be converted together"
                raise FineforgeError(too_much(name, message, "choose the columns to train on with `columns`"))
    if count:
        yield pa.concat_tables(waiting, promote_options="permissive")


def _neighbours(table: pa.Table) -> bool:
    """Return True if a row's line may depend on other rows in the table."""
    import pyarrow.types as types

    kinds = [field.type for field in table.schema]
    return not all(types.is_floating(kind) or (_plain(kind, types) and not _counts(kind, types)) for kind in kinds)


def rows(table: pa.Table, texts: bool) -> Iterator[tuple[bytes | None, Any]]:
    """Yield every row of at most BATCH as (its line, its value); no lines where `texts` is false. Raises NoJson."""
    values = _values(table)
    if not texts:
        return ((None, value) for value in values)
    if all(_usual(column) for column in table.columns):
        return ((line(value), value) for value in values)
    return zip(_as_pandas(table), values, strict=True)


def _values(table: pa.Table) -> Iterator[dict[str, Any]]:
    decoders = {field.name: decode for field in table.schema if (decode := _decoder(field.type)) is not None}
    index = 0
    for piece in sizes.pieces(table):
        for at in range(0, len(piece), _SLICE):
            for value in _python(piece.slice(at, _SLICE), index):
                for name, decode in decoders.items():
                    value[name] = decode(value[name])
                yield value
                index += 1


def _python(table: pa.Table, before: int) -> list[dict[str, Any]]:
    """Return the rows as Python objects. Raises NoJson: Python has no year 10,000, nor every time zone that a file may name."""
    try:
        return list(table.to_pylist())
    except Exception as error:  # by type: of pyarrow, zoneinfo, datetime, decimal
        for index in range(len(table)):
            try:
                table.slice(index, 1).to_pylist()
            except Exception as first:
                raise NoJson(before + index, _text(first)) from None
        raise NoJson(before, _text(error)) from None


def _text(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


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


def _as_pandas(table: pa.Table) -> list[bytes]:
    """Raises NoJson, with the row's index if the row has no form in Python either."""
    try:
        return _written(table)
    except Exception as error:  # by type: of pandas, pyarrow, zoneinfo, and the row's own
        for _ in _values(table):
            pass
        raise NoJson(None, _text(error)) from None


def _written(table: pa.Table) -> list[bytes]:
    frame = table.to_pandas(integer_object_nulls=True)
    decoded = [field.name for field in table.schema if _decoder(field.type) is not None]
    if decoded:
        values = list(_values(table))
        for column in decoded:
            frame[column] = [value[column] for value in values]
            frame[column] = frame[column].astype(object)
    to_json: Callable[..., str] = frame.to_json
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # times will be written otherwise one day, by `to_json` as well
        text = to_json(path_or_buf=None, orient="records", lines=True)
    return text.encode("utf-8").splitlines()


def no_json(name: str, message: str, row: int | None = None, hint: str = "") -> Diagnostic:
    hint = hint or "choose the columns to train on with `columns`"
    subject = f"the rows of `{name}`" if row is None else f"`{name}` row {row}"
    return Diagnostic("FF628", f"{subject} cannot be written as JSON: {message[:120].lower()}", hint=hint)
