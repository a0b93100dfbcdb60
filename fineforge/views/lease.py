"""Who holds which apply lease, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from fineforge.documents import answers
from fineforge.host.holder import Holder
from fineforge.views.paint import Paint, visible


def write_leases(target: str, found: Sequence[tuple[str, Holder]], paint: Paint) -> str:
    if not found:
        return f"no apply is running at {target}"
    lines = [[paint("strong", visible(name)), *paint.wrap(f"held by {visible(str(holder))}", "  ")] for name, holder in found]
    return "\n".join(line for entry in lines for line in entry)


def leases_data(target: str, found: Sequence[tuple[str, Holder]]) -> answers.Leases:
    rows = [answers.Lease(name, **{key: text or None for key, text in asdict(holder).items()}) for name, holder in found]
    return answers.Leases(target, rows)
