"""Diagnostics: how fineforge says that something is wrong.

Here belong the types and the exception that carries them. The table of codes is `fineforge.core.codes`; how a diagnostic looks on
a terminal is `fineforge.views`. Nothing here prints.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class SourceSpan:
    """A piece of a file; lines and columns count from 1, the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    snippet: str = ""
    """The text of `line`, kept so that nobody opens the file again to print it."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    code: str
    """`FF` and three digits; a row of `fineforge.core.codes.CODES`."""
    message: str
    """No full stop; names in backticks."""
    severity: Severity = Severity.ERROR
    path: tuple[str | int, ...] = ()
    """Place in the spec. The producer names it; who owns the file attaches `span`."""
    span: SourceSpan | None = None
    hint: str = ""
    """What to do; printed on its own line as `hint: ...`."""


class FineforgeError(Exception):
    """Carries every diagnostic at once. `exit_code` is what the command line ends with."""

    def __init__(self, *diagnostics: Diagnostic, exit_code: int = 1) -> None:
        super().__init__("; ".join(f"{d.code} {d.message}" for d in diagnostics))
        self.diagnostics = diagnostics
        self.exit_code = exit_code


REFUSALS = frozenset({"FF306", "FF307", "FF320"})
"""Codes with which somebody who may say no says no: protections, gates, policies."""


def refused(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether refusals are all that is wrong: a command then ends with 4."""
    return all(diagnostic.code in REFUSALS for diagnostic in diagnostics)


def did_you_mean(given: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint: the known name that looks like what was given, `otherwise` where none does."""
    near = difflib.get_close_matches(given, list(known), 1)
    return f"did you mean `{near[0]}`?" if near else otherwise


def errors(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Those that stop a plan or an apply."""
    return tuple(d for d in diagnostics if d.severity is Severity.ERROR)
