"""`filter`: an expression over a row in CEL, the Common Expression Language.

CEL knows no loops without end, no files and no names but the row's columns, so a spec from somebody else may hold one.
Why this language and this library: docs/decisions/0007-datasets.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fineforge.core import SpecPath
from fineforge.diagnostics import Diagnostic, FineforgeError

Keep = Callable[[Mapping[str, Any]], bool]


class Failed(Exception):
    """Why a row cannot be judged, in words that quote nothing of it."""


def keep(expression: str, path: SpecPath) -> Keep:
    """Whether a row is used. The function raises Failed. Raises FineforgeError (FF623) for what is no expression."""
    program = compiled(expression, path)
    names = program.variables()

    def judge(row: Mapping[str, Any]) -> bool:
        try:
            answer = program.execute({name: row[name] for name in names if name in row})
        except Exception as error:  # the library's errors are of many builtin types
            raise Failed(_why(error)) from None
        if not isinstance(answer, bool):
            raise Failed(f"it gives {_KINDS.get(type(answer), 'neither true nor false')}, not true or false")
        return answer

    return judge


def compiled(expression: str, path: SpecPath) -> Any:
    """The compiled expression: `execute(row)`, `variables()`. Raises FineforgeError (FF623)."""
    import cel

    if _nesting(expression) > MAX_NESTING:
        words = f"loops (`all`, `exists`, `map`, `filter`) stand more than {MAX_NESTING} deep in each other"
        raise FineforgeError(Diagnostic("FF623", f"the filter would take too long: {words}", path=path))
    try:
        return cel.compile(expression)
    except (ValueError, TypeError, RuntimeError, RecursionError) as error:
        hint = 'it is CEL, as in `size(messages) > 2 && lang == "en"`'
        raise FineforgeError(Diagnostic("FF623", f"the filter is not understood: {_what(error)}", path=path, hint=hint)) from None


def columns(expression: str, path: SpecPath) -> tuple[str, ...]:
    """The columns that the expression asks for."""
    of_loops = set(re.findall(rf"{_LOOP}\s*(\w+)\s*,", expression))
    return tuple(sorted(set(compiled(expression, path).variables()) - of_loops))


_LOOP = r"\.\s*(?:all|exists|exists_one|map|filter)\s*\("
MAX_NESTING = 2
"""Loops within loops: each one multiplies the work by the length of a row's list."""


def _nesting(expression: str) -> int:
    """How deep the expression's loops stand in each other, by its parentheses; what is within quotes does not count."""
    bare = re.sub(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", "", expression)
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
    found = re.search(r"<input>:\d+:(\d+): (?:Syntax error: )?(.*)", str(error))
    if not found:
        return "it cannot be parsed"
    words = re.sub(r" expecting \{.*", "", found[2])
    for theirs, ours in _WORDS.items():
        words = words.replace(theirs, ours)
    return f"{words} (character {found[1]})"


_WORDS = {
    "mismatched input": "unexpected",
    "extraneous input": "unexpected",
    "no viable alternative at input": "unexpected",
    "token recognition error at:": "unexpected",
    "'<EOF>'": "end",
    "<EOF>": "the end",
    "'": "`",
}


_KINDS = {int: "a number", float: "a number", str: "text", list: "a list", dict: "an object", type(None): "nothing"}


def _why(error: Exception) -> str:
    """What failed, without the row's values, which the library's own words may quote."""
    match error:
        case KeyError():
            return "it asks for a key that the row does not have"
        case IndexError():
            return "it asks for an element beyond a list's end"
        case RuntimeError() if found := re.search(r"variable or function: '(\w+)'", str(error)):
            return f"there is no column or function `{found[1]}`"
        case TypeError():
            return "it compares or joins values of different types"
        case OverflowError():
            return "a number is too large for it"
    return "it cannot be computed"
