"""Evaluate a rule: its conditions, what it forbids, and its message. Runs in `fineforge.host.worker`, so it imports little."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from fineforge.config import cel
from fineforge.core.redaction import redact

SEEN = ("plan", "spec", "with")
"""The names that an expression may use."""
_MOST = 20
"""Entries of a list that a message shows."""
_LONGEST = 2000
"""Characters of a message."""


@dataclass(frozen=True, slots=True)
class Expression:
    text: str


@dataclass(frozen=True, slots=True)
class Test:
    """What is evaluated of a rule."""

    broken: Expression
    when: tuple[Expression, ...]
    """All of them must be true."""
    message: tuple[str | Expression, ...]
    values: Mapping[str, Any]
    """What expressions see as `with`."""


class _Failed(Exception):
    """Why an expression has no value."""


def evaluator(values: Mapping[str, Any]) -> Callable[[Test], tuple[str, str]]:
    """Return the function that evaluates a test over `plan` and `spec`, each where there is one.

    It returns the message if the rule is broken, and why it could not be evaluated. A rule whose message fails has both.
    """
    return partial(_evaluate, cel.context(values))


def _evaluate(known: Any, test: Test) -> tuple[str, str]:
    known.add_variable("with", dict(test.values))
    try:
        broken = all(_truth(condition, known) for condition in test.when) and _truth(test.broken, known)
    except _Failed as failure:
        return "", str(failure)
    return _message(test, known) if broken else ("", "")


_compiled = lru_cache(maxsize=512)(cel.compiled)


def _truth(expression: Expression, known: Any) -> bool:
    answer = _value(expression, known)
    if not isinstance(answer, bool):
        raise _Failed(f"`{_short(expression.text)}` must be true or false, got {_shown(answer)}")
    return answer


def _value(expression: Expression, known: Any) -> Any:
    try:
        return _compiled(expression.text).execute(known)
    except MemoryError:
        raise
    except Exception as error:  # the library's errors are of many builtin types
        raise _Failed(f"`{_short(expression.text)}`: {_why(error)}") from None


def _why(error: Exception) -> str:
    match error:
        case KeyError():
            return f"there is no `{error.args[0]}`"
        case IndexError():
            return "the index is past the end of a list"
        case RuntimeError() if name := cel.unknown_name(error):
            return f"there is no `{name}` here" if name in SEEN else f"unknown function `{name}`"
        case TypeError():
            return "it combines values of different types"
    return "it cannot be evaluated"


def _message(test: Test, known: Any) -> tuple[str, str]:
    """Return the message with its values, and why one of them has none, which makes the rule no less broken."""
    parts, failure = [], ""
    for part in test.message:
        try:
            parts.append(part if isinstance(part, str) else _shown(_value(part, known)))
        except _Failed as error:
            parts.append("?")
            failure = str(error)
    return _short(redact(" ".join("".join(parts).split())), _LONGEST), failure


def _shown(value: Any) -> str:
    """Return a value as a message shows it: text unchanged, a list as its entries."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if isinstance(value, list):
        listed = ", ".join(_shown(entry) for entry in value[:_MOST]) or "nothing"
        return f"{listed} and {len(value) - _MOST} more" if len(value) > _MOST else listed
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(entry)}" for key, entry in sorted(value.items())[:_MOST])
    return _short(str(value), 200)


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
