"""Plans as a comment on a pull request: what is lost first, then what each spec does and why, its details folded.

Everything that a spec, a file or a service says goes through `markup`. No row of data is here, for none is in a plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fineforge.core.diagnostics import Diagnostic, Severity, errors
from fineforge.core.gateway import LOCAL
from fineforge.core.plan import Action, FieldChange, Mode, Plan, Step
from fineforge.core.redaction import visible_value
from fineforge.documents.effects import effects, headline, removals, replaced
from fineforge.documents.summary import CHANGE_WORDS, gate_name, summary_of, undone
from fineforge.documents.wording import notable_reason, reason_text
from fineforge.views.markup import Piece, code, page, plain, words
from fineforge.views.recipe import recipe_text, summary_text
from fineforge.views.text import LOOK, bills, decided, object_name, origin, shown, trains

LIMIT = 64_000
"""Bytes. GitHub takes 65,536 characters
(https://github.com/orgs/community/discussions/27190); a bot may add a line of its own."""

Unplanned = Mapping[str, Sequence[Diagnostic]]
_CUT = "> ✂ Cut: {} parts of this plan are shortened or omitted to fit the limit of a comment. `fineforge plan` shows all of it."
_STILL = (Action.NOOP, Action.READ)


def write_plans(
    plans: Sequence[Plan],
    target: str | None,
    unplanned: Unplanned | None = None,
    problems: Sequence[Diagnostic] = (),
    files: Mapping[str, str] | None = None,
) -> str:
    """The comment. Its first line is hidden, and the same for every plan of one target: a bot finds the comment to update by it.

    `unplanned`: by path, what is wrong with specs that have no plan. `problems` belong to no spec. `files`: paths by spec.
    """
    where = target or (plans[0].target if plans else "")
    acting = [plan for plan in plans if _acts(plan)]
    pieces = [
        _top(plans, where, unplanned or {}),
        *_lost(plans),
        *_unplanned(unplanned or {}, problems),
        *(piece for plan in acting for piece in _spec(plan, (files or {}).get(plan.spec))),
        *_unchanged([plan for plan in plans if not _acts(plan)]),
    ]
    return page(pieces, LIMIT, _CUT)


def marker(target: str) -> str:
    """`<!-- fineforge:plan dev -->`; a target's name cannot end it."""
    return f"<!-- fineforge:plan {re.sub(r'[^A-Za-z0-9_.]+|-+', '-', target).strip('-') or 'none'} -->"


def _acts(plan: Plan) -> bool:
    return bool(plan.diagnostics) or any(step.action not in _STILL for step in plan.steps)


def _top(plans: Sequence[Plan], target: str, unplanned: Unplanned) -> Piece:
    verb = "destroy" if any(plan.mode is Mode.DESTROY for plan in plans) else "plan"
    broken = len(unplanned) + sum(1 for plan in plans if errors(plan.diagnostics))
    told = [f"{len(plans) + len(unplanned)} specs" if len(plans) + len(unplanned) != 1 else "1 spec"]
    told += [f"**{broken} with errors**"] if broken else []
    told += [f"target {code(target)}"] if target else []
    drift = sum(len(plan.drift) for plan in plans)
    told += [f"drift: {undone(drift)}"] if drift else []
    where = _where(plans[0].facts.get("workspace") or {}) if plans else ""
    lines = [
        marker(target),
        f"**{summary_of(step for plan in plans for step in plan.steps)}**",
        "",
        f"fineforge {verb}: {', '.join(told)}",
        *([where] if where else []),
    ]
    return Piece(0, "\n".join(lines))


def _where(workspace: Mapping[str, Any]) -> str:
    if not workspace:
        return ""
    parts = [f"workspace {code(workspace['name'])} in {code(workspace.get('location') or 'an unknown region')}"]
    parts += [f"resource group {code(workspace['resource_group'])}", f"subscription {code(workspace['subscription_id'])}"]
    return "<br>" + ", ".join(parts)


def _lost(plans: Sequence[Plan]) -> Iterator[Piece]:
    """What goes, replacements first: the box that nobody overlooks."""
    found = [(plan, step) for plan in plans for step in removals(plan)]
    found.sort(key=lambda entry: not replaced(*entry))
    if not found:
        return
    swaps = sum(1 for plan, step in found if replaced(plan, step))
    told = [f"{len(found) - swaps} deleted, archived or cancelled"] if len(found) > swaps else []
    told = ([f"{swaps} replaced"] if swaps else []) + told
    rows = []
    for plan, step in found:
        word = "replace" if replaced(plan, step) else LOOK[step.action][1]
        rows.append(f"> - **{word}** {code(object_name(step))} of {code(plan.spec)}{_because(step)}")
    yield Piece(0, f"> [!CAUTION]\n> **{', '.join(told)}**\n>", rows, more="> - … and {} more")


def _because(step: Step) -> str:
    reason = notable_reason(step)
    return f": {words(reason)}" if reason else ""


def _unplanned(unplanned: Unplanned, problems: Sequence[Diagnostic]) -> Iterator[Piece]:
    if problems:
        yield Piece(1, "### Problems", [_problem(found) for found in problems])
    for path, entries in unplanned.items():
        yield Piece(1, f"### {code(path)}: cannot be planned", [_problem(found) for found in dict.fromkeys(entries)])


def _spec(plan: Plan, file: str | None) -> Iterator[Piece]:
    """A spec's pieces; a reader of the first one knows what happens to the model. Every spec has that one before any has more."""
    place = f" ({code(file)})" if file else ""
    found = effects(plan)
    told = [headline(found)] if found or not errors(plan.diagnostics) else []
    told += ["cannot be applied"] if errors(plan.diagnostics) else []
    yield Piece(2, f"### {code(plan.spec)}: {'; '.join(told)}{place}", group=plan.spec)
    pieces = [*_problems(plan), *_steps(plan), *_details(plan)]
    yield from (replace(piece, group=plan.spec) for piece in pieces)


def _problems(plan: Plan) -> Iterator[Piece]:
    if plan.diagnostics:
        ordered = sorted(dict.fromkeys(plan.diagnostics), key=lambda found: list(Severity).index(found.severity))
        yield Piece(3, "**Problems**\n", [_problem(found) for found in ordered])


def _steps(plan: Plan) -> Iterator[Piece]:
    rows = [row for step in plan.steps if step.action not in _STILL for row in _step(plan, step)]
    if rows:
        yield Piece(4, "", rows)
    if costs := bills(plan):
        free = " on Azure; the emulator is free" if plan.target == LOCAL else ""
        rows = [f"- {code(name)}: {words(cost)}" for name, cost in costs]
        yield Piece(5, f"**{'What would bill' if free else 'What will bill'}{free}**\n", rows)


def _step(plan: Plan, step: Step) -> Iterator[str]:
    symbol, word, _ = LOOK[step.action]
    yield f"- {code(symbol)} **{word}** {code(object_name(step))}{_because(step)}"
    for change in step.changes:
        yield f"  - {_change(change)}"
    for upload in step.uploads:
        yield f"  - the {code(upload.split)} split is uploaded first"
    if step.only_if:
        yield f"  - only if the {gate_name(plan, step)} check passes"
    if step.fallback is not None:
        yield f"  - if that is refused: {words(reason_text(step.fallback))}"


def _change(change: FieldChange) -> str:
    before, after = (code(shown(visible_value(change.path, value))) for value in (change.before, change.after))
    if change.before is None:
        told = f"{after} is added"
    elif change.after is None:
        told = f"{before} is removed"
    else:
        told = f"{before} → {after}"
    return f"{code(change.path)}: {told} ({CHANGE_WORDS[change.reason]})"


def _problem(found: Diagnostic) -> str:
    place = f" {code(f'{found.span.file}:{found.span.line}')}" if found.span is not None else ""
    hint = f" **Hint:** {words(found.hint)}" if found.hint else ""
    return f"- **{found.severity.value}** {code(found.code)}{place}: {words(found.message)}.{hint}"


def _details(plan: Plan) -> Iterator[Piece]:
    if any(trains(step) for step in plan.steps):
        rows = [
            f"| {code(name, cell=True)} | {code(shown(entry['value']), cell=True)} | {words(origin(entry), cell=True)} |"
            for name, entry in decided(plan.facts.get("parameters") or {})
        ]
        if rows:
            head = "| parameter | value | from |\n|---|---|---|"
            yield _folded(
                6, f"Parameters ({len(rows)}); all others have the component's default", head, rows, "| … | {} more | |"
            )
    if rows := [*_made_of(plan)]:
        yield _folded(7, "Model and data", "", rows)
    still = [f"- {LOOK[step.action][1]} {code(object_name(step))}" for step in plan.steps if step.action in _STILL]
    if still:
        yield _folded(8, f"Unchanged ({len(still)})", "", still)


def _made_of(plan: Plan) -> Iterator[str]:
    for name in ("model", "component"):
        if plan.facts.get(name) and plan.mode is Mode.APPLY:
            twin = ", replaced by its twin" if name == "model" and plan.facts.get("twin") else ""
            yield f"- {name}: {code(plan.facts[name])}{twin}"
    for split, entry in (plan.facts.get("data") or {}).items():
        if entry.get("asset"):
            yield f"- {code(split)} data: {code(entry['asset'])}, used unchanged"
            continue
        checked = plain(summary_text(entry["checked"])) if entry.get("checked") else "not checked yet"
        yield f"- {code(split)} data: {code(recipe_text(entry['source'], entry))}, {checked}"


def _folded(rank: int, title: str, head: str, rows: Sequence[str], more: str = "- … and {} more") -> Piece:
    """Markdown is read again after the empty line; the empty line before the end closes a list or table."""
    return Piece(
        rank, f"<details><summary>{title}</summary>\n\n{head}".rstrip() + ("" if head else "\n"), rows, "\n</details>", more
    )


def _unchanged(plans: Sequence[Plan]) -> Iterator[Piece]:
    if len(plans) == 1:
        words_ = "nothing left to destroy" if plans[0].mode is Mode.DESTROY else "everything matches the spec"
        yield Piece(2, f"### {code(plans[0].spec)}: no changes\n\n{words_}")
    elif plans:
        yield _folded(8, f"Specs without changes ({len(plans)})", "", [f"- {code(plan.spec)}" for plan in plans])
