"""What programs read keeps to its published schemas, in every situation that the planner knows, and says nothing beyond them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fineforge.cli import run
from fineforge.core.diagnostics import Diagnostic
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, ChangeReason, FieldChange, Mode, Plan, Step, StepReason
from fineforge.documents import effects, events, schemas
from fineforge.documents import plan as as_json
from fineforge.documents.wording import explains, reason_text
from tests.unit.planner.case import Case, folders
from tests.unit.views import plans

DOCS = Path(__file__).parents[3] / "docs"
CASES = {folder.name: folder for folder in folders()}
MADE = {"made": plans.make, "destroyed": lambda: plans.make(Mode.DESTROY, plans.world(plans.desired()))}


@cache
def case(name: str) -> Plan:
    return Case(CASES[name]).plan() if name in CASES else MADE[name]()


def closed(schema: Any) -> Any:
    """The same schema, but for keys that it does not name: published it allows them, we must not write any."""
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    told = {key: closed(value) for key, value in schema.items()}
    return told | ({"additionalProperties": False} if "properties" in told and "additionalProperties" not in told else {})


PUBLISHED = jsonschema.Draft202012Validator(json.loads((DOCS / "plan.schema.json").read_text(encoding="utf-8")))
CLOSED = jsonschema.Draft202012Validator(closed(schemas.plan_schema()))


def data(*made: Plan, **more: Any) -> Any:
    return json.loads(json.dumps(as_json.plan_data(made, **more)))


@pytest.mark.parametrize("name", [*CASES, *MADE])
def test_every_plan_keeps_to_the_schema(name: str) -> None:
    made = case(name)
    found = data(made)
    PUBLISHED.validate(found)
    CLOSED.validate(found)
    assert [entry["id"] for entry in found["resource_changes"]] == [step.id for step in made.steps]
    assert {entry["id"] for entry in found["resource_drift"]} >= {step.id for step in made.drift}
    assert len(found["diagnostics"]) == len(made.diagnostics)


def test_the_published_schemas_are_current() -> None:
    made = {"plan": schemas.plan_schema(), "events": schemas.events_schema(), "answers": schemas.answers_schema()}
    for name, schema in made.items():
        written = json.loads((DOCS / f"{name}.schema.json").read_text(encoding="utf-8"))
        assert written == schema, "run `make schema`"
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_cases_are_found_and_have_what_a_plan_can_have() -> None:
    assert len(CASES) >= 90
    found = [data(case(name)) for name in CASES]
    actions = {entry["action"] for plan in found for entry in plan["resource_changes"]}
    assert actions == {action.value for action in Action}
    assert any(plan["resource_drift"] for plan in found)
    assert any(plan["diagnostics"] for plan in found)
    assert any(entry["fallback"] for plan in found for entry in plan["resource_changes"])


def test_a_later_minor_version_is_read_and_another_major_version_is_refused() -> None:
    found = data(case("made"))
    PUBLISHED.validate(found | {"format_version": "1.7", "something_new": 1})
    for other in ("2.0", "10.0", "1", ""):
        with pytest.raises(jsonschema.ValidationError, match="does not match"):
            PUBLISHED.validate(found | {"format_version": other})


def test_many_plans_are_one_document() -> None:
    wrong = Diagnostic("FF112", "file `c.yaml`")
    found = data(case("made"), case("retrain"), unplanned={"c.yaml": [wrong, wrong]}, files={"phi4-support": "specs/a.yaml"})
    CLOSED.validate(found)
    assert [(entry["name"], entry["file"], entry["errored"]) for entry in found["specs"]] == [
        ("phi4-support", "specs/a.yaml", False),
        ("support", None, False),
        (None, "c.yaml", True),
    ]
    assert found["errored"]
    assert [(entry["file"], entry["code"]) for entry in found["diagnostics"]] == [("c.yaml", "FF112")]
    assert {entry["spec"] for entry in found["resource_changes"]} == {"phi4-support", "support"}
    assert found["counts"]["add"] == sum(entry["counts"].get("add", 0) for entry in found["specs"])


def test_nothing_that_could_be_planned_is_a_document_too() -> None:
    found = data(unplanned={"c.yaml": [Diagnostic("FF112", "file `c.yaml`")]}, mode=Mode.DESTROY)
    CLOSED.validate(found)
    assert (found["mode"], found["target"], found["errored"]) == ("destroy", None, True)


def test_drift_is_told_apart() -> None:
    """A step that also changes something else is no drift by itself, but what somebody changed is told all the same."""
    found = data(case("compute-drift-and-change"))
    (drift,) = found["resource_drift"]
    (change,) = [entry for entry in found["resource_changes"] if entry["id"] == drift["id"]]
    assert set(drift["changes"]) < set(change["changes"])
    for path, entry in drift["changes"].items():
        assert (entry["before"], entry["after"]) == (change["changes"][path]["after"], change["changes"][path]["before"])


EFFECTS = {
    "nothing-exists": "train deploy",
    "no-deployment-wanted": "train",
    "retrain": "retrain redeploy",
    "rollout-in-place": "retrain redeploy",
    "job-completed": "register deploy",
    "smoke-gate": "redeploy",
    "registered-model": "deploy",
    "all-as-wanted": "",
    "compute-drift": "settings",
    "compute-being-deleted": "prepare",
    "rollback": "traffic",
    "rollout-goes-on": "traffic remove",
    "model-archived": "restore",
    "destroy-all": "remove",
    "destroy-nothing": "",
}


@pytest.mark.parametrize("name", EFFECTS)
def test_what_happens_in_a_word(name: str) -> None:
    assert " ".join(effects.effects(case(name))) == EFFECTS[name]


def test_every_effect_has_words() -> None:
    assert set(effects.WORDS) == set(effects.Effect)
    assert effects.headline(()) == "no changes"
    assert effects.headline((effects.Effect.TRAFFIC,)) == "moves traffic only"
    assert effects.headline((effects.Effect.RETRAIN, effects.Effect.REDEPLOY)) == "retrains, redeploys"


def secret_plan(path: str, before: Any, after: Any) -> Plan:
    key = ResourceKey("deployment", "d-1", parent="e")
    change = FieldChange(path, before, after, Action.UPDATE, ChangeReason.SPEC)
    return Plan(1, Mode.APPLY, "dev", "a", "0", {}, (Step("update it", key, Action.UPDATE, StepReason.CHANGED, (change,)),))


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("environment_variables.HF_TOKEN", True),
        ("environment_variables.api_key", True),
        ("environment_variables.OPENAI_APIKEY", True),
        ("environment_variables.STORAGE_CONNECTION_STRING", True),
        ("environment_variables.MAX_TOTAL_TOKENS", False),
        ("environment_variables.LOG_LEVEL", False),
        ("environment_variables.MONKEY", False),
    ],
)
def test_a_variable_whose_name_says_that_it_is_a_secret_is_hidden(path: str, hidden: bool) -> None:
    shown = json.dumps(data(secret_plan(path, None, "hunter2!")))
    assert ("hunter2!" not in shown) is hidden


def test_what_looks_like_a_secret_is_taken_out_wherever_it_is() -> None:
    url = "https://x.blob.core.windows.net/c?sv=1&sig=abcdef"
    assert "abcdef" not in json.dumps(data(secret_plan("environment_variables", None, {"URL": url, "many": [url]})))
    wrong = Diagnostic("FF400", f"`{url}` is refused", hint=f"look at {url}")
    assert "abcdef" not in json.dumps(data(unplanned={"a.yaml": [wrong]}))


def line_validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schemas.events_schema())


def examples() -> Iterator[dict[str, Any]]:
    head = {"@level": "info", "@message": "", "@timestamp": "2026-11-24T00:00:00+00:00"}
    yield head | {"type": "version", "fineforge": "0.1.0", "format_version": "1.3"}
    yield head | {"type": "something_new", "whatever": 1}


def test_lines_of_a_later_minor_version_are_read() -> None:
    for line in examples():
        line_validator().validate(line)


@pytest.mark.parametrize("broken", [{"format_version": "2.0"}, {"fineforge": None}, {"@level": "loud"}])
def test_lines_that_break_the_schema_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        line_validator().validate(next(examples()) | broken)


def test_every_type_of_line_has_one_shape() -> None:
    words = [word for line in events.LINES for word in line.type]
    assert len(words) == len(set(words)) >= 16


def test_json_into_a_place_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "a.yaml", "--json-into", str(tmp_path / "nowhere" / "plan.json")]) == 1
    assert "FF007" in capsys.readouterr().err
    assert run(["plan", "a.yaml", "--json-into", str(tmp_path)]) == 1
    assert "is a directory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_spec_that_cannot_be_read_is_in_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "plan.json"
    assert run(["plan", str(tmp_path / "a.yaml"), "--json", "--json-into", str(file)]) == 1
    found = json.loads(capsys.readouterr().out)
    CLOSED.validate(found)
    assert [entry["code"] for entry in found["diagnostics"]] == ["FF112"]
    assert json.loads(file.read_text(encoding="utf-8")) == found
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("words", [["--json"], ["--output", "markdown"]], ids=" ".join)
def test_a_name_that_is_no_text_is_told_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.yaml")).write_text("version: 1\nname: tea\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("version: 1\nname: tee\n", encoding="utf-8")
    file = tmp_path / "plan.json"
    assert run(["plan", str(tmp_path), *words, "--json-into", str(file)]) == 1
    assert "caf\ufffd.yaml" in capsys.readouterr().out and "caf\ufffd.yaml" in file.read_text(encoding="utf-8")


def test_a_file_of_an_earlier_run_stays_where_the_command_line_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "plan.json"
    file.write_text("earlier", encoding="utf-8")
    assert run(["plan", "a.yaml", "--json-into", str(file), "--json", "--output", "markdown"]) == 1
    assert "different formats" in capsys.readouterr().out
    assert file.read_text(encoding="utf-8") == "earlier"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("reason", StepReason)
def test_every_reason_has_words_that_hold_what_the_step_names(reason: StepReason) -> None:
    step = Step("u", ResourceKey("endpoint", "e"), Action.UPDATE, reason, names=("{x}", "two"), value="7")
    text = reason_text(step)
    assert text and "{names}" not in text and "{value}" not in text
    assert ("`two`" in text) <= ("`{x}`, `two`" in text)


def test_a_name_that_reads_like_a_reason_hides_no_reason_of_a_change() -> None:
    change = FieldChange("auth_mode", "key", "aad_token", Action.UPDATE, ChangeReason.DRIFT)
    named = Step("u", ResourceKey("endpoint", "e"), Action.UPDATE, StepReason.FIXED_FIELDS, (change,), names=("drift",))
    assert not explains(named, change)
    assert explains(replace(named, reason=StepReason.DRIFTED), change)
