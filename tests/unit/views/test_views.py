"""What people see: whole pages against golden files. UPDATE_GOLDEN=1 rewrites them; then read the difference."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fineforge.config import source
from fineforge.core.diagnostics import Diagnostic, Severity, SourceSpan
from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.plan import Action, Mode, Plan
from fineforge.documents import plan as as_json
from fineforge.views import diagnostics, events, stream, text
from fineforge.views.paint import Paint, cells
from tests.unit.views import plans

GOLDEN = Path(__file__).parent / "golden"
PAINT = Paint(colour=False, width=80)


def check(name: str, shown: str) -> None:
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(shown + "\n", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == shown + "\n"


def edited() -> Plan:
    """Somebody has raised a cluster's limit, and changed the number of instances."""
    wanted = plans.desired()
    return plans.make(now=plans.world(wanted, {"compute": {"max_instances": 4}, "deployment": {"instance_count": 3}}))


PLANS: dict[str, Callable[[], Plan]] = {
    "plan-create": plans.make,
    "plan-no-changes": lambda: plans.make(now=plans.world(plans.desired())),
    "plan-drift": edited,
    "plan-destroy": lambda: plans.make(Mode.DESTROY, plans.world(plans.desired())),
    "plan-retrain": lambda: plans.make(
        now=plans.world(plans.desired(plans.SPEC.read_bytes().replace(b"learning_rate: 5.0e-6", b"learning_rate: 2.0e-6")))
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_as_text(name: str) -> None:
    shown = text.write_plan(PLANS[name](), PAINT)
    check(name, shown)
    assert max(cells(line) for line in shown.splitlines()) <= 80


def test_colour_adds_nothing_but_colour() -> None:
    plain = text.write_plan(plans.make(), PAINT)
    coloured = text.write_plan(plans.make(), Paint(colour=True, width=80))
    assert coloured != plain
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


@pytest.mark.parametrize("width", [48, 64, 120])
def test_a_plan_fits_its_width(width: int) -> None:
    """The summary line stays whole for those who grep it, and a long name is not broken."""
    lines = text.write_plan(plans.make(), Paint(width=width)).splitlines()
    too_wide = [line for line in lines if cells(line) > width and not line.startswith("Plan: ")]
    assert all(max(cells(word) for word in line.split()) > width - 24 for line in too_wide), too_wide


def test_a_plan_as_json() -> None:
    data = json.loads(json.dumps(as_json.plan_data([edited()])))
    check("plan-drift-json", json.dumps(data, indent=2))
    assert data["format_version"] == "1.0"
    drifted = {entry["id"] for entry in data["resource_drift"]}
    assert len(drifted) == 2 and drifted <= {entry["id"] for entry in data["resource_changes"]}


def test_every_action_has_a_look_and_a_word() -> None:
    assert set(text.LOOK) == set(Action) == set(events.DONE_WORDS)


SAMPLE = b"""version: 1
name: phi4-support
trainig: {num_train_epochs: 1}
model: {name: Phi-4, version: "8"}
"""


def problems() -> list[Diagnostic]:
    parsed = source.load(SAMPLE, "specs/phi4-support.yaml")
    found = [
        Diagnostic("FF120", "unknown key `trainig`", path=("trainig",), hint="did you mean `training`?"),
        Diagnostic("FF136", "`learning_rate: 2` overrides the model's own default, `5e-06`", Severity.NOTE, ("model", "name")),
        Diagnostic("FF142", "fine-tuning of `Phi-4` is deprecated since 2026-01-01", Severity.WARNING, ("model", "version")),
        Diagnostic("FF403", "you may not read `workspace models-dev`: the client has no permission to perform action `read`"),
    ]
    return [parsed.place(diagnostic) if diagnostic.path else diagnostic for diagnostic in found]


def test_diagnostics_as_text() -> None:
    shown = diagnostics.write_all(problems(), PAINT)
    check("diagnostics", shown)
    assert max(cells(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize(
    ("line", "column", "end"),
    [("name: " + "x" * 300, 7, 307), ("a" * 200 + ": oops", 203, 207), ("\t名前: 値", 6, 7), ("key:\x1b[31m red", 5, 9)],
)
def test_the_caret_stands_below_the_fault(line: str, column: int, end: int) -> None:
    span = SourceSpan("a.yaml", 12, column, 12, end, line)
    shown = diagnostics.write(Diagnostic("FF122", "wrong", span=span), PAINT).splitlines()
    text_line, caret_line = shown[-2], shown[-1]
    assert cells(text_line) <= 80 and cells(caret_line) <= 80
    assert "\x1b" not in text_line and "\t" not in text_line
    position = cells(caret_line[: caret_line.index("^")])
    pointed = next(i for i in range(len(text_line)) if cells(text_line[:i]) == position)
    assert text_line[pointed] == line[column - 1].replace("\x1b", "?")


def outcome() -> tuple[Plan, Outcome, list[Event]]:
    made = plans.make()
    steps = {step.key.kind: step for step in made.steps if step.action is Action.CREATE}
    refused = Diagnostic("FF511", "smoke request 1: the answer does not contain `settings`")
    told = [
        Event(EventKind.STARTED, steps["compute"]),
        Event(EventKind.PROGRESS, steps["compute"], "Creating", seconds=1),
        Event(EventKind.PROGRESS, steps["compute"], "Creating", seconds=2),
        Event(EventKind.DONE, steps["compute"], seconds=62),
        Event(EventKind.STARTED, steps["job"]),
        Event(EventKind.LOG, steps["job"], "loading \x1b[31mweights"),
        Event(EventKind.METRIC, steps["job"], values={"step": 40, "loss": 1.23456, "percent": 20, "seconds_left": 95}),
        Event(EventKind.FAILED, steps["job"], seconds=100, diagnostic=Diagnostic("FF503", "`job/x` failed: OutOfMemory")),
        Event(EventKind.REFUSED, steps["deployment"], diagnostic=refused),
        Event(EventKind.SKIPPED, steps["model"], "waits for `create job/x`"),
    ]
    ended = Outcome(made, (steps["compute"].id,), {steps["job"].id: told[7].diagnostic}, {}, {steps["model"].id: steps["job"].id})  # type: ignore[dict-item]
    return made, ended, told


def test_events_as_lines() -> None:
    _, ended, told = outcome()
    lines: list[str] = []
    with events.Lines(lines.append, PAINT) as view:
        for event in told:
            view(event)
    check("events", "\n".join([*lines, events.write_outcome(ended, PAINT)]))


def test_lines_of_logs_of_several_specs_say_whose_they_are() -> None:
    job = next(step for step in plans.make().steps if step.key.kind == "job")
    lines: list[str] = []
    with events.Lines(lines.append, PAINT) as view:
        view(Event(EventKind.LOG, job, "step 1"))
        view(Event(EventKind.LOG, replace(job, id=f"roses: {job.id}", spec="roses", merged=True), "step 1"))
    assert lines == ["    | step 1", "    roses | step 1"]


def test_events_as_json_lines() -> None:
    made, ended, told = outcome()
    lines: list[str] = []
    with stream.JsonLines(lines.append, made) as view:
        for event in told:
            view(event)
        view.end(ended, 1)
    read = [json.loads(line) for line in lines]
    assert [entry["type"] for entry in read[:2]] == ["planned_change", "planned_change"]
    assert read[-1]["type"] == "outcome" and read[-1]["exit_code"] == 1
    assert sum(entry["type"] == "planned_change" for entry in read) == len(made.steps)
    assert all({"@level", "@message", "@timestamp", "type"} <= set(entry) for entry in read)


def test_what_goes_on_running_is_said() -> None:
    made, ended, _ = outcome()
    job = next(step for step in made.steps if step.key.kind == "job" and step.action is Action.CREATE)
    shown = events.write_outcome(replace(ended, failed={}, skipped={}, running=(job.id,)), PAINT)
    assert f"job {job.key.name} keeps running (about 14.69 USD/h while it" in shown
    assert "fineforge destroy" in shown


def test_a_row_without_a_name_leaves_no_empty_line_on_a_narrow_terminal() -> None:
    rows = [("train data", "data/train.jsonl"), ("", "100 rows, 242 messages")]
    assert text.table(rows, Paint(width=30)) == ["train data", "    data/train.jsonl", "    100 rows, 242 messages"]
    assert text.table(rows, Paint(width=80)) == ["train data  data/train.jsonl", "            100 rows, 242 messages"]
