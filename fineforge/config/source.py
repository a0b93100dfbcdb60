"""YAML text to data, with the position of every key and value.

One pass over the parser's events builds both. Values follow YAML 1.2: `5e-6` is a number, `no` and `on` are text. What a
reviewed file has no business to hold (tags, several documents, alias bombs) is refused here. Nothing here knows what a spec is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    builder = _Builder(file, lines)
    try:
        for event in yaml.parse(text, Loader=LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        raise FineforgeError(_syntax(error, file, lines)) from None
    if not isinstance(builder.root, dict):
        what = "is empty" if builder.root is None else "is not a mapping of keys to values"
        raise FineforgeError(Diagnostic("FF111", f"`{file}` {what}", span=_span(file, lines, (0, 0, 0, 1)), hint=hint))
    return Source(file, lines, builder.root, builder.keys, builder.values)


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


@dataclass(slots=True)
class _Frame:
    """An open collection."""

    value: dict[Any, Any] | list[Any]
    path: SpecPath
    anchor: str | None
    start: Any
    expects_key: bool
    """Whether a key comes next; never in a list."""
    key: Any = None
    nodes: int = 1
    merges: list[Any] = field(default_factory=list)


class _Builder:
    """Turns parser events into data and positions."""

    def __init__(self, file: str, lines: tuple[str, ...]) -> None:
        self.file, self.lines = file, lines
        self.root: Any = None
        self.keys: dict[SpecPath, _Range] = {}
        self.values: dict[SpecPath, _Range] = {}
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.nodes = 0
        self.documents = 0

    def take(self, event: Any) -> None:
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            self._refuse("FF104", "a second document starts here", event, "one spec per file: split it at `---`")

    def _tag(self, event: Any) -> None:
        if event.tag not in (None, "!") and not event.tag.startswith("tag:yaml.org,2002:str"):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._refuse("FF106", f"the tag `{tag}` is not allowed", event, "write a plain value")

    def _scalar(self, event: Any) -> None:
        self._tag(event)
        if self._expects_key():
            self._take_key(event.value, event)
            return
        plain = event.implicit[0] and event.style in (None, "")
        value = self._number(event) if plain and event.value[:1] in _NUMBER_STARTS else event.value
        value = _CONSTANTS.get(value, value) if plain and isinstance(value, str) else value
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self._add(value, event, 1)

    def _number(self, event: Any) -> Any:
        """Return the number that a plain scalar writes, or its text. Raise FF113 where no number can hold what it writes."""
        value, problem = _resolve(event.value)
        if problem:
            shown = event.value if len(event.value) <= 40 else f"{event.value[:37]}..."
            self._refuse("FF113", f"`{shown}` {problem}", event, "write a smaller number; put it in quotes if it is text")
        return value

    def _mapping(self, event: Any) -> None:
        self._open(event, {})

    def _sequence(self, event: Any) -> None:
        self._open(event, [])

    def _open(self, event: Any, value: dict[Any, Any] | list[Any]) -> None:
        self._tag(event)
        if self._expects_key():
            self._refuse("FF101", "a key must be plain text", event, "")
        if len(self.stack) >= MAX_DEPTH:
            self._refuse("FF110", f"nested deeper than {MAX_DEPTH} levels", event, "")
        self.stack.append(_Frame(value, self._path(), event.anchor, event.start_mark, isinstance(value, dict)))

    def _close(self, event: Any) -> None:
        frame = self.stack.pop()
        for merged in frame.merges:
            if isinstance(frame.value, dict):
                for key, value in merged.items():
                    if key not in frame.value:
                        frame.value[key] = value
                        self.keys[(*frame.path, key)] = self.values[(*frame.path, key)] = self.keys[(*frame.path, "<<")]
        if frame.anchor:
            self.anchors[frame.anchor] = (frame.value, frame.nodes)
        self._add(frame.value, event, frame.nodes, frame.start)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            self._refuse("FF101", f"the alias `*{event.anchor}` has no preceding anchor", event, "")
        value, nodes = self.anchors[event.anchor]
        if self._expects_key():
            self._refuse("FF101", "a key must be plain text", event, "")
        self._add(value, event, nodes)

    def _add(self, value: Any, event: Any, nodes: int, start: Any = None) -> None:
        path = self._path()
        begin, end = start or event.start_mark, event.end_mark
        self.values[path] = (begin.line, begin.column, end.line, max(end.column, begin.column + 1))
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        frame.nodes += nodes
        self.nodes = max(self.nodes, frame.nodes)
        if self.nodes > MAX_NODES:
            what, hint = (
                ("aliases expand to", "write the values out") if self.anchors else ("the file holds", "is this the dataset?")
            )
            self._refuse("FF105", f"{what} more than {MAX_NODES:,} values", event, hint)
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.key == "<<":
            self._merge(frame, value, event, start)
            frame.expects_key = True
        else:
            frame.value[frame.key] = value
            frame.expects_key = True

    def _merge(self, frame: _Frame, value: Any, event: Any, start: Any) -> None:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            self._refuse("FF101", "`<<` needs a mapping", event, "", start)
        frame.merges.extend(sources)

    def _expects_key(self) -> bool:
        return bool(self.stack) and self.stack[-1].expects_key

    def _take_key(self, key: str, event: Any) -> None:
        frame = self.stack[-1]
        path = (*frame.path, key)
        if key != "<<" and path in self.keys and path in self.values:
            first = self.keys[path][0] + 1
            self._refuse("FF103", f"duplicate key `{key}`, first set in line {first}", event, "keep one of them")
        frame.key, frame.expects_key = key, False
        begin, end = event.start_mark, event.end_mark
        self.keys[path] = (begin.line, begin.column, end.line, end.column)

    def _path(self) -> SpecPath:
        if not self.stack:
            return ()
        frame = self.stack[-1]
        return (*frame.path, len(frame.value) if isinstance(frame.value, list) else frame.key)

    def _refuse(self, code: str, message: str, event: Any, hint: str, start: Any = None) -> NoReturn:
        begin, end = start or event.start_mark, event.end_mark
        place = (begin.line, begin.column, end.line, max(end.column, begin.column + 1))
        raise FineforgeError(Diagnostic(code, message, span=_span(self.file, self.lines, place), hint=hint))


_HANDLERS: Mapping[type, Callable[[_Builder, Any], None]] = {
    yaml.ScalarEvent: _Builder._scalar,
    yaml.MappingStartEvent: _Builder._mapping,
    yaml.SequenceStartEvent: _Builder._sequence,
    yaml.MappingEndEvent: _Builder._close,
    yaml.SequenceEndEvent: _Builder._close,
    yaml.AliasEvent: _Builder._alias,
    yaml.DocumentStartEvent: _Builder._document,
}


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
