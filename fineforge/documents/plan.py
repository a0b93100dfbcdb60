"""A plan and an outcome for programs: the shapes of `shapes`, filled. One document for one spec or for many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, cast

from pydantic_core import to_jsonable_python

from fineforge import __version__
from fineforge.core.diagnostics import Diagnostic, errors
from fineforge.core.events import Outcome
from fineforge.core.plan import Action, ChangeReason, FieldChange, Mode, Plan, Step
from fineforge.core.redaction import redact, visible_value
from fineforge.documents import shapes
from fineforge.documents.diagnostics import problem
from fineforge.documents.effects import effects
from fineforge.documents.summary import CHANGE_WORDS, counts, estimate, summary, summary_of
from fineforge.documents.wording import reason_text

Unplanned = Mapping[str, Sequence[Diagnostic]]
"""Specs that could not be planned, by path, with what is wrong."""


def plan_data(
    plans: Sequence[Plan],
    unplanned: Unplanned | None = None,
    problems: Sequence[Diagnostic] = (),
    files: Mapping[str, str] | None = None,
    mode: Mode = Mode.APPLY,
) -> dict[str, Any]:
    """The document of docs/plan.schema.json.

    `problems` belong to no spec; `files` are the specs' paths by name; `mode` is told where there is no plan that could say it.
    """
    failed, total = unplanned or {}, Counter[str]()
    for plan in plans:
        total.update(counts(plan))
    document = shapes.PlanDocument(
        format_version=shapes.PLAN_FORMAT,
        fineforge_version=__version__,
        mode=plans[0].mode.value if plans else mode.value,
        target=plans[0].target if plans else None,
        errored=bool(failed or errors(problems) or any(errors(plan.diagnostics) for plan in plans)),
        summary=summary_of(step for plan in plans for step in plan.steps),
        counts=dict(total),
        specs=[*(_spec(plan, (files or {}).get(plan.spec)) for plan in plans), *(_failed(path) for path in failed)],
        resource_changes=[step_shape(plan, step) for plan in plans for step in plan.steps],
        resource_drift=[entry for plan in plans for entry in drift_shapes(plan)],
        diagnostics=[_problem(found, None, None) for found in problems]
        + [_problem(found, plan.spec, None) for plan in plans for found in plan.diagnostics]
        + [_problem(found, None, path) for path, entries in failed.items() for found in dict.fromkeys(entries)],
    )
    return cast(dict[str, Any], to_jsonable_python(document))


def step_shape(plan: Plan, step: Step) -> shapes.ResourceChange:
    return shapes.ResourceChange(
        spec=spec_of(plan, step),
        id=step.id,
        kind=step.key.kind,
        name=step.key.name,
        version=step.key.version,
        parent=step.key.parent,
        action=step.action.value,
        reason=redact(reason_text(step)),
        depends_on=list(step.depends_on),
        only_if=step.only_if or None,
        changes={change.path: _change(change) for change in step.changes},
        uploads=[upload.split for upload in step.uploads],
        fallback=None if step.fallback is None else step_shape(plan, step.fallback),
        usd_per_hour=step.usd_hour,
        estimate=estimate(step) or None,
    )


def drift_shapes(plan: Plan) -> list[shapes.ResourceDrift]:
    """An entry for every object of which somebody has changed something, whatever else its step does."""
    found: list[shapes.ResourceDrift] = []
    for step in plan.steps:
        changes = {change.path: _drifted(change) for change in step.changes if change.reason is ChangeReason.DRIFT}
        if changes:
            key = step.key
            found.append(shapes.ResourceDrift(spec_of(plan, step), step.id, key.kind, key.name, key.version, key.parent, changes))
    return found


def spec_of(plan: Plan, step: Step) -> str:
    """The spec that a step belongs to."""
    return step.spec or plan.spec


def outcome_shape(outcome: Outcome) -> shapes.Ending:
    return shapes.Ending(
        done=list(outcome.done),
        failed=_by_step(outcome.failed),
        refused=_by_step(outcome.refused),
        moved=_by_step(outcome.moved),
        skipped=dict(outcome.skipped),
        running=list(outcome.running),
        detached=outcome.detached,
        lost=None if outcome.lost is None else problem_shape(outcome.lost),
    )


def output_shapes(outcome: Outcome) -> dict[str, dict[str, shapes.Output]]:
    """What stands now as the spec wants it: by spec, by kind. Empty after a destroy."""
    done = set(outcome.done)
    kept: dict[str, dict[str, shapes.Output]] = {}
    for step in outcome.plan.steps if outcome.plan.mode is Mode.APPLY else ():
        key = step.key
        if step.id in done and step.is_output and step.action in _STANDS:
            kept.setdefault(spec_of(outcome.plan, step), {})[key.kind] = shapes.Output(key.name, key.version, key.parent)
    return kept


_STANDS = (Action.NOOP, Action.READ, Action.UPDATE, Action.CREATE, Action.NEW_VERSION, Action.RESTORE, Action.WAIT)


def problem_shape(diagnostic: Diagnostic) -> shapes.Problem:
    return replace(problem(diagnostic), message=redact(diagnostic.message), hint=redact(diagnostic.hint))


def _spec(plan: Plan, file: str | None) -> shapes.SpecPlan:
    return shapes.SpecPlan(
        name=plan.spec,
        file=file,
        digest=plan.spec_digest,
        errored=bool(errors(plan.diagnostics)),
        effects=[effect.value for effect in effects(plan)],
        summary=summary(plan),
        counts=counts(plan),
        facts=_facts(plan.facts),
    )


def _failed(path: str) -> shapes.SpecPlan:
    return shapes.SpecPlan(None, path, None, True, [], summary_of([]), {}, None)


def _facts(facts: Mapping[str, Any]) -> shapes.PlanFacts:
    where = facts.get("workspace")
    return shapes.PlanFacts(
        workspace=shapes.Workspace(**where) if where else None,
        model=facts.get("model"),
        twin=bool(facts.get("twin")),
        context_length=facts.get("context_length"),
        component=facts.get("component"),
        data={name: _split(entry) for name, entry in (facts.get("data") or {}).items()},
        parameters={name: _parameter(entry) for name, entry in (facts.get("parameters") or {}).items()},
        traffic=dict(facts.get("traffic") or {}),
    )


def _split(entry: Mapping[str, Any]) -> shapes.Split:
    recipe = {key: value for key, value in entry.items() if key not in ("source", "revision", "asset", "checked")}
    return shapes.Split(redact(entry["source"]), entry["revision"], entry.get("asset"), recipe, entry.get("checked"))


def _parameter(entry: Mapping[str, Any]) -> shapes.ParameterValue:
    lower = [shapes.Overridden(over["origin"], over["value"]) for over in entry.get("overridden") or ()]
    return shapes.ParameterValue(entry["value"], entry["origin"], lower)


def _change(change: FieldChange) -> shapes.Change:
    before, after = visible_value(change.path, change.before), visible_value(change.path, change.after)
    return shapes.Change(change.action.value, CHANGE_WORDS[change.reason], before, after)


def _drifted(change: FieldChange) -> shapes.DriftChange:
    return shapes.DriftChange(visible_value(change.path, change.after), visible_value(change.path, change.before))


def _problem(diagnostic: Diagnostic, spec: str | None, file: str | None) -> shapes.PlanProblem:
    shape = problem_shape(diagnostic)
    return shapes.PlanProblem(**{entry.name: getattr(shape, entry.name) for entry in fields(shape)}, spec=spec, file=file)


def _by_step(found: Mapping[str, Diagnostic]) -> dict[str, shapes.Problem]:
    return {step: problem_shape(diagnostic) for step, diagnostic in found.items()}
