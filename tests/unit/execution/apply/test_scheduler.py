"""The order of steps: dependencies, branches that fail, and plans of many thousand steps."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, Mode, Plan, Step, StepReason
from fineforge.execution import executor

ROOT = Path(__file__).parents[4]


def step(name: str, *needs: str, action: Action = Action.NOOP, only_if: str = "") -> Step:
    return Step(name, ResourceKey("compute", name), action, StepReason.ABSENT, depends_on=needs, only_if=only_if)


def carry_out(*steps: Step, gateway: Any = None) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    execution = executor.Execution(gateway, {}, events.append, threading.Event())
    return executor.run(Plan(1, Mode.APPLY, "dev", "a", "0", {}, steps), execution), events


def test_a_step_waits_for_all_its_needs() -> None:
    outcome, events = carry_out(step("d", "b", "c"), step("b", "a"), step("c", "a"), step("a"))
    order = [event.step.id for event in events if event.kind is EventKind.STARTED]
    assert order[0] == "a" and order[-1] == "d" and len(order) == len(outcome.done) == 4


def test_a_failed_step_skips_all_its_dependents_and_no_other_step() -> None:
    """A create without a gateway fails; each skipped step names the step that it waited for."""
    outcome, events = carry_out(
        step("broken", action=Action.CREATE), step("second", only_if="broken"), step("third", "second"), step("apart")
    )
    assert outcome.done == ("apart",) and list(outcome.failed) == ["broken"]
    assert outcome.skipped == {"second": "broken", "third": "second"}
    skipped = [(event.step.id, event.message) for event in events if event.kind is EventKind.SKIPPED]
    assert skipped == [("second", "waits for `broken`"), ("third", "waits for `second`")]


def test_twenty_thousand_steps_in_a_row_end() -> None:
    """In a child process with a hard limit: with a look at all steps after each one, this takes half an hour."""
    code = (
        "from tests.unit.execution.apply.test_scheduler import carry_out, step\n"
        "names = [str(number) for number in range(20_000)]\n"
        "steps = [step(name, *names[number - 1:number]) for number, name in enumerate(names)]\n"
        "assert carry_out(*steps)[0].done == tuple(names)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, timeout=120, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
