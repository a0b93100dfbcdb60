"""What somebody else changed: object by object, field by field, as it is and as the spec has it."""

from __future__ import annotations

from collections.abc import Sequence

from fineforge.core.plan import Action, ChangeReason, FieldChange, Plan, Step
from fineforge.core.redaction import visible_value
from fineforge.views.paint import Paint
from fineforge.views.text import object_name, shown, table


def drifted(plan: Plan) -> list[tuple[Step, list[FieldChange]]]:
    """The steps that undo a foreign change, with those changes."""
    found = [(step, [change for change in step.changes if change.reason is ChangeReason.DRIFT]) for step in plan.steps]
    return [(step, changes) for step, changes in found if changes]


def write_drift(plans: Sequence[Plan], target: str, paint: Paint) -> str:
    """`no drift`, or a block for each spec."""
    blocks = []
    for plan in plans:
        lines = []
        for step, changes in drifted(plan):
            lines.append(f"  {object_name(step)}")
            lines += table([(change.path, _told(change)) for change in changes], paint, "    ")
        if lines:
            blocks.append("\n".join([paint("strong", plan.spec), *lines]))
    count = sum(len(changes) for plan in plans for _, changes in drifted(plan))
    if not blocks:
        return "\n".join([paint("add", f"No drift on {target}: nobody else has changed what is there"), *_missing(plans)])
    fields = "field" if count == 1 else "fields"
    return "\n\n".join([*blocks, f"Drift: {count} {fields} changed by somebody else; `fineforge apply` puts them back"])


def _missing(plans: Sequence[Plan]) -> list[str]:
    """What was deleted has left nothing that could be compared, and looks like what was never made; it is not passed over."""
    absent = {step.key for plan in plans for step in plan.steps if step.action is Action.CREATE}
    if not absent:
        return []
    objects = "1 object of the specs is" if len(absent) == 1 else f"{len(absent)} objects of the specs are"
    return [f"{objects} not there: `fineforge plan` shows them"]


def _told(change: FieldChange) -> str:
    before, after = (shown(visible_value(change.path, value)) for value in (change.before, change.after))
    return f"is {before}, the spec says {after}"
