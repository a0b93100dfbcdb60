"""Diagnostics in the JSON shape that programs read."""

from __future__ import annotations

from fineforge.core.diagnostics import Diagnostic


def as_data(diagnostic: Diagnostic) -> dict[str, object]:
    """For JSON: `path` is dotted, `range` is null where no file is at fault."""
    span = diagnostic.span
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "path": ".".join(str(part) for part in diagnostic.path),
        "range": None
        if span is None
        else {
            "file": span.file,
            "start": {"line": span.line, "column": span.column},
            "end": {"line": span.end_line, "column": span.end_column},
        },
    }
