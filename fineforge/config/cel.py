"""Expressions in CEL, the Common Expression Language: parsed, bounded, and why they fail in a user's words.

CEL knows no loops without end, no files and no names but those that it is given, so a file from somebody else may hold one. What
is left to bound is how much a loop multiplies. The only module that imports `cel`; what expressions are about is elsewhere. Why
this language and this library: docs/decisions/0007-datasets.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_CHARACTERS = 2000
MAX_NESTING = 2
"""Loops within loops: each one multiplies the work by the length of a list."""
MAX_LOOPS = 8
MAX_MAPS = 2
"""`map` alone makes something larger than what it was given: `l.map(x, [x, x])`, one after the other, doubles each time."""


class NotUnderstood(Exception):
    """What is no expression, or one that might take too long; in words."""


def compiled(expression: str) -> Any:
    """The compiled expression: `execute(values)`, `variables()`. Raises NotUnderstood."""
    import cel

    if reason := _too_much(expression):
        raise NotUnderstood(f"it would take too long: {reason}")
    try:
        return cel.compile(expression)
    except (ValueError, TypeError, RuntimeError, RecursionError) as error:
        raise NotUnderstood(_what(error)) from None


def context(values: Mapping[str, Any]) -> Any:
    """Values that many expressions are to see, for `execute`: converted once. `add_variable` adds to it, or replaces."""
    import cel

    made = cel.Context()
    for name, value in values.items():
        made.add_variable(name, value)
    return made


def names(expression: str, program: Any) -> tuple[str, ...]:
    """The names that an expression asks for, without those of its own loops."""
    of_loops = set(re.findall(rf"{_LOOP}\s*(\w+)\s*,", expression))
    return tuple(sorted(set(program.variables()) - of_loops))


def unknown_name(error: Exception) -> str:
    """The variable or function that an error says is not there; empty where it says something else."""
    found = re.search(r"variable or function: '(\w+)'", str(error)) if isinstance(error, RuntimeError) else None
    return found[1] if found else ""


_LOOP = r"\.\s*(?:all|exists|exists_one|map|filter)\s*\("
_TEXT = re.compile(
    r"//[^\n]*"
    r"|\b(?:[bB]?[rR]|[rR][bB])(?:\"\"\".*?\"\"\"|'''.*?'''|\"[^\"\n]*\"|'[^'\n]*')"
    r"|\"\"\"(?:\\.|.)*?\"\"\"|'''(?:\\.|.)*?'''"
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
    re.DOTALL,
)
"""Comments and literals; what looks like a loop within them is none."""


def _too_much(expression: str) -> str:
    bare = _TEXT.sub("''", expression)
    maps = len(re.findall(r"\.\s*map\s*\(", bare))
    if len(expression) > MAX_CHARACTERS:
        return f"it is longer than {MAX_CHARACTERS:,} characters"
    if _nesting(bare) > MAX_NESTING:
        return f"loops (`all`, `exists`, `map`, `filter`) are nested more than {MAX_NESTING} deep"
    if len(re.findall(_LOOP, bare)) > MAX_LOOPS:
        return f"it has more than {MAX_LOOPS} loops (`all`, `exists`, `map`, `filter`)"
    return f"it uses `map` more than {MAX_MAPS} times" if maps > MAX_MAPS else ""


def _nesting(bare: str) -> int:
    """How deep the loops of an expression without literals stand in each other, by its parentheses."""
    deepest, opened = 0, list[bool]()
    for token in re.findall(rf"{_LOOP}|\(|\)", bare):
        if token != ")":
            opened.append(token != "(")
        elif opened:
            opened.pop()
        deepest = max(deepest, sum(opened))
    return deepest


def _what(error: Exception) -> str:
    """The parser's first words, without the list of all that it would have taken."""
    found = re.search(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)", str(error))
    if not found:
        return "it cannot be parsed"
    words = re.sub(r" expecting \{.*", "", found[3])
    for theirs, ours in _WORDS.items():
        words = words.replace(theirs, ours)
    return f"{words} (character {found[2]})" if found[1] == "1" else f"{words} (line {found[1]}, character {found[2]})"


_WORDS = {
    "mismatched input": "unexpected",
    "extraneous input": "unexpected",
    "no viable alternative at input": "unexpected",
    "token recognition error at:": "unexpected",
    "'<EOF>'": "end",
    "<EOF>": "the end",
    "'": "`",
}
