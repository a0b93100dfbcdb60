"""`filter`: an expression over a row in CEL. What CEL is, and how it is bounded, is `fineforge.config.cel`'s."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fineforge.config import cel
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.objects import SpecPath

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
            raise Failed(f"the result must be true or false, got {_KINDS.get(type(answer), 'another type')}")
        return answer

    return judge


def compiled(expression: str, path: SpecPath) -> Any:
    """The compiled expression: `execute(row)`, `variables()`. Raises FineforgeError (FF623)."""
    try:
        return cel.compiled(expression)
    except cel.NotUnderstood as error:
        hint = 'it is CEL, as in `size(messages) > 2 && lang == "en"`'
        raise FineforgeError(Diagnostic("FF623", f"the filter is not understood: {error}", path=path, hint=hint)) from None


def columns(expression: str, path: SpecPath) -> tuple[str, ...]:
    """The columns that the expression asks for."""
    return cel.names(expression, compiled(expression, path))


_KINDS = {int: "a number", float: "a number", str: "text", list: "a list", dict: "an object", type(None): "nothing"}


def _why(error: Exception) -> str:
    """What failed, without the row's values, which the library's own words may quote."""
    match error:
        case KeyError():
            return "it asks for a key that the row does not have"
        case IndexError():
            return "the index is past the end of a list"
        case RuntimeError() if name := cel.unknown_name(error):
            return f"there is no column or function `{name}`"
        case TypeError():
            return "it combines values of different types"
        case OverflowError():
            return "a number is too large for it"
    return "it cannot be evaluated"
