"""The summary line of a plan, its counts and its cost estimates, shared by text and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from fineforge.core.plan import Action, Billing, ChangeReason, Plan, SmokeCheck, Step

CHANGE_WORDS: Mapping[ChangeReason, str] = {
    ChangeReason.SPEC: "changed in the spec",
    ChangeReason.DROPPED: "no longer in the spec",
    ChangeReason.DRIFT: "drift",
    ChangeReason.ROLLOUT: "rollout",
    ChangeReason.SHARED: "shared with another spec of this project",
    ChangeReason.OWNERSHIP: "whose it is",
}
"""The reason of a change, for people and programs."""


def gate_name(plan: Plan, step: Step) -> str:
    """The name of the check that a step waits for: `smoke` or `metrics`; empty where it waits for none."""
    gate = next((other.gate for other in plan.steps if other.id == step.only_if), None)
    if gate is None:
        return ""
    return "smoke" if isinstance(gate, SmokeCheck) else "metrics"


_SUMMARY = (
    ("to add", (Action.CREATE, Action.NEW_VERSION)),
    ("to change", (Action.UPDATE, Action.RESTORE)),
    ("to delete", (Action.ARCHIVE, Action.CANCEL, Action.DELETE)),
    ("unchanged", (Action.NOOP, Action.READ)),
)


def summary(plan: Plan) -> str:
    """`Plan: 1 to add, 0 to change, 0 to delete, 3 unchanged`: the line that scripts look for; words and order are stable."""
    return summary_of(plan.steps)


def undone(drift: int) -> str:
    return f"{drift} of the changes {'undoes' if drift == 1 else 'undo'} what somebody else did"


def summary_of(steps: Iterable[Step]) -> str:
    """The same line over the steps of several plans."""
    counts = Counter(step.action for step in steps)
    told = [f"{sum(counts[action] for action in actions)} {words}" for words, actions in _SUMMARY]
    more = [(Action.WAIT, "to wait for"), (Action.CHECK, "to check")]
    told += [f"{counts[action]} {words}" for action, words in more if counts[action]]
    return "Plan: " + ", ".join(told)


def counts(plan: Plan) -> dict[str, int]:
    """The numbers of the summary line, for programs."""
    found = Counter(step.action for step in plan.steps)
    return {words.removeprefix("to "): sum(found[action] for action in actions) for words, actions in _SUMMARY} | {
        "wait": found[Action.WAIT],
        "check": found[Action.CHECK],
        "drift": len(plan.drift),
    }


def estimate(step: Step) -> str:
    """What a step's object costs, in words; empty where that is not known. Prices are undated, so about."""
    if step.usd_hour is None or step.billing is None:
        return ""
    return f"about {step.usd_hour:.2f} USD/h {_BILLED[step.billing]}"


_BILLED: Mapping[Billing, str] = {
    Billing.NODE: "per node while a job runs, nothing when idle",
    Billing.RUN: "while it runs",
    Billing.EXISTENCE: "for as long as it exists",
}
