"""Rows as JSON Lines: the very bytes that `datasets.Dataset.to_json` writes, for every type that it can write."""

from __future__ import annotations

import datetime
import decimal
import io
import random
import warnings
from typing import Any

import pyarrow as pa
import pytest

from fineforge.dataset import encode

ODD = [
    "a/b",
    "\x7f",
    "\\u007f",
    "\\\x7f",
    "\\\\u007f\x7f",
    "\u2028\u2029é😀",
    "<>&'\"\n\t\r\b\f\x00\x1f",
    None,
    "",
    r"\\u007f",
    "\\/",
]
TURN = pa.struct([("content", pa.string()), ("role", pa.string())])
WHEN = datetime.datetime(2020, 1, 2, 3, 4, 5, 678901)

USUAL: dict[str, tuple[Any, list[Any]]] = {
    "text": (pa.string(), ODD),
    "long text": (pa.large_string(), ODD),
    "truth": (pa.bool_(), [True, False, None]),
    "numbers": (pa.int64(), [0, -(2**63), 2**63 - 1]),
    "numbers and a gap": (pa.int64(), [1, None]),
    "small numbers": (pa.int8(), [1, None, -128]),
    "large numbers": (pa.uint64(), [2**64 - 1, 0]),
    "messages": (
        pa.list_(TURN),
        [[{"content": text, "role": "user"} for text in ODD], [], None, [{"content": None, "role": None}]],
    ),
    "lists": (pa.list_(pa.list_(pa.int64())), [[[1], [2, 3]], [[]], [], None]),
    "lists of text": (pa.list_(pa.string()), [ODD, [], None]),
    "lists of truth": (pa.large_list(pa.bool_()), [[True, None], []]),
    "struct": (pa.struct([("a/b", pa.string()), ("n", pa.int32())]), [{"a/b": "x", "n": 1}, None, {"a/b": None, "n": None}]),
}
OTHERS: dict[str, tuple[Any, list[Any]]] = {
    "lists of numbers with gaps": (pa.list_(pa.int64()), [[1, None], []]),
    "structs of lists with gaps": (pa.struct([("l", pa.list_(pa.int64()))]), [{"l": [1, None]}, {"l": [2]}]),
    "floats": (pa.float64(), [1.0, 0.1, 1 / 3, None, float("nan"), 1e300, -0.0]),
    "single floats": (pa.float32(), [0.1]),
    "lists of floats": (pa.list_(pa.float64()), [[0.1, 1.0], []]),
    "times": (pa.timestamp("us"), [WHEN, None]),
    "times of a zone": (pa.timestamp("ms", "UTC"), [WHEN.replace(tzinfo=datetime.UTC)]),
    "dates": (pa.date32(), [datetime.date(2020, 1, 2), None]),
    "times of day": (pa.time64("us"), [datetime.time(1, 2, 3)]),
    "durations": (pa.duration("s"), [datetime.timedelta(seconds=5)]),
    "decimals": (pa.decimal128(10, 2), [decimal.Decimal("1.25"), None]),
    "bytes that are text": (pa.binary(), [b"ab"]),
    "nothing": (pa.null(), [None, None]),
    "categories": (pa.dictionary(pa.int32(), pa.string()), ["a", "b", "a"]),
}


def theirs(table: pa.Table) -> bytes:
    import datasets

    datasets.disable_progress_bars()
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about times
        datasets.Dataset(table).to_json(stream)
    return stream.getvalue()


def ours(table: pa.Table) -> bytes:
    rows = [text for at in range(0, len(table), encode.BATCH) for text, _ in encode.rows(table.slice(at, encode.BATCH), True)]
    return b"".join(text + b"\n" for text in rows if text is not None)


@pytest.mark.parametrize("name", [*USUAL, *OTHERS])
def test_the_same_bytes(name: str) -> None:
    kind, values = (USUAL | OTHERS)[name]
    table = pa.table({"x/y": pa.array(values, kind), "other": pa.array([f"row {n}" for n in range(len(values))])})
    assert ours(table) == theirs(table)
    assert all(map(encode._usual, table.columns)) == (name in USUAL), "the fast encoder takes what it should"


def test_the_same_bytes_of_any_text() -> None:
    chance = random.Random(7)
    pieces = ["\\", "\x7f", "u007f", "/", '"', "\u2028", "é", "😀", "a", "\x00", "\\u", "\n"]
    values = ["".join(chance.choices(pieces, k=chance.randrange(12))) for _ in range(3000)]
    table = pa.table({"messages": pa.array([[{"content": text, "role": "user"}] for text in values], pa.list_(TURN))})
    assert ours(table) == theirs(table)


def test_where_neighbours_matter() -> None:
    """A gap among a thousand whole numbers of a list changes how pandas writes the others of its batch, and no more."""
    values: list[Any] = [[n] for n in range(2500)]
    values[1700] = [None, 7]
    table = pa.table({"x": pa.array(values, pa.list_(pa.int64()))})
    assert ours(table) == theirs(table)


@pytest.mark.parametrize("kind", [pa.binary(), pa.struct([("bytes", pa.binary()), ("path", pa.string())])])
def test_images_are_refused(kind: Any) -> None:
    value: Any = b"\xff\xd8" if pa.types.is_binary(kind) else {"bytes": b"\xff\xd8", "path": None}
    table = pa.table({"image": pa.array([value], kind)})
    with pytest.raises(encode.NoJson, match=r"(?i)utf-8"):
        ours(table)


def test_values_come_without_lines_where_nobody_needs_them() -> None:
    table = pa.table({"x": [1, 2]})
    assert list(encode.rows(table, False)) == [(None, {"x": 1}), (None, {"x": 2})]
