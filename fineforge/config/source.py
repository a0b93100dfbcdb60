"""YAML text to data, with the position of every key and value.

One pass over the parser's events builds both. Values follow YAML 1.2: `5e-6` is a number, `no` and `on` are text. What a
reviewed file has no business to hold (tags, several documents, alias bombs) is refused here. Nothing here knows what a spec is.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from fineforge.core.diagnostics import Diagnostic, FineforgeError, SourceSpan
from fineforge.core.objects import SpecPath

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where it is there: the faster one."""
MAX_BYTES = 1 << 20
MAX_DEPTH = 30
MAX_NODES = 20_000
"""Nodes after aliases are expanded: a thousand-line spec has about three thousand."""

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_CONSTANTS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: value for value, words in ((True, "true True TRUE"), (False, "false False FALSE")) for word in words.split()
}

_Range = tuple[int, int, int, int]
"""Line, column, end line, end column; counted from 0 as the parser counts."""


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file. `span` finds the place of a path; a missing key is placed at its nearest ancestor."""

    file: str
    lines: tuple[str, ...]
    data: dict[str, Any]
    keys: dict[SpecPath, _Range]
    values: dict[SpecPath, _Range]

    def span(self, path: SpecPath, *, key: bool = False) -> SourceSpan:
        """Where `path` stands: its value, or with `key` the key itself. Segments that are not in the file are skipped.

        A value of several lines, and the nearest ancestor of what is not in the file, are shown by their key.
        """
        known: SpecPath = ()
        for segment in path:
            if (*known, segment) in self.values:
                known = (*known, segment)
        value = self.values.get(known, (0, 0, 0, 1))
        if key or known != path or value[0] != value[2]:
            value = self.keys.get(known, value)
        return _span(self.file, self.lines, value)

    def place(self, diagnostic: Diagnostic) -> Diagnostic:
        """The diagnostic with its span; one that has a span already, or speaks of no place in the file, stays as it is."""
        if diagnostic.span is not None or (not diagnostic.path and diagnostic.code not in _SPEAKS_OF_THE_WHOLE):
            return diagnostic
        span = self.span(diagnostic.path, key=diagnostic.code in _POINTS_AT_KEY)
        return Diagnostic(diagnostic.code, diagnostic.message, diagnostic.severity, diagnostic.path, span, diagnostic.hint)


_POINTS_AT_KEY = frozenset({"FF120", "FF124", "FF126", "FF131", "FF134", "FF137"})
"""Codes that speak of the key, not of its value."""
_SPEAKS_OF_THE_WHOLE = frozenset({"FF121", "FF122", "FF125"})
"""Codes for which no path means the document, not that the file is not at fault."""


def load(content: bytes, file: str, hint: str = "start with `version: 1`") -> Source:
    """Parses `content`. Raises FineforgeError (FF101 to FF111), every one with its line and column.

    `hint` says what a file of its kind begins with, or what to do where it holds nothing.
    """
    text = _decode(content, file)
    lines = tuple(text.splitlines())
    reader = _Reader(text, file, lines)
    try:
        root = reader.document()
    except yaml.YAMLError as error:
        raise FineforgeError(_syntax(error, file, lines)) from None
    if not isinstance(root, dict):
        what = "is empty" if root is None else "is not a mapping of keys to values"
        raise FineforgeError(Diagnostic("FF111", f"`{file}` {what}", span=_span(file, lines, (0, 0, 0, 1)), hint=hint))
    return Source(file, lines, root, reader.keys, reader.values)


def _decode(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        raise FineforgeError(
            Diagnostic(
                "FF109", f"`{file}` is larger than the limit of {MAX_BYTES:,} bytes for a spec", hint="is this the dataset?"
            )
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raw = error.object  # without the byte order mark, as `error.start` counts
        number, column = _position(raw[: error.start].decode("utf-8"), error.start)
        place = (number, column, number, column + 1)
        span = _span(file, _shown(raw.decode("utf-8", "replace")), place)
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise FineforgeError(Diagnostic("FF108", message, span=span, hint="save the file as UTF-8")) from None
    if bad := _FORBIDDEN.search(text):
        number, column = _position(text, bad.start())
        span = _span(file, _shown(text), (number, column, number, column + 1))
        raise FineforgeError(Diagnostic("FF107", f"control character U+{ord(bad.group()):04X}", span=span, hint="delete it"))
    return text


_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML calls not printable."""


def _shown(text: str) -> tuple[str, ...]:
    """Lines that a terminal may be given."""
    return tuple(_FORBIDDEN.sub("\N{SYMBOL FOR NULL}", text).splitlines())


def _position(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character, counted from 0, with the line breaks that the parser knows."""
    before = (text[:index] + "x").splitlines()
    return len(before) - 1, len(before[-1]) - 1


def _syntax(error: yaml.YAMLError, file: str, lines: tuple[str, ...]) -> Diagnostic:
    mark, begin = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if mark is not None and mark.line >= len(lines) and begin is not None:
        mark = begin  # the parser gave up at the end of the file: what was never closed begins here
    conflict = next((number for number, text in enumerate(lines) if text.startswith("<<<<<<< ")), None)
    if conflict is not None:
        span = _span(file, lines, (conflict, 0, conflict, 7))
        hint = "resolve the conflict and remove its markers; for a lock file, keep either side and run `fineforge lock`"
        return Diagnostic("FF101", "unresolved merge conflict", span=span, hint=hint)
    line, column = (mark.line, mark.column) if mark else (0, 0)
    text = lines[line] if line < len(lines) else ""
    span = _span(file, lines, (line, column, line, column + 1))
    if "\t" in text[: len(text) - len(text.lstrip())] or (text[column : column + 1] == "\t"):
        return Diagnostic("FF102", "tab in the indentation", span=span, hint="indent with spaces")
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    context = getattr(error, "context", None)
    hint = next((hint for words, hint in _SYNTAX_HINTS.items() if words in problem), "")
    return Diagnostic("FF101", f"not valid YAML: {problem}" + (f" {context}" if context else ""), span=span, hint=hint)


_SYNTAX_HINTS = {
    "mapping values are not allowed": "quote text that contains `: `; the keys of a block start in the same column",
    "cannot start any token": "quote text that starts with `@`, `%` or a backtick",
    "could not find expected ':'": "a key ends with `: `, including the space",
    "did not find expected key": "the keys of a block start in the same column",
    "did not find expected '-' indicator": "the entries of a list start in the same column",
    "did not find expected ',' or ']'": "close the list with `]`",
    "did not find expected ',' or '}'": "close the mapping with `}`",
    "unexpected end of stream": "close the quotes",
    "unknown escape character": "in single quotes a backslash is a backslash",
}
"""The parser's problem -> what usually helps."""


def _span(file: str, lines: tuple[str, ...], place: _Range) -> SourceSpan:
    line, column, end_line, end_column = place
    snippet = lines[line] if line < len(lines) else ""
    return SourceSpan(file, line + 1, column + 1, end_line + 1, end_column + 1, snippet)


class _Reader:
    """Builds data and positions from the parser's events, one call per open collection.

    `yaml.compose` is not used: it ends the process on deep nesting, and its nodes lack the positions of aliases.
    """

    def __init__(self, text: str, file: str, lines: tuple[str, ...]) -> None:
        self.file, self.lines = file, lines
        self.events = yaml.parse(text, Loader=LOADER)
        self.keys: dict[SpecPath, _Range] = {}
        self.values: dict[SpecPath, _Range] = {}
        self.anchors: dict[str, tuple[Any, int]] = {}

    def document(self) -> Any:
        """Return the file's one document; None if it is empty."""
        root, documents = None, 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse("FF104", "a second document starts here", event, "one spec per file: split it at `---`")
            elif isinstance(event, yaml.NodeEvent):
                root, _, _ = self._node(event, ())
        return root

    def _node(self, event: Any, path: SpecPath) -> tuple[Any, int, Any]:
        """Return a value, how many values it holds with aliases expanded, and its last event."""
        end = event
        if isinstance(event, yaml.AliasEvent):
            value, nodes = self._anchored(event)
        else:
            self._check_tag(event)
            if isinstance(event, yaml.ScalarEvent):
                plain = event.implicit[0] and event.style in (None, "")
                value, nodes = self._plain(event) if plain else event.value, 1
            elif len(path) >= MAX_DEPTH:
                self._refuse("FF110", f"nested deeper than {MAX_DEPTH} levels", event, "")
            else:
                collection = self._mapping if isinstance(event, yaml.MappingStartEvent) else self._sequence
                value, nodes, end = collection(path)
            if event.anchor:
                self.anchors[event.anchor] = (value, nodes)
        self.values[path] = _range(event, end)
        return value, nodes, end

    def _plain(self, event: Any) -> Any:
        """Return the value of a plain scalar by the YAML 1.2 core schema."""
        if event.value[:1] in _NUMBER_STARTS:
            return self._number(event)
        return _CONSTANTS.get(event.value, event.value)

    def _number(self, event: Any) -> Any:
        """Return the number that a plain scalar writes, or its text. Raise FF113 where no number can hold what it writes."""
        value, problem = _resolve(event.value)
        if problem:
            shown = event.value if len(event.value) <= 40 else f"{event.value[:37]}..."
            self._refuse("FF113", f"`{shown}` {problem}", event, "write a smaller number; put it in quotes if it is text")
        return value

    def _mapping(self, path: SpecPath) -> tuple[dict[str, Any], int, Any]:
        data: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        nodes = 1
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event, path, data)
            begin = next(self.events)
            value, more, end = self._node(begin, (*path, key))
            nodes = self._count(nodes + more, end)
            if key != "<<":
                data[key] = value
                continue
            sources = value if isinstance(value, list) else [value]
            if not all(isinstance(source, dict) for source in sources):
                self._refuse("FF101", "`<<` needs a mapping", end, "", begin)
            merged += sources
        for key, value in (entry for source in merged for entry in source.items()):
            if key not in data:
                data[key] = value
                self.keys[(*path, key)] = self.values[(*path, key)] = self.keys[(*path, "<<")]
        return data, nodes, event

    def _sequence(self, path: SpecPath) -> tuple[list[Any], int, Any]:
        data: list[Any] = []
        nodes = 1
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            value, more, end = self._node(event, (*path, len(data)))
            nodes = self._count(nodes + more, end)
            data.append(value)
        return data, nodes, event

    def _key(self, event: Any, path: SpecPath, data: dict[str, Any]) -> str:
        begin, end = event.start_mark, event.end_mark
        if isinstance(event, yaml.AliasEvent):
            self._anchored(event)
        else:
            self._check_tag(event)
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse("FF101", "a key must be plain text", event, "")
        key = str(event.value)
        if key in data:
            first = self.keys[(*path, key)][0] + 1
            self._refuse("FF103", f"duplicate key `{key}`, first set in line {first}", event, "keep one of them")
        self.keys[(*path, key)] = (begin.line, begin.column, end.line, end.column)
        return key

    def _anchored(self, event: Any) -> tuple[Any, int]:
        if event.anchor not in self.anchors:
            self._refuse("FF101", f"the alias `*{event.anchor}` has no preceding anchor", event, "")
        return self.anchors[event.anchor]

    def _check_tag(self, event: Any) -> None:
        if event.tag not in (None, "!") and not event.tag.startswith("tag:yaml.org,2002:str"):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._refuse("FF106", f"the tag `{tag}` is not allowed", event, "write a plain value")

    def _count(self, nodes: int, event: Any) -> int:
        if nodes > MAX_NODES:
            reason, hint = (
                ("aliases expand to", "write the values out") if self.anchors else ("the file holds", "is this the dataset?")
            )
            self._refuse("FF105", f"{reason} more than {MAX_NODES:,} values", event, hint)
        return nodes

    def _refuse(self, code: str, message: str, event: Any, hint: str, begin: Any = None) -> NoReturn:
        span = _span(self.file, self.lines, _range(begin or event, event))
        raise FineforgeError(Diagnostic(code, message, span=span, hint=hint))


def _range(first: Any, last: Any) -> _Range:
    """The place from the begin of one event to the end of another, one column wide at least."""
    begin, end = first.start_mark, last.end_mark
    return begin.line, begin.column, end.line, max(end.column, begin.column + 1)


def _resolve(text: str) -> tuple[Any, str]:
    """Return the value of a plain scalar by the YAML 1.2 core schema, and why it is no value where it is none.

    Digits with a leading zero stay text, because they may be a digest. Only ASCII digits make a number.
    """
    if _INTEGER.match(text):
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits[0] == "0":
            return text, ""
        fits = len(digits) <= 19 and -(2**63) <= int(text) < 2**63
        return (int(text), "") if fits else (text, "does not fit into 64 bits")
    if _FLOAT.match(text):
        number = float(text)
        if not math.isfinite(number):
            return text, "is larger than any number with a decimal point can be"
        if number == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
            return text, "is so small that it would be read as 0"
        return number, ""
    return (text, "is not a finite number") if text.lower().lstrip("+-") in (".inf", ".nan") else (text, "")


_NUMBER_STARTS = frozenset("+-.0123456789")
