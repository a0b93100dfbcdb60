"""Colour by meaning, and the width of text on a terminal.

Every view reads the same without colour: a colour repeats what a word or a symbol says. Which stream may be coloured is decided
by whoever owns the stream.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from dataclasses import dataclass

MINIMUM_WIDTH = 40

_CODES = {
    "add": "32",
    "change": "33",
    "remove": "31",
    "busy": "36",
    "quiet": "2",
    "strong": "1",
    "error": "1;31",
    "warning": "1;33",
    "note": "1;34",
    "hint": "1;36",
}


@dataclass(frozen=True, slots=True)
class Paint:
    """How a view writes: with colour or without, and how wide."""

    colour: bool = False
    width: int = 80

    def __call__(self, role: str, text: str) -> str:
        """`text` in the colour of its role; a role without a colour leaves it as it is."""
        code = _CODES.get(role)
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code and text else text

    def wrap(self, text: str, indent: str = "", after: str | None = None) -> list[str]:
        """Lines no wider than the terminal, the first one indented by `indent`, the others by `after`. A long word stands out."""
        width = max(self.width, MINIMUM_WIDTH)
        lines = textwrap.wrap(
            visible(text),
            width,
            initial_indent=indent,
            subsequent_indent=indent if after is None else after,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return lines or [indent.rstrip()]


def visible(text: str) -> str:
    """Text that cannot move the cursor: control characters, which may come from a service or a file, become `?`."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "?", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The same for a name: a newline or a tab is not part of a line."""
    return re.sub(r"[\t\n\u2028\u2029]", "?", visible(text))


def inert(text: str) -> str:
    """Text for a CI log, without commands to its runner: `::name::`, `##[name]`, and `##vso[name]` of Azure Pipelines."""
    parted = re.sub(r"(?m)^(\s*):(?=:)", r"\1: ", text)
    return re.sub(r"#(?=#(?:vso)?\[)", "# ", parted)


def plain_json(text: str) -> str:
    """JSON with everything escaped that could move a cursor, turn writing round, or end a line for whoever reads it by lines."""
    return re.sub(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069]", lambda found: f"\\u{ord(found.group()):04x}", text)


def cells(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    return sum(_cell(character) for character in text)


def pad(text: str, width: int) -> str:
    return text + " " * max(0, width - cells(text))


def _cell(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
