"""Expressions in CEL, the Common Expression Language: compile them, and explain errors in a user's words.

CEL has no endless loops, no files and no names but those that it is given. Yet loops over lists take quadratic time and more, so
expressions are compiled here and evaluated in `fineforge.host.worker`. The only module that imports `cel`. Why this language and
this library: docs/decisions/0007-datasets.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_CHARACTERS = 2000


class NotUnderstood(Exception):
    """The text is not a valid expression, or is too long. Its message says why."""


def compiled(expression: str) -> Any:
    """Return the compiled expression, with `execute(values)` and `variables()`. Raises NotUnderstood."""
    import cel

    if len(expression) > MAX_CHARACTERS:
        raise NotUnderstood(f"it has more than {MAX_CHARACTERS:,} characters")
    try:
        return cel.compile(expression)
    except (ValueError, TypeError, RuntimeError, RecursionError) as error:
        raise NotUnderstood(_what(error)) from None


def context(values: Mapping[str, Any]) -> Any:
    """Return values that many expressions use, for `execute`: converted once. `add_variable` adds a value or replaces it."""
    import cel

    known = cel.Context()
    for name, value in values.items():
        known.add_variable(name, value)
    return known


def names(expression: str, program: Any) -> tuple[str, ...]:
    """Return the names that an expression uses, without the variables of its own loops.

    The library lists both as one, so loops are found by their text. A name within quotes can only shorten the result.
    """
    variables = set(re.findall(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*(\w+)\s*,", expression))
    return tuple(sorted(set(program.variables()) - variables))


def unknown_name(error: Exception) -> str:
    """Return the variable or function that an error reports as unknown; empty for any other error."""
    found = re.search(r"variable or function: '(\w+)'", str(error)) if isinstance(error, RuntimeError) else None
    return found[1] if found else ""


def _what(error: Exception) -> str:
    """Return the parser's message without its list of all tokens that it would have accepted."""
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
