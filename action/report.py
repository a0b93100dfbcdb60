"""What fineforge said in JSON, as outputs of the action and as Markdown. Takes values and returns text.

The plan's own comment is fineforge's (`plan --output markdown`); here are what it does not write, and what goes around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
_WRITES = frozenset({"update", "create", "new_version", "restore", "archive", "cancel", "delete"})
_ROWS = 200
_LIMIT = 200


def key(what: str, target: str, place: str) -> str:
    """The hidden first line that our comment or issue is found by: one for each target of each project of a repository."""
    words = [re.sub(r"[^A-Za-z0-9_./]+|-+", "-", word).strip("-") for word in (what, target or "default", place or ".")]
    return f"<!-- fineforge-action: {' '.join(word or 'none' for word in words)} -->"


def writes(plan: Document) -> list[Document]:
    return [step for step in plan.get("resource_changes", ()) if step["action"] in _WRITES]


def goes_on(plan: Document) -> bool:
    """Whether there is something to do beyond undoing what somebody else did."""
    return any(not _undoes(step) for step in writes(plan))


def plan_outputs(plan: Document) -> dict[str, str]:
    return {
        "has-changes": _said(bool(writes(plan))),
        "has-drift": _said(bool(plan.get("resource_drift"))),
        "summary": str(plan.get("summary", "")),
        "cost": "; ".join(_costs(plan)),
    }


def apply_outputs(events: Sequence[Document]) -> dict[str, str]:
    """Of the lines of an apply."""
    outcome = _last(events, "outcome").get("outcome") or {}
    return {"running": _said(bool(outcome.get("running"))), "summary": _ending(outcome)}


def apply_text(events: Sequence[Document], target: str, code: int) -> str:
    """How an apply ended, for the run's page."""
    outcome = _last(events, "outcome").get("outcome") or {}
    lines = [f"### fineforge apply {code_text(target)}: exit code {code}", "", _ending(outcome), ""]
    for name, what in (("failed", "failed"), ("refused", "refused by a gate"), ("moved", "changed since the plan")):
        lines += [
            f"- {code_text(step)} {what}: {code_text(problem['message'])}" for step, problem in outcome.get(name, {}).items()
        ]
    lines += [f"- {code_text(step)} goes on; `resume` looks after it" for step in outcome.get("running", ())]
    problems = [event for event in events if event["type"] == "diagnostic"]
    lines += [f"- {code_text(event['@message'])}" for event in problems]
    return "\n".join(lines)


def drift_outputs(found: Document) -> dict[str, str]:
    count = len(found["resource_drift"])
    return {"has-drift": _said(count > 0), "summary": f"Drift: {count} objects" if count != 1 else "Drift: 1 object"}


def drift_text(found: Document, target: str, code: int) -> str:
    """A table of the fields that somebody else changed; or that there is none, or that nobody knows."""
    if not found["resource_drift"]:
        failed = f"Whether there is drift in {code_text(target)} is not known: exit code {code}; the run says why."
        return f"No drift in {code_text(target)}." if code == 0 else failed
    rows = [(entry, path, change) for entry in found["resource_drift"] for path, change in entry["changes"].items()]
    one = "1 field was" if len(rows) == 1 else f"{len(rows)} fields were"
    lines = [
        f"{one} changed in {code_text(target)} by somebody else, or by another tool.",
        "",
        "`fineforge apply` puts them back. To keep one, write it into its spec; to leave one alone for good, name it in "
        "`lifecycle.ignore`. This text is replaced with every look, and the issue closed when there is no drift.",
        "",
        "| spec | object | field | as it was applied | as it is |",
        "|---|---|---|---|---|",
    ]
    for entry, path, change in rows[:_ROWS]:
        cells = (entry["spec"], _object(entry), path, _shown(change["before"]), _shown(change["after"]))
        lines.append("| " + " | ".join(code_text(cell) for cell in cells) + " |")
    if len(rows) > _ROWS:
        lines.append(f"\nand {len(rows) - _ROWS} more; `fineforge drift` shows all")
    return "\n".join(lines)


def footer(what: str, commit: str, run: str) -> str:
    """What a text is of, and where it was made."""
    told = [f"{what} of {commit[:12]}" if commit else what] + ([f"[run]({run})"] if run else [])
    return "\n\n---\n" + " · ".join(told)


def code_text(value: str) -> str:
    """As code, within a table too: no link, no mention, no HTML; a long one is cut."""
    flat = " ".join(value.split())
    flat = flat if len(flat) <= _LIMIT else flat[:_LIMIT] + "…"
    fence = "`" * (max((len(run) for run in re.findall(r"`+", flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") or not flat else ""
    return f"{fence}{pad}{flat}{pad}{fence}".replace("|", "\\|")


def _said(value: bool) -> str:
    return "true" if value else "false"


def _undoes(step: Document) -> bool:
    changes = step.get("changes") or {}
    return bool(changes) and all(change["reason"] == "drift" for change in changes.values())


def _costs(plan: Document) -> Iterable[str]:
    steps = [step for step in plan.get("resource_changes", ()) if step.get("estimate")]
    return dict.fromkeys(f"{step['kind']} {step['name']}: {step['estimate']}" for step in steps)


def _last(events: Sequence[Document], kind: str) -> Document:
    return next((event for event in reversed(events) if event["type"] == kind), {})


def _ending(outcome: Document) -> str:
    if not outcome:
        return "nothing was applied"
    always, sometimes = ("done", "failed"), ("refused", "moved", "skipped", "running")
    counts = [f"{len(outcome[name])} {name}" for name in (*always, *(name for name in sometimes if outcome.get(name)))]
    return "Apply: " + ", ".join(counts)


def _object(entry: Document) -> str:
    inside = f"{entry['parent']}/" if entry.get("parent") else ""
    return f"{entry['kind']} {inside}{entry['name']}" + (f":{entry['version']}" if entry.get("version") else "")


def _shown(value: Any) -> str:
    return "(absent)" if value is None else str(value)
