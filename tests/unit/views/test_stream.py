"""The lines of an apply: of a real one in memory against the published schema, and of command lines that come to nothing."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fineforge import engine
from fineforge.cli import run
from fineforge.cli.output import Output
from fineforge.core.diagnostics import Diagnostic
from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.plan import Mode
from fineforge.documents import schemas
from fineforge.host.files import Saving
from fineforge.views import stream
from fineforge.views.events import Lines
from fineforge.views.paint import Paint
from tests.scenarios.stories.telling import Telling
from tests.support import single
from tests.unit.views.test_documents import closed

DOCS = Path(__file__).parents[3] / "docs"
PUBLISHED = jsonschema.Draft202012Validator(json.loads((DOCS / "events.schema.json").read_text(encoding="utf-8")))
HEAD = {"@level", "@message", "@timestamp"}


def keys_are_named(line: dict[str, Any]) -> None:
    """Beside what every line has, only what the schema of its type names."""
    schema = schemas.events_schema()
    (shape,) = [entry for entry in schema["oneOf"] if line["type"] in entry.get("properties", {}).get("type", {}).get("enum", ())]
    rest = {key: value for key, value in line.items() if key not in HEAD}
    jsonschema.Draft202012Validator({**closed(shape), "$defs": closed(schema["$defs"])}).validate(rest)


def read(lines: list[str]) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in lines]
    for entry in found:
        PUBLISHED.validate(entry)
        keys_are_named(entry)
    return found


def test_a_line_stays_one() -> None:
    """Whoever cuts the stream by what Unicode calls the end of a line gets whole lines, and the text as it was."""
    text = "a\u2028b\u2029c\x85d\u202ee\x1b[2Jf"
    line = stream.lease_line(text)
    assert len(line.splitlines()) == 1 and "\u202e" not in line
    assert json.loads(line)["@message"] == text


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Telling:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Telling(tmp_path)


def applied(told: Telling, mode: Mode = Mode.APPLY) -> tuple[list[dict[str, Any]], Outcome]:
    made, lines = told.plan(mode), [stream.version_line()]
    with stream.JsonLines(lines.append, made) as view:
        outcome = single.apply(made, told.loaded(), told.gateway, view, threading.Event(), progress=view.preparing)
        view.end(outcome, engine.outcome_exit_code(outcome))
    return read(lines), outcome


def test_a_real_apply(told: Telling) -> None:
    lines, outcome = applied(told)
    types = [entry["type"] for entry in lines]
    steps = len(outcome.plan.steps)
    assert types[: steps + 2] == ["version", *["planned_change"] * steps, "change_summary"]
    assert types[steps + 2 : types.index("apply_start")] == ["data_progress"] * 2
    assert types[-2:] == ["outputs", "outcome"]
    assert types.count("apply_start") == types.count("apply_complete") == steps
    assert "apply_progress" in types
    assert [entry["id"] for entry in lines if entry["type"] == "planned_change"] == [step.id for step in outcome.plan.steps]
    assert all(entry["spec"] == "support" for entry in lines[1:])
    (end,) = [entry for entry in lines if entry["type"] == "outcome"]
    assert end["exit_code"] == 0 and sorted(end["outcome"]["done"]) == sorted(outcome.done)
    (stands,) = [entry["outputs"] for entry in lines if entry["type"] == "outputs"]
    assert set(stands) == {"job", "model", "endpoint", "deployment"}
    assert stands["deployment"]["parent"] == stands["endpoint"]["name"]


def test_applied_again_there_is_nothing_but_what_stands(told: Telling) -> None:
    first, _ = applied(told)
    again, _ = applied(told)
    assert "planned_change" not in {entry["type"] for entry in again}
    assert [entry["outputs"] for entry in first if entry["type"] == "outputs"] == [
        entry["outputs"] for entry in again if entry["type"] == "outputs"
    ]


def test_a_destroy_leaves_no_outputs(told: Telling) -> None:
    applied(told)
    lines, _ = applied(told, Mode.DESTROY)
    assert "outputs" not in {entry["type"] for entry in lines}
    assert lines[-1]["type"] == "outcome"


def test_drift_comes_before_the_changes_that_undo_it(told: Telling) -> None:
    made = applied(told)[1].plan
    key = next(step.key for step in made.steps if step.key.kind == "compute")
    raw = json.loads(json.dumps(told.gateway.get(key)))
    raw["properties"]["properties"]["scaleSettings"]["maxNodeCount"] = 7
    told.gateway.update(key, raw)
    lines, _ = applied(told)
    (drift,) = [entry for entry in lines if entry["type"] == "resource_drift"]
    assert lines.index(drift) < min(number for number, entry in enumerate(lines) if entry["type"] == "planned_change")
    assert [(entry["before"], entry["after"]) for entry in drift["drift"]["changes"].values()] == [(1, 7)]


def test_every_kind_of_event_has_a_line_that_keeps_to_the_schema(told: Telling) -> None:
    made, lines = told.plan(), list[str]()
    view = stream.JsonLines(lines.append, made)
    wrong = Diagnostic("FF503", "`job/x` failed: sig=abcdef")
    for kind in EventKind:
        view(Event(kind, made.steps[0], values={"step": 40, "loss": 1.25}, seconds=1.26))
        view(Event(kind, made.steps[0], "said", diagnostic=wrong))
    found = read(lines)
    assert len({entry["type"] for entry in found}) == len(EventKind)
    assert "abcdef" not in "".join(lines)
    assert next(entry["@message"] for entry in found if entry["type"] == "metric") == "step 40, loss 1.25"
    assert {entry["type"] for entry in found if entry["@level"] == "error"} == {"apply_errored", "gate_refused"}


def test_the_data_is_told_of_once_a_second_and_when_it_is_done(told: Telling) -> None:
    now = 100.0
    clock = lambda: now  # noqa: E731
    written: list[str] = []
    view = stream.JsonLines(written.append, told.plan(), clock)
    for now, rows, wanted, fetched in ((100.5, 0, None, 1 << 20), (101.5, 0, 512, 2 << 20), (101.6, 256, 512, 2 << 20)):  # noqa: B007
        view.preparing("support", "train", rows, wanted, fetched)
    view.preparing("support", "train", 512, 512, 3 << 20)
    view.preparing("support", "train", 512, 512, 3 << 20)
    view.preparing("support", "test", 1, 1, 0)
    found = read(written)
    assert [(entry["split"], entry["rows"], entry["wanted"], entry["fetched"]) for entry in found] == [
        ("train", 0, 512, 2 << 20),
        ("train", 512, 512, 3 << 20),
        ("test", 1, 1, 0),
    ]
    assert found[0]["@message"] == "train data: 0 of 512 rows, 2.0 MiB fetched"
    shown: list[str] = []
    lines, quiet = (Lines(shown.append, Paint(False, 80), quiet, clock) for quiet in (False, True))
    for now in (105.0, 112.0, 113.0, 123.0):
        lines.preparing("support", "train", 256, None, int(now) << 20)
        quiet.preparing("support", "train", 256, None, 0)
    assert shown == [f"    support: train data: 256 rows, {mebibytes} MiB fetched" for mebibytes in (112, 123)]


def test_what_went_wrong_is_in_the_outcome(told: Telling) -> None:
    made, lines = told.plan(), list[str]()
    ids, wrong = [step.id for step in made.steps], Diagnostic("FF503", "failed")
    outcome = Outcome(
        made, (ids[0],), {ids[1]: wrong}, {ids[2]: wrong}, {ids[3]: ids[1]}, (ids[4],), {ids[5]: wrong}, True, wrong
    )
    stream.JsonLines(lines.append, made).end(outcome, 1)
    (end,) = [entry for entry in read(lines) if entry["type"] == "outcome"]
    assert end["outcome"]["lost"]["code"] == "FF503" and end["outcome"]["moved"][ids[5]]["code"] == "FF503"


def test_steps_of_several_specs_say_whose_they_are(told: Telling) -> None:
    made, lines = told.plan(), list[str]()
    steps = tuple(replace(step, id=f"{name}: {step.id}", spec=name) for name in ("a", "b") for step in made.steps)
    merged = replace(made, spec="2 specs", steps=steps)
    with stream.JsonLines(lines.append, merged) as view:
        view(Event(EventKind.STARTED, steps[0]))
        view.end(Outcome(merged, tuple(step.id for step in steps), {}, {}, {}), 0)
    found = read(lines)
    assert {entry["spec"] for entry in found if entry["type"] == "planned_change"} == {"a", "b"}
    assert [entry["spec"] for entry in found if entry["type"] == "outputs"] == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "code"),
    [(["apply", "nowhere.yaml"], "FF112"), (["destroy", "nowhere.yaml"], "FF112"), (["apply", "--bogus"], "FF002")],
)
def test_a_stream_that_comes_to_nothing_begins_with_its_version(
    words: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--json"]) == 1
    shown = capsys.readouterr()
    lines = read(shown.out.splitlines())
    assert [entry["type"] for entry in lines] == ["version", "diagnostic"]
    assert lines[1]["diagnostic"]["code"] == code
    assert shown.err == ""


def test_the_file_says_to_programs_what_people_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "apply.jsonl"
    assert run(["apply", "nowhere.yaml", "--json-into", str(file)]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and "error[FF112]" in shown.err
    lines = read(file.read_text(encoding="utf-8").splitlines())
    assert [entry["type"] for entry in lines] == ["version", "diagnostic"]
    assert list(tmp_path.iterdir()) == [file]


def test_people_and_the_file_follow_one_apply(told: Telling, tmp_path: Path) -> None:
    """What is written into the file is there under its name only when all of it is."""
    file, lines = tmp_path / "apply.jsonl", list[str]()
    output = Output(sys.stdout, sys.stderr, saving=Saving(file))
    made = told.plan()
    with stream.Both(Lines(lines.append, Paint()), stream.JsonLines(output.event, made)) as view:
        outcome = single.apply(made, told.loaded(), told.gateway, view, threading.Event(), progress=view.preparing)
        view.end(outcome, 0)
        assert not file.exists()
    output.close()
    written = read(file.read_text(encoding="utf-8").splitlines())
    assert written[0]["type"] == "version" and written[-1]["type"] == "outcome"
    assert sum("created" in line for line in lines) == sum(entry["type"] == "apply_complete" for entry in written) - 1


def test_several_threads_write_whole_lines(told: Telling) -> None:
    made, lines = told.plan(), list[str]()
    view = stream.JsonLines(lines.append, made)
    threads = [threading.Thread(target=view, args=(Event(EventKind.STARTED, step),)) for step in made.steps * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read(lines)) == len(made.steps) * 5
