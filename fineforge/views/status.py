"""The objects of a spec as they are, and what costs money now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fineforge.core import Observed, ResourceKey
from fineforge.views.paint import Paint
from fineforge.views.text import LOCAL, table

Row = tuple[ResourceKey, Observed | None, str]
"""Object, how it was found, and what it costs in words."""


def write_status(spec: str, target: str, rows: Sequence[Row], paint: Paint) -> str:
    """A table of all objects, then what bills."""
    listed = [(key.kind, str(key).partition("/")[2], _state(have), have.message if have else "") for key, have, _ in rows]
    lines = [f"{paint('strong', spec)} on {target}", *table(listed, paint, "  ")]
    traffic = [line for key, have, _ in rows if key.kind == "endpoint" and have is not None for line in _traffic(have)]
    bills = [(str(key), cost) for key, _, cost in rows if cost]
    if traffic:
        lines += ["", paint("strong", "traffic"), *traffic]
    title = "what would bill on Azure; the emulator is free" if target == LOCAL else "what bills now"
    lines += ["", paint("strong", title), *(table(bills, paint, "  ") or ["  nothing that is known"])]
    return "\n".join(lines)


def status_data(spec: str, target: str, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "spec": spec,
        "target": target,
        "objects": [
            {
                "kind": key.kind,
                "name": key.name,
                "version": key.version,
                "parent": key.parent,
                "exists": have is not None,
                "status": have.status.value if have else None,
                "archived": have.archived if have else False,
                "ours": have is not None and have.owner is not None,
                "message": have.message if have else "",
                "traffic": dict(have.document.get("traffic") or {}) if have and key.kind == "endpoint" else None,
                "bills": cost or None,
            }
            for key, have, cost in rows
        ],
    }


def _state(have: Observed | None) -> str:
    if have is None:
        return "does not exist"
    word = "archived" if have.archived else have.status.value
    return word if have.owner is not None else f"{word}, not fineforge's"


def _traffic(have: Observed) -> list[str]:
    return [f"  {percent:>3} %  {name}" for name, percent in (have.document.get("traffic") or {}).items()]
