"""Gates: what must hold before the model is registered (metrics of the run) and before traffic moves (a smoke answer)."""

from __future__ import annotations

from dataclasses import replace

from fineforge.core import Action, Desired, Step
from fineforge.diagnostics import Diagnostic
from fineforge.planner.decide import Case, step_on
from fineforge.render import yaml_json
from fineforge.spec import MetricGate


def guard(case: Case, steps: list[Step]) -> tuple[list[Step], list[Diagnostic]]:
    """Puts the metric gate before the model's creation. A metric that is known already is decided here and now (FF307)."""
    creates = [s for s in steps if s.key.kind == "model" and s.action in (Action.CREATE, Action.NEW_VERSION, Action.RESTORE)]
    jobs = list(case.wanted("job"))
    if not creates or not case.spec.gates.metrics or not jobs:
        return steps, []
    if case.facts.model is not None and case.facts.model.twin:
        noop = step_on(
            jobs[0].key, Action.NOOP, "metric gates are not judged on a twin", suffix="metrics", path=("gates", "metrics")
        )
        return _insert(steps, noop, creates[0]), []
    if case.facts.metrics is not None:
        return steps, _judge(case)
    check = _check(case, jobs[0], steps)
    guarded = [replace(s, only_if=check.id, depends_on=(*s.depends_on, check.id)) if s in creates else s for s in steps]
    return _insert(guarded, check, next(s for s in guarded if s.id == creates[0].id)), []


def judge(gate: MetricGate, value: float | None) -> str | None:
    """Why a metric does not pass, in words; None where it does. A missing metric does not pass."""
    if value is None:
        return f"the run has no metric `{gate.name}`"
    if gate.max is not None and not value <= gate.max:
        return f"`{gate.name}` is {value:g}, more than {gate.max:g}"
    if gate.min is not None and not value >= gate.min:
        return f"`{gate.name}` is {value:g}, less than {gate.min:g}"
    return None


def _judge(case: Case) -> list[Diagnostic]:
    metrics = case.facts.metrics or {}
    refusals = [(index, judge(gate, metrics.get(gate.name))) for index, gate in enumerate(case.spec.gates.metrics)]
    return [Diagnostic("FF307", words, path=("gates", "metrics", index)) for index, words in refusals if words]


def _check(case: Case, job: Desired, steps: list[Step]) -> Step:
    text = yaml_json({"metrics": [gate.model_dump(exclude_none=True) for gate in case.spec.gates.metrics]})
    waits = tuple(step.id for step in steps if step.key == job.key and step.action is not Action.NOOP)
    names = ", ".join(f"`{gate.name}`" for gate in case.spec.gates.metrics)
    return step_on(
        job.key,
        Action.CHECK,
        f"{names} must pass before the model is registered",
        suffix="metrics",
        path=("gates", "metrics"),
        text=text,
        depends_on=waits,
    )


def _insert(steps: list[Step], step: Step, before: Step) -> list[Step]:
    index = next(i for i, entry in enumerate(steps) if entry.id == before.id)
    return [*steps[:index], step, *steps[index:]]
