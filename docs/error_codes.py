"""Writes docs/error-codes.md from the table of codes; `make docs` runs it, and a test asks whether the page is current."""

from __future__ import annotations

from pathlib import Path

from fineforge.core.codes import CODES

PAGE = Path(__file__).parent / "error-codes.md"

AREAS = {
    "FF0": "The command line",
    "FF1": "The spec, the project file, parameters",
    "FF2": "Templates and rendering",
    "FF3": "Planning and policy",
    "FF4": "Azure",
    "FF5": "Apply",
    "FF6": "Data",
    "FF7": "The emulator",
}


def text() -> str:
    """The whole page."""
    lines = [
        "# Error codes",
        "",
        "Every problem that fineforge reports has a code. `fineforge explain FF120` prints the same text on a terminal.",
        "A code is never used again for something else. This page is written by `make docs` from `fineforge/core/codes.py`.",
    ]
    for prefix, area in AREAS.items():
        rows = {code: entry for code, entry in sorted(CODES.items()) if code.startswith(prefix)}
        if rows:
            lines += ["", f"## {area}"]
        for code, entry in rows.items():
            lines += ["", f'### <a id="{code}"></a>{code}: {entry.title}', "", entry.explanation]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
