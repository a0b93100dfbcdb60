"""YAML with positions: what values mean, where they stand, and the bytes that are refused (FF107, FF108, FF109)."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fineforge.config import source
from fineforge.core.diagnostics import Diagnostic, FineforgeError


def data(text: str) -> dict[str, object]:
    return source.load(text.encode(), "s.yaml").data


def refused(content: bytes) -> Diagnostic:
    with pytest.raises(FineforgeError) as caught:
        source.load(content, "s.yaml")
    [diagnostic] = caught.value.diagnostics
    return diagnostic


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("5e-6", 5e-6),
        ("5.0e-6", 5e-6),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("-3", -3),
        ("+8", 8),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("012345670123", "012345670123"),  # a digest; octal in YAML 1.1
        ("0.0.82", "0.0.82"),
        ("1:30", "1:30"),  # sexagesimal in YAML 1.1
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("2026-11-24", "2026-11-24"),  # no dates
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0.0e-999", 0.0),
        ("\uff12\uff15", "\uff12\uff15"),  # only ASCII digits make a number
        ("'1e999'", "1e999"),
        ("'8'", "8"),
        ('"true"', "true"),
        ("!!str 8", "8"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_values_follow_yaml_1_2(written: str, meant: object) -> None:
    found = data(f"key: {written}\n")["key"]
    assert found == meant
    assert type(found) is type(meant)


def test_keys_are_text() -> None:
    assert data("no: 1\n8: 2\n1.0: 3\nnull: 4\n") == {"no": 1, "8": 2, "1.0": 3, "null": 4}


def test_merged_keys_and_aliases() -> None:
    found = data("base: &base {a: 1, b: 2}\none: {<<: *base, b: 3}\ntwo: {b: 4, <<: [*base, {c: 5}]}\nthree: *base\n")
    assert found["one"] == {"a": 1, "b": 3}
    assert found["two"] == {"a": 1, "b": 4, "c": 5}
    assert found["three"] == {"a": 1, "b": 2}


TEXT = """\
# a comment
version: 1
model:
  name: Phi-4
  version: "8"
gates:
  metrics:
    - {name: eval_loss, max: 1.5}
    - name: loss
"""


@pytest.mark.parametrize(
    ("path", "key", "line", "marked"),
    [
        (("model", "name"), False, 4, "Phi-4"),
        (("model", "name"), True, 4, "name"),
        (("model", "version"), False, 5, '"8"'),
        (("gates", "metrics", 0, "max"), False, 8, "1.5"),
        (("gates", "metrics", 1, "name"), False, 9, "loss"),
        (("model",), False, 3, "model"),  # several lines: the key stands for them
        (("model", "registry"), False, 3, "model"),  # missing: the nearest ancestor
        (("model", "Union tag", "name"), False, 4, "name"),  # segments that are not in the file are skipped
        (("nothing",), False, 2, "version: 1"),
        ((), False, 2, "version: 1"),
    ],
)
def test_where_things_stand(path: source.SpecPath, key: bool, line: int, marked: str) -> None:
    span = source.load(TEXT.encode(), "s.yaml").span(path, key=key)
    end = span.end_column - 1 if span.end_line == span.line else None
    assert (span.line, span.snippet[span.column - 1 : end]) == (line, marked)


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
def test_every_kind_of_line_end(newline: str) -> None:
    parsed = source.load(TEXT.replace("\n", newline).encode(), "s.yaml")
    assert parsed.data == data(TEXT)
    assert parsed.span(("model", "name")) == source.load(TEXT.encode(), "s.yaml").span(("model", "name"))


def test_a_byte_order_mark_does_no_harm() -> None:
    parsed = source.load(b"\xef\xbb\xbfversion: 1\n", "s.yaml")
    assert parsed.data == {"version": 1}
    assert parsed.span(("version",), key=True).column == 1


@pytest.mark.parametrize(
    ("content", "code", "place", "message"),
    [
        (b"a: 1\nname: a\0b\n", "FF107", (2, 8), "control character U+0000"),
        (b"a: 1\r\nname: \x1b[31m\r\n", "FF107", (2, 7), "control character U+001B"),
        ("a: 1\nname: \ufffe\n".encode(), "FF107", (2, 7), "control character U+FFFE"),
        (b"a: 1\nname: caf\xe9\n", "FF108", (2, 10), "byte 0xe9 is not UTF-8"),
        (
            "a: 1\nn\N{LATIN SMALL LETTER U WITH DIAERESIS}me: ".encode() + b"caf\xe9\n",
            "FF108",
            (2, 10),
            "byte 0xe9 is not UTF-8",
        ),
        (b"\xef\xbb\xbfname: caf\xe9\n", "FF108", (1, 10), "byte 0xe9 is not UTF-8"),
        ("version: 1\n".encode("utf-16"), "FF108", (1, 1), "byte 0xff is not UTF-8"),
    ],
)
def test_bytes_that_are_refused(content: bytes, code: str, place: tuple[int, int], message: str) -> None:
    found = refused(content)
    assert found.span is not None
    assert (found.code, (found.span.line, found.span.column), found.message) == (code, place, message)
    assert "\0" not in found.span.snippet


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("1e999", "is larger than any number"),
        ("-1e999", "is larger than any number"),
        ("1e-400", "is so small that it would be read as 0"),
        ("-.0001e-400", "is so small that it would be read as 0"),
        ("9223372036854775808", "does not fit into 64 bits"),
        ("-9223372036854775809", "does not fit into 64 bits"),
        ("1" * 5000, "does not fit into 64 bits"),
        (".inf", "is not a finite number"),
        ("-.INF", "is not a finite number"),
        (".nan", "is not a finite number"),
    ],
)
def test_numbers_that_no_number_can_hold(written: str, why: str) -> None:
    found = refused(f"a: 1\nb: {written}\n".encode())
    assert found.code == "FF113" and why in found.message and len(found.message) < 120
    assert found.span is not None and (found.span.line, found.span.column) == (2, 4)
    assert "quotes" in found.hint


def test_a_file_that_is_too_large() -> None:
    found = refused(b"a" * (source.MAX_BYTES + 1))
    assert (found.code, found.hint) == ("FF109", "is this the dataset?")
    assert source.load(b"a: 1\n#" + b"x" * (source.MAX_BYTES - 6), "s.yaml").data == {"a": 1}


def test_a_data_file_instead_of_a_spec() -> None:
    found = refused(b"a:\n" + b"- 1\n" * (source.MAX_NODES + 1))
    assert (found.code, found.message) == ("FF105", "the file holds more than 20,000 values")


def test_a_deep_document_is_refused_before_it_costs_anything() -> None:
    assert refused(b"a: " + b"[" * 500_000).code == "FF110"
    assert refused(b"a: &a [" + b"[*a, *a]," * 3 + b"]").code == "FF101"  # an alias within itself


_CHARACTERS = st.characters(exclude_categories=["C", "Zl", "Zp"])
_KEYS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
_VALUES = st.recursive(
    st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(_CHARACTERS, max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=5))
def test_json_comes_back_as_it_was(document: dict[str, object]) -> None:
    """JSON is YAML: whatever `json` writes is read as the same data, and every value has a place."""
    parsed = source.load(json.dumps(document, ensure_ascii=False).encode(), "s.yaml")
    assert parsed.data == document
    assert all((key,) in parsed.values and (key,) in parsed.keys for key in document)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text("ab:-[]{},&*!|>'\"#%@`\n\t \\?~0", max_size=60).map(str.encode))
def test_whatever_comes_is_parsed_or_refused(content: bytes) -> None:
    try:
        parsed = source.load(content, "s.yaml")
    except FineforgeError as error:
        [diagnostic] = error.diagnostics
        assert diagnostic.span is not None and diagnostic.span.line >= 1 and diagnostic.span.column >= 1
    else:
        assert yaml.compose(content, Loader=yaml.CSafeLoader) is not None
        assert isinstance(parsed.data, dict)
