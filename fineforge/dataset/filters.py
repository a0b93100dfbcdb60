"""`filter`: a CEL expression over a row. Rows are judged in a child process, with limits of time and memory."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fineforge.config import cel
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.objects import SpecPath
from fineforge.host import worker

SECONDS, SECONDS_PER_ROW = worker.SECONDS, 0.01
"""Time that a filter may take: so much, and so much more for each row. A usual filter takes 0.00002 seconds per row."""


Item = tuple[bool, bytes]
"""A row for the child: True and its line of JSON, or False and its pickled value."""


def item(line: bytes | None, value: Any) -> Item:
    """Return a row for the child, which parses lines: the parent parses only those that are kept."""
    if value is None and line is not None:
        return True, line
    try:
        return False, pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except RecursionError:
        return True, b""


@dataclass(slots=True)
class Filter:
    """A filter while it is applied to the rows of a split."""

    expression: str
    path: SpecPath
    seconds: float = SECONDS
    rows: int = 0
    waited: float = 0.0
    """Seconds."""

    def submit(self, rows: Sequence[Item]) -> worker.Pending:
        """Begin to judge rows. `judged` ends it."""
        self.rows += len(rows)
        return worker.submit(_judge_in, self.expression, rows, self.seconds + SECONDS_PER_ROW * self.rows - self.waited)

    def judged(self, pending: worker.Pending) -> list[bool | str | None]:
        """Return for each row whether it is kept, or why it cannot be judged, without quoting it. Raises TooMuch.

        None for a row that cannot be parsed or is not an object.
        """
        begin = time.monotonic()
        try:
            return pending.result()
        except worker.WorkerError as error:
            raise TooMuch(str(error), error.item) from None
        finally:
            self.waited += time.monotonic() - begin


class TooMuch(Exception):
    """The filter was stopped: why, and the index of the row within its batch."""


def too_much(reason: str, row: str, path: SpecPath) -> FineforgeError:
    hint = "avoid nested loops over long lists, or shorten the row"
    return FineforgeError(Diagnostic("FF632", f"the filter {reason} and was stopped at {row}", path=path, hint=hint))


def compiled(expression: str, path: SpecPath) -> Any:
    """Return the compiled expression, with `execute(row)` and `variables()`. Raises FineforgeError (FF623)."""
    try:
        return cel.compiled(expression)
    except cel.NotUnderstood as error:
        hint = 'write CEL, for example `size(messages) > 2 && lang == "en"`'
        raise FineforgeError(Diagnostic("FF623", f"invalid filter: {error}", path=path, hint=hint)) from None


def columns(expression: str, path: SpecPath) -> tuple[str, ...]:
    """Return the columns that the expression uses."""
    return cel.names(expression, compiled(expression, path))


def _judge_in(expression: str) -> Callable[[Item], bool | str | None]:
    """Return the function that judges a row. Called in the child."""
    program = cel.compiled(expression)
    return partial(_judge, program, program.variables())


def _judge(program: Any, names: Sequence[str], item: Item) -> bool | str | None:
    is_line, data = item
    try:
        row = json.loads(data.decode("utf-8")) if is_line else pickle.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    try:
        answer = program.execute({name: row[name] for name in names if name in row})
    except MemoryError:
        raise
    except Exception as error:  # the library's errors are of many builtin types
        return _why(error)
    if isinstance(answer, bool):
        return answer
    return f"the result must be true or false, got {_KINDS.get(type(answer), 'another type')}"


_KINDS = {int: "a number", float: "a number", str: "text", list: "a list", dict: "an object", type(None): "nothing"}


def _why(error: Exception) -> str:
    """Return what failed, without the row's values, which the library's own message may quote."""
    match error:
        case KeyError():
            return "the row has no such key"
        case IndexError():
            return "the index is past the end of a list"
        case RuntimeError() if name := cel.unknown_name(error):
            return f"unknown column or function `{name}`"
        case TypeError():
            return "it combines values of different types"
        case OverflowError():
            return "a number is too large"
    return "it cannot be evaluated"
