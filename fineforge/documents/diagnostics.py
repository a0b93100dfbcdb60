"""Diagnostics in the JSON shape that programs read."""

from __future__ import annotations

from fineforge.core.diagnostics import Diagnostic
from fineforge.documents.shapes import Position, Problem, Range


def problem(diagnostic: Diagnostic) -> Problem:
    """Return the shape: `path` is dotted, `range` is None where no file is at fault."""
    span = diagnostic.span
    place = None
    if span is not None:
        place = Range(span.file, Position(span.line, span.column), Position(span.end_line, span.end_column))
    path = ".".join(str(part) for part in diagnostic.path)
    return Problem(diagnostic.code, diagnostic.severity.value, diagnostic.message, diagnostic.hint, path, place)
