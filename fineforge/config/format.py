"""The canonical form of a file that people write: its keys in the order of the models, everything else as it was written.

Whole lines move, never what is in them: a comment belongs to the key that it stands above, or behind, and goes where that goes.
Nothing is written anew from the data, so numbers, quotes and spaces stay. Reading and writing files is the command line's. Why
not a library: docs/decisions/0013-formatting.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel

from fineforge.config import project, source
from fineforge.config.compose import OVERLAYS
from fineforge.config.policy import RulesFile
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import FineforgeError


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a mapping's keys, and of what is in it. Without `keys`, they stay as they are."""

    keys: tuple[str, ...] = ()
    inside: dict[str, Order] = field(default_factory=dict)
    """By key; `*` is any other key, and the entries of a list."""

    def below(self, key: str) -> Order:
        return self.inside.get(key) or self.inside.get("*") or _AS_WRITTEN

    def rank(self, key: str) -> int:
        """Keys that nobody knows come last."""
        return self.keys.index(key) if key in self.keys else len(self.keys)


_AS_WRITTEN = Order()


def formatted(content: bytes, file: str, name: str) -> bytes:
    """The file in its canonical form; `name` is the file's own name, which tells what it is.

    Raises FineforgeError (FF1xx) for what is no YAML that we would read. A file with anchors keeps its order, for an alias may
    not come before what it repeats; one that would mean something else in another order stays as it is.
    """
    parsed = source.load(content, file)
    text = content.decode("utf-8-sig")
    newline = "\r\n" if "\r\n" in text else "\n"
    root = yaml.compose(text, Loader=source.LOADER)
    page = _Page(text.splitlines())
    lines = _tidy(root, page.lines if _has_anchors(text) else page.top(root, _order(name, parsed.data)))
    made = "\n".join(lines) + "\n"
    return made.replace("\n", newline).encode() if _says_the_same(text, made, parsed.data) else content


def _order(name: str, data: dict[str, Any]) -> Order:
    if name == project.FILE_NAME:
        return _project()
    if name.startswith("fineforge.") or not ({"rules", "tests"} & data.keys()) or "model" in data:
        return _spec()
    return _of(RulesFile)


@cache
def _spec() -> Order:
    spec = _of(Spec)
    return Order((*spec.keys, OVERLAYS), {**spec.inside, OVERLAYS: Order((), {"*": spec})})


@cache
def _project() -> Order:
    found = _of(project.File)
    return replace(found, inside={**found.inside, "defaults": _spec()})


def _of(annotation: Any) -> Order:
    """The order that a type stands for."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {entry.alias or name: entry.annotation for name, entry in annotation.model_fields.items()}
        return Order(tuple(fields), {name: _of(inner) for name, inner in fields.items()})
    arguments = [inner for inner in get_args(annotation) if inner is not type(None)]
    if get_origin(annotation) in (dict, tuple, list):
        return Order((), {"*": _of(arguments[-1] if get_origin(annotation) is dict else arguments[0])})
    return next((found for inner in arguments if (found := _of(inner)) != _AS_WRITTEN), _AS_WRITTEN)


def _has_anchors(text: str) -> bool:
    return any(getattr(event, "anchor", None) for event in yaml.parse(text, Loader=source.LOADER))


def _says_the_same(before: str, after: str, data: dict[str, Any]) -> bool:
    """Whether nothing was lost or changed, comments included. Text that ends a file without a line break is one line break more
    where it stands elsewhere."""
    letters = [Counter(letter for letter in text if not letter.isspace()) for text in (before, after)]
    try:
        return letters[0] == letters[1] and source.load(after.encode(), "").data == data
    except FineforgeError:
        return False


@dataclass(frozen=True, slots=True)
class _Entry:
    """One key of a block mapping with all that goes where it goes."""

    key: str
    blank: tuple[str, ...]
    """Empty lines above it."""
    comments: tuple[str, ...]
    lines: tuple[str, ...]
    """From the key's own column on in the first line, whole lines after it."""


@dataclass(frozen=True, slots=True)
class _Page:
    """The lines of a file. Ranges of lines are half open, counted from 0."""

    lines: list[str]

    def top(self, root: Any, order: Order) -> list[str]:
        """The whole file. What stands above its first key, up to an empty line, is about the file; so is what ends it."""
        if root.flow_style:
            return self._any(root, order, 0, len(self.lines))
        first, last = root.value[0][0].start_mark.line, _last(root)
        above = (number for number in range(first - 1, -1, -1) if self.lines[number].strip() in ("", "---"))
        head = next(above, first - 1) + 1
        return [*self.lines[:head], *self._mapping(root, order, head, last + 1), *self.lines[last + 1 :]]

    def _any(self, node: Any, order: Order, start: int, end: int) -> list[str]:
        """The lines of a range in which a node lies, and nothing but it, comments and what leads to it."""
        if isinstance(node, yaml.ScalarNode):
            return self.lines[start:end]
        if node.flow_style:
            return self._flow(node, order, start, end)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node, order, start, end)
        inner = min(start + 1, node.value[0][0].start_mark.line)
        return [*self.lines[start:inner], *self._mapping(node, order, inner, end)]

    def _sequence(self, node: Any, order: Order, start: int, end: int) -> list[str]:
        made, at = list[str](), start
        for item in node.value:
            first, last = item.start_mark.line, _last(item)
            made += [*self.lines[at:first], *self._any(item, order.below("*"), first, last + 1)]
            at = last + 1
        return made + self.lines[at:end]

    def _mapping(self, node: Any, order: Order, start: int, end: int) -> list[str]:
        """Of the lines above the first key, those up to an empty one are about the mapping, not about the key."""
        column = node.value[0][0].start_mark.column
        first, last = node.value[0][0].start_mark.line, _last(node)
        prefix = self.lines[first][:column]
        head = [number for number in range(start, first) if not self.lines[number].strip()][-1:]
        begin = head[0] + 1 if head else start
        entries = self._entries(node, order, begin, column)
        ranked = sorted(entries, key=lambda entry: order.rank(entry.key)) if order.keys else entries
        if ranked[0] is not entries[0]:
            ranked = _without_gap(ranked, entries[0])
        made = self.lines[start:begin]
        for number, entry in enumerate(ranked):
            own = prefix if number == 0 else " " * column
            comments = entry.comments
            if number == 0 and prefix.strip():  # behind the dash of a list's entry there is no room above
                comments = tuple(prefix[: len(prefix) - len(prefix.lstrip())] + line.lstrip() for line in comments)
            made += [*entry.blank, *comments, own + entry.lines[0], *entry.lines[1:]]
        return made + self.lines[last + 1 : end]

    def _entries(self, node: Any, order: Order, begin: int, column: int) -> list[_Entry]:
        found: list[_Entry] = []
        above = begin
        for number, (key, value) in enumerate(node.value):
            line, last = key.start_mark.line, _last(value)
            following = node.value[number + 1][0].start_mark.line if number + 1 < len(node.value) else last + 1
            end = self._end(last + 1, following, column)
            body = self._any(value, order.below(key.value), line, last + 1)
            body[0] = body[0][column:]
            over = self.lines[above:line]
            blanks = next((at for at, text in enumerate(over) if text.strip()), len(over))
            rest = self.lines[last + 1 : end]
            found.append(_Entry(key.value, tuple(over[:blanks]), tuple(over[blanks:]), (*body, *rest)))
            above = end
        return found

    def _end(self, start: int, following: int, column: int) -> int:
        """Where the comments below an entry stop being its own: those further in than its key are; so are those right below it
        with an empty line before the next key."""
        end = start
        for number in range(start, following):
            text = self.lines[number].strip()
            if text and len(self.lines[number]) - len(self.lines[number].lstrip()) > column:
                end = number + 1
        close = end
        while close < following and self.lines[close].strip():
            close += 1
        return close if close < following else end

    def _flow(self, node: Any, order: Order, start: int, end: int) -> list[str]:
        """Entries change places; what stands between them stays. One of several lines with a comment in it stays as it is."""
        lines = self.lines[start:end]
        text = "\n".join(lines)
        offsets = [0]
        for line in lines:
            offsets.append(offsets[-1] + len(line) + 1)

        def at(mark: Any) -> int:
            return int(offsets[mark.line - start] + mark.column)

        edges = [at(node.start_mark), *(at(mark) for leaf in _scalars(node) for mark in (leaf.start_mark, leaf.end_mark))]
        between = zip(edges[::2], [*edges[1::2], at(node.end_mark)], strict=True)
        if any("#" in text[begin:stop] for begin, stop in between):
            return lines
        whole = text[: at(node.start_mark)] + _flow_text(node, order, text, at) + text[at(node.end_mark) :]
        return whole.split("\n")


def _without_gap(ranked: list[_Entry], first: _Entry) -> list[_Entry]:
    """What comes first now has the empty lines above it of what came first, and the other way round."""
    now = ranked[0]
    changed = {id(now): replace(now, blank=first.blank), id(first): replace(first, blank=now.blank)}
    return [changed.get(id(entry), entry) for entry in ranked]


def _flow_text(node: Any, order: Order, text: str, at: Callable[[Any], int]) -> str:
    if isinstance(node, yaml.ScalarNode):
        return text[at(node.start_mark) : at(node.end_mark)]
    pieces: list[tuple[int, int, str]] = []
    ranks: list[int] = []
    for entry in node.value:
        key, value = entry if isinstance(node, yaml.MappingNode) else (None, entry)
        below = order.below(key.value if key is not None else "*")
        begin = at((key or value).start_mark)
        inner = text[begin : at(value.start_mark)] + _flow_text(value, below, text, at)
        pieces.append((begin, at(value.end_mark), inner))
        ranks.append(order.rank(key.value) if key is not None and order.keys else 0)
    chosen = sorted(range(len(pieces)), key=lambda number: ranks[number])
    made, done = "", at(node.start_mark)
    for slot, number in enumerate(chosen):
        made += text[done : pieces[slot][0]] + pieces[number][2]
        done = pieces[slot][1]
    return made + text[done : at(node.end_mark)]


def _last(node: Any) -> int:
    """The last line of a node's own text. The parser's end of a block is where the next thing begins."""
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return max(int(node.start_mark.line), int(node.end_mark.line) - (node.end_mark.column == 0))
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.line)
    last = node.value[-1]
    return _last(last[1] if isinstance(node, yaml.MappingNode) else last)


def _tidy(root: Any, lines: list[str]) -> list[str]:
    """No spaces at the ends of lines, and no empty lines at the end of the file. Where text goes over several lines, both may be
    part of it: then they stay."""
    if any(node.end_mark.line > node.start_mark.line for node in _scalars(root)):
        return lines
    return "\n".join(line.rstrip() for line in lines).rstrip("\n").split("\n")


def _scalars(node: Any) -> list[Any]:
    if isinstance(node, yaml.ScalarNode):
        return [node]
    children = [child for entry in node.value for child in (entry if isinstance(entry, tuple) else (entry,))]
    return [scalar for child in children for scalar in _scalars(child)]
