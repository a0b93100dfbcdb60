"""How a diagnostic looks: code, message, place, the line with a caret below it, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fineforge.core.diagnostics import Diagnostic, Severity, SourceSpan
from fineforge.views.paint import Paint, cells, one_line, visible


def write_all(diagnostics: Iterable[Diagnostic], paint: Paint) -> str:
    """All diagnostics, each once, notes first and close together; a last line counts them where there is more than one."""
    listed = list(dict.fromkeys(diagnostics))
    notes = [write(diagnostic, paint) for diagnostic in listed if diagnostic.severity is Severity.NOTE]
    parts = ["\n".join(notes)] if notes else []
    parts += [write(diagnostic, paint) for diagnostic in listed if diagnostic.severity is not Severity.NOTE]
    if len(listed) > 1:
        parts.append(_count(listed))
    return "\n\n".join(parts)


def write(diagnostic: Diagnostic, paint: Paint) -> str:
    """One diagnostic, without a newline at its end. A note names its place and shows no line of the file."""
    role, span = diagnostic.severity.value, diagnostic.span
    label = f"{role}[{diagnostic.code}]"
    note = diagnostic.severity is Severity.NOTE
    place = f" {one_line(span.file)}:{span.line}:{span.column}" if span is not None and note else ""
    head = paint.wrap(f"{label}{place}: {diagnostic.message}", after="  ")
    lines = [head[0].replace(label, paint(role, label), 1), *head[1:]]
    if span is not None and not note:
        lines += _place(span, role, paint)
    if diagnostic.hint:
        hint = paint.wrap(f"hint: {diagnostic.hint}", "  ", "        ")
        lines += [hint[0].replace("hint:", paint("hint", "hint:"), 1), *hint[1:]]
    return "\n".join(lines)


def _place(span: SourceSpan, role: str, paint: Paint) -> list[str]:
    number = str(span.line)
    gutter = " " * len(number)
    where = f"{gutter}--> {one_line(span.file)}:{span.line}:{span.column}"
    if not span.snippet.strip():
        return [where]
    snippet, start, length = _window(span, max(20, paint.width - len(number) - 3))
    caret = " " * cells(snippet[:start]) + "^" * max(1, cells(snippet[start : start + length]))
    return [
        where,
        f"{gutter} |",
        f"{number} | {snippet}",
        f"{gutter} | {paint(role, caret)}",
    ]


def _window(span: SourceSpan, width: int) -> tuple[str, int, int]:
    """The part of the line that fits, and where in it the fault starts and how long it is. A tab is shown as one character."""
    line = visible(span.snippet.replace("\t", "→"))
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    length = max(1, end - start)
    if cells(line) <= width:
        return line, start, length
    first = max(0, min(start - width // 3, len(line) - width + 2))
    head = "…" if first else ""
    piece = head + line[first : first + width - 2]
    if first + width - 2 < len(line):
        piece += "…"
    shown = start - first + len(head)
    return piece, shown, min(length, max(1, width - shown))


def _count(diagnostics: list[Diagnostic]) -> str:
    counts = Counter(diagnostic.severity for diagnostic in diagnostics)
    words = [f"{counts[s]} {s.value}{'s' if counts[s] > 1 else ''}" for s in Severity if counts[s]]
    return "found " + ", ".join(words)
