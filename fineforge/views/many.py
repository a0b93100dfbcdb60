"""The plans of several specs: those that would change something in full, the others in a line, what they come to together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fineforge.core.diagnostics import errors
from fineforge.core.plan import Action, Plan
from fineforge.documents import summary as documents_summary
from fineforge.views import text
from fineforge.views.paint import Paint

if TYPE_CHECKING:
    from fineforge.engine.batch import Planned

_ACTING = (Action.WAIT, Action.CHECK)


def write_plans(planned: Planned, target: str, paint: Paint) -> str:
    """What would happen, spec by spec; then how many are as they should be, which could not be planned, and the sum."""
    acting = [made for _, made in planned.plans if _acts(made)]
    still = [made.spec for _, made in planned.plans if not _acts(made)]
    parts = [text.write_plan(made, paint) for made in acting]
    if still:
        parts.append("\n".join([paint("strong", f"unchanged on {target}"), *paint.wrap(_some(still), "  ")]))
    if planned.failed:
        names = _some(list(planned.unplanned))
        parts.append("\n".join([paint("remove", "not planned"), *paint.wrap(names, "  ")]))
    return "\n\n".join([*parts, paint("strong", summary(planned))])


def summary(planned: Planned) -> str:
    """`3 of 40 specs would change`, and the sum of their plans: stable words for scripts, as of one plan."""
    plans = [made for _, made in planned.plans]
    acting = sum(1 for made in plans if made.writes and not errors(made.diagnostics))
    broken = sum(1 for made in plans if errors(made.diagnostics))
    total = len(planned.plans) + len(planned.failed)
    failed = f", {broken} cannot be applied" if broken else ""
    failed += f", {len(planned.failed)} cannot be planned" if planned.failed else ""
    steps = (step for _, made in planned.plans for step in made.steps)
    return f"{acting} of {total} specs would change{failed}\n{documents_summary.summary_of(steps)}"


def _acts(made: Plan) -> bool:
    return bool(made.writes or errors(made.diagnostics) or any(step.action in _ACTING for step in made.steps))


def _some(names: Sequence[str | Path], shown: int = 40) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(f"`{name}`" for name in names[:shown]) + more
