"""A plan for people: what would happen to each object, why, what changes, where each parameter came from, what will bill.

Everything is said in words and symbols first, so that it reads the same without colour, and fits into 80 columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fineforge.core.diagnostics import errors
from fineforge.core.gateway import LOCAL
from fineforge.core.plan import Action, Billing, ChangeReason, FieldChange, Mode, Plan, Step
from fineforge.core.redaction import visible_value
from fineforge.documents.summary import CHANGE_WORDS, estimate, gate_name, summary, summary_of, undone
from fineforge.documents.wording import explains, notable_reason, reason_text
from fineforge.host.files import shown_path
from fineforge.views.paint import Paint, cells, pad, visible
from fineforge.views.recipe import recipe_text, summary_text

if TYPE_CHECKING:
    from fineforge.engine import Planned

LOOK: Mapping[Action, tuple[str, str, str]] = {
    Action.NOOP: ("=", "unchanged", "quiet"),
    Action.READ: ("=", "used as is", "quiet"),
    Action.CHECK: ("?", "check", "busy"),
    Action.WAIT: (">", "wait for", "busy"),
    Action.UPDATE: ("~", "update", "change"),
    Action.CREATE: ("+", "create", "add"),
    Action.NEW_VERSION: ("+", "new version", "add"),
    Action.RESTORE: ("~", "restore", "change"),
    Action.ARCHIVE: ("-", "archive", "remove"),
    Action.CANCEL: ("-", "cancel", "remove"),
    Action.DELETE: ("-", "delete", "remove"),
}
"""Symbol, word and colour of each action."""


def write_plan(plan: Plan, paint: Paint) -> str:
    """The whole plan. Its diagnostics are not in it: they go to the other stream."""
    parts = [_header(plan, paint)]
    if plan.facts.get("parameters") and any(trains(step) for step in plan.steps):
        parts.append(write_parameters(plan.facts["parameters"], paint))
    if plan.steps:
        parts.append("\n".join(line for step in plan.steps for line in _step(plan, step, paint)))
    if bills := _bills(plan, paint):
        parts.append(bills)
    parts.append(_end(plan, paint))
    return "\n\n".join(parts)


def write_plans(planned: Planned, paint: Paint) -> str:
    """Return the plans that would change something in full and the others in a line, then the specs that could not be planned and
    the sum. A single plan stands alone."""
    plans = [plan for _, plan in planned.plans]
    if len(plans) == 1 and not planned.failed:
        return write_plan(plans[0], paint)
    parts = [write_plan(plan, paint) for plan in plans if _acts(plan)]
    if still := [plan.spec for plan in plans if not _acts(plan)]:
        parts.append("\n".join([paint("strong", f"unchanged on {plans[0].target}"), *paint.wrap(_some(still), "  ")]))
    if planned.failed:
        names = _some([shown_path(path) for path in planned.failed])
        parts.append("\n".join([paint("remove", "not planned"), *paint.wrap(names, "  ")]))
    return "\n\n".join([*parts, paint("strong", summary_of_plans(planned))])


def summary_of_plans(planned: Planned) -> str:
    """Return `3 of 40 specs would change` and the sum of the plans, or of a single plan its summary: stable words for scripts."""
    plans = [plan for _, plan in planned.plans]
    if len(plans) == 1 and not planned.failed:
        return summary(plans[0])
    acting = sum(1 for plan in plans if plan.writes and not errors(plan.diagnostics))
    broken = sum(1 for plan in plans if errors(plan.diagnostics))
    failed = f", {broken} cannot be applied" if broken else ""
    failed += f", {len(planned.failed)} cannot be planned" if planned.failed else ""
    total = summary_of(step for plan in plans for step in plan.steps)
    return f"{acting} of {len(plans) + len(planned.failed)} specs would change{failed}\n{total}"


def _acts(plan: Plan) -> bool:
    acts = any(step.action in (Action.WAIT, Action.CHECK) for step in plan.steps)
    return bool(plan.writes or errors(plan.diagnostics) or acts)


def _some(names: Sequence[str], shown: int = 40) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(f"`{name}`" for name in names[:shown]) + more


def write_parameters(parameters: Mapping[str, Mapping[str, Any]], paint: Paint) -> str:
    """The parameters that somebody decided, with where each came from; the others are at the component's own default."""
    rows = [(name, shown(entry["value"]), origin(entry)) for name, entry in decided(parameters)]
    return "\n".join([paint("strong", "parameters (others: component default)"), *table(rows, paint, "  ")])


def decided(parameters: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Those that are worth a line."""
    return [(name, entry) for name, entry in parameters.items() if not name.startswith(_PLACES)]


_PLACES = ("compute_", "instance_type_")
"""Inputs that only repeat where the job runs, which the compute step says."""


def table(rows: Iterable[tuple[str, ...]], paint: Paint, indent: str = "") -> list[str]:
    """Columns as wide as they need; the last one wraps within the terminal, below the others where it has no room beside them."""
    listed = [tuple(visible(cell) for cell in row) for row in rows]
    if not listed:
        return []
    widths = [max(cells(row[column]) for row in listed) for column in range(len(listed[0]) - 1)]
    below = sum(widths) + 2 * len(widths) + len(indent) + _ROOM > paint.width
    lines = []
    for row in listed:
        head = indent + "".join(pad(cell, width) + "  " for cell, width in zip(row[:-1], widths, strict=True))
        if below or not row[-1]:
            lines += [*([head.rstrip()] if head.strip() else []), *(paint.wrap(row[-1], indent + "    ") if row[-1] else [])]
        else:
            lines += [line.rstrip() for line in paint.wrap(row[-1], head, " " * cells(head))]
    return lines


_ROOM = 24
"""Columns that the last column of a table needs."""


def shown(value: Any) -> str:
    """A value as YAML writes it, short enough for a line."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(shown(entry) for entry in value) + "]"
    return str(value) if value != "" else '""'


def object_name(step: Step) -> str:
    """The object with its kind before it: `deployment support-1a2b3/d-0123456789ab`."""
    kind, _, rest = str(step.key).partition("/")
    return f"{kind} {rest}"


def trains(step: Step) -> bool:
    """Whether a job is submitted."""
    return step.key.kind == "job" and step.action in (Action.CREATE, Action.NEW_VERSION)


def _header(plan: Plan, paint: Paint) -> str:
    verb = "destroy" if plan.mode is Mode.DESTROY else "plan"
    rows = [("target", plan.target), *_where(plan.facts.get("workspace") or {})]
    if plan.mode is Mode.APPLY:
        twin = ", replaced by its twin" if plan.facts.get("twin") else ""
        rows += [(name, _asset(plan.facts[name]) + (twin if name == "model" else "")) for name in _ASSETS if plan.facts.get(name)]
        sent = {upload.split for step in plan.steps for upload in step.uploads}
        rows += [row for split, entry in (plan.facts.get("data") or {}).items() for row in _data(split, entry, split in sent)]
    return "\n".join([f"{paint('strong', verb)} {plan.spec}", *table(rows, paint, "  ")])


_ASSETS = ("model", "component")


def _where(workspace: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Tenants are easily mixed up: every plan says where it would write."""
    if not workspace:
        return []
    return [
        ("workspace", f"{workspace['name']} in {workspace.get('location') or 'an unknown region'}"),
        ("resource group", str(workspace["resource_group"])),
        ("subscription", str(workspace["subscription_id"])),
    ]


def _asset(asset_id: str) -> str:
    """`Phi-4 8, registry azureml` of an id in a registry."""
    parts = asset_id.removeprefix("azureml://").split("/")
    return f"{parts[3]} {parts[5]}, registry {parts[1]}" if len(parts) == 6 and parts[0] == "registries" else asset_id


def _data(split: str, entry: Mapping[str, Any], is_sent: bool) -> list[tuple[str, str]]:
    """What a split is, and what its rows are like where they have been checked on this machine."""
    if entry.get("asset"):
        return [(f"{split} data", f"{entry['asset']}, used unchanged")]
    told = [(f"{split} data", recipe_text(entry["source"], entry))]
    if entry.get("checked"):
        return [*told, ("", summary_text(entry["checked"]))]
    return [*told, ("", "not checked yet: `fineforge data SPEC`")] if is_sent else told


def _step(plan: Plan, step: Step, paint: Paint) -> list[str]:
    symbol, word, role = LOOK[step.action]
    label = f"{symbol} {pad(word, 13)}"
    lines = paint.wrap(f"{object_name(step)}", f"  {label} ", " " * 18)
    lines[0] = lines[0].replace(label, paint(role, label), 1)
    role = "quiet" if step.action in (Action.NOOP, Action.READ) else ""
    if reason := notable_reason(step):
        lines += [paint(role, line) for line in paint.wrap(reason, " " * 18)]
    return lines + _details(plan, step, paint)


def _details(plan: Plan, step: Step, paint: Paint) -> list[str]:
    lines = [line for change in step.changes for line in _change(change, explains(step, change), paint)]
    for upload in step.uploads:
        lines += paint.wrap(f"the {upload.split} split is uploaded first", " " * 18, " " * 20)
    if step.only_if:
        lines += paint.wrap(f"only if the {gate_name(plan, step)} check passes", " " * 18)
    if step.fallback is not None:
        lines += paint.wrap(f"if that is refused: {reason_text(step.fallback)}", " " * 18)
    return lines


def _change(change: FieldChange, is_explained: bool, paint: Paint) -> list[str]:
    before, after = (shown(visible_value(change.path, value)) for value in (change.before, change.after))
    if change.before is None:
        told = f"{change.path}: {after} is added"
    elif change.after is None:
        told = f"{change.path}: {before} is removed"
    else:
        told = f"{change.path}: {before} -> {after}"
    lines = paint.wrap(told, " " * 18, " " * 20)
    if is_explained:
        return lines
    reason = f"({CHANGE_WORDS[change.reason]})"
    if cells(lines[-1]) + cells(reason) + 2 <= paint.width:
        lines[-1] += "  " + paint("quiet", reason)
        return lines
    return lines + [paint("quiet", line) for line in paint.wrap(reason, " " * 20)]


def origin(entry: Mapping[str, Any]) -> str:
    """Who decided a parameter, and what it takes the place of."""
    over = [f"{lower['origin']} {shown(lower['value'])}" for lower in entry.get("overridden") or ()]
    return str(entry["origin"]) + (f", over {', '.join(over)}" if over else "")


def _bills(plan: Plan, paint: Paint) -> str:
    title = "costs on Azure; the emulator is free" if plan.target == LOCAL else "costs"
    rows = bills(plan)
    return "\n".join([paint("strong", title), *table(rows, paint, "  ")]) if rows else ""


def bills(plan: Plan) -> list[tuple[str, str]]:
    """What costs money once this plan is applied, as far as the steps say: the object, and how much in words."""
    steps = [step for step in plan.steps if step.usd_hour is not None]
    cluster = any(step.billing is Billing.NODE for step in steps)  # It says already what its nodes cost while the job runs.
    return [
        (f"{step.key.kind} {step.key.name}", estimate(step)) for step in steps if not (cluster and step.billing is Billing.RUN)
    ]


def _end(plan: Plan, paint: Paint) -> str:
    if plan.writes or any(step.action in (Action.WAIT, Action.CHECK) for step in plan.steps):
        lines = [paint("strong", summary(plan))]
        if plan.drift:
            lines += paint.wrap(f"Drift: {undone(len(plan.drift))}")
        return "\n".join(lines)
    if errors(plan.diagnostics):
        return f"{paint('remove', 'Cannot be applied')}\n{summary(plan)}"
    words = "nothing left to destroy" if plan.mode is Mode.DESTROY else "everything matches the spec"
    return f"{paint('add', f'No changes: {words}')}\n{summary(plan)}"


def drifted(plan: Plan) -> list[tuple[Step, list[FieldChange]]]:
    """The steps that undo a foreign change, with those changes."""
    steps = [(step, [change for change in step.changes if change.reason is ChangeReason.DRIFT]) for step in plan.steps]
    return [(step, changes) for step, changes in steps if changes]


def write_drift(plans: Sequence[Plan], target: str, paint: Paint) -> str:
    """`no drift`, or a block for each spec."""
    blocks = []
    for plan in plans:
        lines = []
        for step, changes in drifted(plan):
            lines.append(f"  {object_name(step)}")
            lines += table([(change.path, _drift_text(change)) for change in changes], paint, "    ")
        if lines:
            blocks.append("\n".join([paint("strong", plan.spec), *lines]))
    count = sum(len(changes) for plan in plans for _, changes in drifted(plan))
    if not blocks:
        return "\n".join([paint("add", f"No drift on {target}: all objects match the last apply"), *_missing(plans)])
    fields = "field" if count == 1 else "fields"
    return "\n\n".join([*blocks, f"Drift: {count} {fields} changed outside fineforge; `fineforge apply` restores them"])


def _missing(plans: Sequence[Plan]) -> list[str]:
    """What was deleted has left nothing that could be compared, and looks like what was never made; it is not passed over."""
    absent = {step.key for plan in plans for step in plan.steps if step.action is Action.CREATE}
    if not absent:
        return []
    objects = "1 object of the specs does" if len(absent) == 1 else f"{len(absent)} objects of the specs do"
    return [f"{objects} not exist: `fineforge plan` shows them"]


def _drift_text(change: FieldChange) -> str:
    before, after = (shown(visible_value(change.path, value)) for value in (change.before, change.after))
    return f"is {before}, the spec sets {after}"
