"""Diagnostics for code review: SARIF for code scanning, workflow commands for annotations. Both show the same diagnostics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fineforge import __version__
from fineforge.core.codes import CODES
from fineforge.core.diagnostics import Diagnostic, Severity, SourceSpan
from fineforge.core.redaction import redact
from fineforge.views.paint import visible

Found = Mapping[str, Sequence[Diagnostic]]
"""What is wrong with each file; those of none are under the empty path."""
Place = Callable[[str], str]
"""A path as it is named within the repository."""

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(found: Found, place: Place) -> dict[str, Any]:
    """A log of SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html): one run, a rule for each code."""
    listed = [*_each(found)]
    rules = sorted({diagnostic.code for _, diagnostic in listed})
    driver = {"name": "fineforge", "semanticVersion": __version__, "rules": [_rule(code) for code in rules]}
    results = [_result(path, diagnostic, rules.index(diagnostic.code), place) for path, diagnostic in listed]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def workflow_commands(found: Found, place: Place) -> str:
    """A workflow command a diagnostic, a line each; empty where nothing is wrong.

    The words: https://docs.github.com/actions/reference/workflow-commands-for-github-actions; what is escaped: command.ts of
    `actions/toolkit`.
    """
    return "\n".join(_annotation(path, diagnostic, place) for path, diagnostic in _each(found))


def _each(found: Found) -> Iterable[tuple[str, Diagnostic]]:
    return dict.fromkeys((path, diagnostic) for path, entries in found.items() for diagnostic in entries)


def _rule(code: str) -> dict[str, Any]:
    row = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": _sarif_text(row.title)},
        "fullDescription": {"text": _sarif_text(row.explanation)},
        "help": {"text": _sarif_text(f"{row.explanation}\n`fineforge explain {code}` says the same.")},
    }


def _result(path: str, diagnostic: Diagnostic, rule: int, place: Place) -> dict[str, Any]:
    where = _location(path, diagnostic.span, place)
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity.value,
        "message": {"text": _sarif_text(_told(diagnostic))},
        "locations": [where] if where else [],
    }


def _location(path: str, span: SourceSpan | None, place: Place) -> dict[str, Any] | None:
    """Code scanning shows only what has a line; what is wrong with a file as a whole is shown at its first."""
    if span is None and not path:
        return None
    region: dict[str, Any] = {"startLine": 1}
    if span is not None:
        region = {"startLine": span.line, "startColumn": span.column, "endLine": span.end_line, "endColumn": span.end_column}
    artifact = {"uri": quote(place(span.file if span is not None else path)), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}


def _sarif_text(text: str) -> str:
    """Braces are doubled, for single ones hold a place (3.11.5); a bracket would begin a link (3.11.6)."""
    return re.sub(r"([\[\]\\])", r"\\\1", text).replace("{", "{{").replace("}", "}}")


def _annotation(path: str, diagnostic: Diagnostic, place: Place) -> str:
    span = diagnostic.span
    told: dict[str, object] = {}
    if span is not None:
        told = {"file": place(span.file), "line": span.line, "col": span.column, "endLine": span.end_line}
    elif path:
        told = {"file": place(path), "line": 1}
    told["title"] = f"{diagnostic.code}: {CODES[diagnostic.code].title}"
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in told.items())
    return f"::{_LEVELS[diagnostic.severity]} {properties}::{_message(_told(diagnostic))}"


_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(visible(text)).replace(":", "%3A").replace(",", "%2C")


def _told(diagnostic: Diagnostic) -> str:
    hint = f"\nhint: {diagnostic.hint}" if diagnostic.hint else ""
    return visible(redact(diagnostic.message + hint))
