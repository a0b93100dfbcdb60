"""Gates: what must hold before the model is registered (metrics of the run) and before traffic moves (a smoke answer)."""

from __future__ import annotations

from dataclasses import replace

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.objects import Desired
from fineforge.core.plan import Action, MetricCheck, MetricLimit, Step, StepReason
from fineforge.planner.case import Case, Decision
from fineforge.planner.decide import decide
from fineforge.planner.steps import step_on
from fineforge.resources.kinds.job import JOB


def decide_model(case: Case, want: Desired) -> Decision:
    """Steps for the model, its metric gate first. A metric that is known already is decided here and now (FF307).

    A model that exists, archived or not, has passed.
    """
    decision = decide(case, want)
    creates = [step for step in decision.steps if step.action in (Action.CREATE, Action.NEW_VERSION)]
    job = next(iter(case.wanted(JOB.name)), None)
    if not creates or job is None or not case.spec.gates.metrics:
        return decision
    if case.facts.model is not None and case.facts.model.twin:
        return Decision([replace(step, reason=StepReason.TWIN) for step in decision.steps], decision.diagnostics)
    if case.facts.metrics is not None:
        refusals = _judge(case)
        return Decision(diagnostics=[*decision.diagnostics, *refusals]) if refusals else decision
    check = _check(case, job)
    return Decision([check, *(replace(step, only_if=check.id) for step in decision.steps)], decision.diagnostics)


def judge(gate: MetricLimit, value: float | None) -> str | None:
    """Why a metric does not pass, in words; None where it does. A missing metric does not pass."""
    if value is None:
        return f"the run has no metric `{gate.name}`"
    if value != value:
        return f"`{gate.name}` is not a number"
    if gate.max is not None and not value <= gate.max:
        return f"`{gate.name}` is {value:g}, more than {gate.max:g}"
    if gate.min is not None and not value >= gate.min:
        return f"`{gate.name}` is {value:g}, less than {gate.min:g}"
    return None


def _judge(case: Case) -> list[Diagnostic]:
    metrics = case.facts.metrics or {}
    refusals = [(index, judge(limit, metrics.get(limit.name))) for index, limit in enumerate(_limits(case))]
    return [Diagnostic("FF307", words, path=("gates", "metrics", index)) for index, words in refusals if words]


def _check(case: Case, job: Desired) -> Step:
    gate = MetricCheck(_limits(case))
    names, path = tuple(limit.name for limit in gate.metrics), ("gates", "metrics")
    return step_on(job.key, Action.CHECK, StepReason.METRICS, names=names, suffix="metrics", path=path, gate=gate)


def _limits(case: Case) -> tuple[MetricLimit, ...]:
    return tuple(MetricLimit(gate.name, gate.min, gate.max) for gate in case.spec.gates.metrics)
