"""A plan, an outcome and a status for programs.

`plan_version` counts the shape: a new key leaves it as it is, and readers ignore keys that they do not know; a key that changes
its meaning raises it, and readers refuse a version that they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fineforge import __version__
from fineforge.core import FieldChange, Outcome, Plan, Step
from fineforge.diagnostics import Diagnostic, Severity
from fineforge.views.diagnostics import as_data
from fineforge.views.text import counts, summary

PLAN_VERSION = 1


def plan_data(plan: Plan) -> dict[str, Any]:
    """The plan as JSON: `plan` holds every step under its id, `drift` the ids of those that only undo a foreign change."""
    return {
        "plan_version": PLAN_VERSION,
        "cli_version": __version__,
        "mode": plan.mode.value,
        "target": plan.target,
        "spec": {"name": plan.spec, "digest": plan.spec_digest},
        "facts": plan.facts,
        "plan": {step.id: step_data(step) for step in plan.steps},
        "drift": [step.id for step in plan.drift],
        "counts": counts(plan),
        "summary": summary(plan),
        "diagnostics": [as_data(diagnostic) for diagnostic in plan.diagnostics],
        "errored": any(diagnostic.severity is Severity.ERROR for diagnostic in plan.diagnostics),
    }


def step_data(step: Step) -> dict[str, Any]:
    return {
        "kind": step.key.kind,
        "name": step.key.name,
        "version": step.key.version,
        "parent": step.key.parent,
        "action": step.action.value,
        "reason": step.reason,
        "depends_on": list(step.depends_on),
        "only_if": step.only_if or None,
        "changes": {change.path: _change(change) for change in step.changes},
        "fallback": None if step.fallback is None else step_data(step.fallback),
        "estimate": step.estimate or None,
    }


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """How an apply ended: the ids of the steps by what became of them."""
    return {
        "done": list(outcome.done),
        "failed": _by_step(outcome.failed),
        "refused": _by_step(outcome.refused),
        "moved": _by_step(outcome.moved),
        "skipped": dict(outcome.skipped),
        "running": list(outcome.running),
        "detached": outcome.detached,
        "lost": None if outcome.lost is None else as_data(outcome.lost),
    }


def _change(change: FieldChange) -> dict[str, Any]:
    return {"action": change.action.value, "reason": change.reason, "before": change.before, "after": change.after}


def _by_step(found: Mapping[str, Diagnostic]) -> dict[str, Any]:
    return {step: as_data(diagnostic) for step, diagnostic in found.items()}
