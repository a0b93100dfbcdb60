"""How much room rows take, and tables cut so that each part takes little.

Both the process that decodes rows and the one that encodes them cut tables, so that neither holds a thousand long rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

MAX_LINE = 16 << 20
"""Bytes that one row may have; more would not fit a model either."""

PIECE = 8 << 20
"""Bytes of a table that are worked on at once, unless a single row takes more."""

_ELEMENT = 8
"""Bytes that each element of a list takes as a Python object, however few it takes in a table."""


def pieces(table: pa.Table, most: int = PIECE) -> Iterator[pa.Table]:
    """Yield the rows of a table in order, in tables of at most `most` bytes or of one row."""
    waiting = [table]
    while waiting:
        part = waiting.pop()
        if len(part) <= 1 or size(part) <= most:
            yield part
        else:
            half = len(part) // 2
            waiting += [part.slice(half), part.slice(0, half)]


def size(table: pa.Table) -> int:
    """Return about how many bytes the rows of a table take, without what they share with rows outside of it."""
    return sum(_size(chunk) for column in table.columns for chunk in column.chunks)


def _size(array: Any) -> int:
    import pyarrow.compute as pc
    import pyarrow.types as types

    kind = array.type
    if isinstance(array, _extension()):
        return _size(array.storage)
    if types.is_dictionary(kind):
        text = types.is_string(kind.value_type) or types.is_large_string(kind.value_type) or types.is_binary(kind.value_type)
        lengths = pc.take(pc.binary_length(array.dictionary), array.indices) if text and len(array.dictionary) else None
        return int(array.indices.nbytes + ((pc.sum(lengths).as_py() or 0) if lengths is not None else 0))
    if types.is_struct(kind):
        return sum(_size(part) for part in array.flatten()) + len(array) // 8
    if types.is_string_view(kind) or types.is_binary_view(kind):  # rows share buffers
        import pyarrow as pa

        return int(array.cast(pa.large_binary()).nbytes)
    if any(test(kind) for test in _lists()):
        inner = array.flatten() if not types.is_map(kind) else array.cast(_as_list(kind)).flatten()
        return len(array) * _ELEMENT + len(inner) * _ELEMENT + _size(inner)
    return int(array.nbytes)


def _lists() -> Any:
    from pyarrow import types

    of_lists = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view, types.is_large_list_view)
    return (*of_lists, types.is_map)


def _extension() -> Any:
    import pyarrow as pa

    return pa.ExtensionArray


def _as_list(kind: Any) -> Any:
    import pyarrow as pa

    return pa.list_(pa.struct([pa.field("key", kind.key_type, nullable=False), pa.field("value", kind.item_type)]))
