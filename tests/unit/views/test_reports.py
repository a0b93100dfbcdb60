"""SARIF and annotations: the same diagnostics, where reviewers' tools look for them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fineforge.cli import run
from fineforge.core.codes import CODES
from fineforge.core.diagnostics import Diagnostic, Severity, SourceSpan
from fineforge.views import reports

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LINE = {"type": "integer", "minimum": 1}
LOG = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "run": {
            "type": "object",
            "required": ["tool", "results"],
            "properties": {
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "properties": {
                        "driver": {
                            "type": "object",
                            "required": ["name", "semanticVersion", "rules"],
                            "properties": {"rules": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/rule"}}},
                        }
                    },
                },
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "rule": {
            "type": "object",
            "required": ["id", "shortDescription", "fullDescription", "help"],
            "properties": {"id": {"type": "string"}, "shortDescription": TEXT, "fullDescription": TEXT, "help": TEXT},
        },
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
            "properties": {
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": TEXT,
                "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
            },
        },
        "location": {
            "type": "object",
            "required": ["physicalLocation"],
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation", "region"],
                    "properties": {
                        "artifactLocation": {
                            "type": "object",
                            "required": ["uri"],
                            "properties": {"uri": {"type": "string", "pattern": r"^[^ \\]+$"}},
                        },
                        "region": {
                            "type": "object",
                            "required": ["startLine"],
                            "properties": {"startLine": LINE, "startColumn": LINE, "endLine": LINE, "endColumn": LINE},
                        },
                    },
                }
            },
        },
    },
}
"""What section 3 of the standard, and what code scanning, ask of the properties that are used here."""

SPEC = """version: 1
name: support
trainig: {num_train_epochs: 1}
model: {name: Phi-5, version: "8"}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "teams" / "my specs").mkdir(parents=True)
    (tmp_path / "teams" / "my specs" / "a.yaml").write_text(SPEC, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "teams")
    return tmp_path


def same(path: str) -> str:
    return path


def log_of(found: reports.Found) -> Any:
    log = json.loads(json.dumps(reports.sarif(found, same)))
    jsonschema.Draft202012Validator(LOG).validate(log)
    return log["runs"][0]


def test_validate_as_sarif(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "my specs/a.yaml", "nowhere.yaml", "--output", "sarif"]) == 1
    shown = capsys.readouterr()
    log = json.loads(shown.out)
    jsonschema.Draft202012Validator(LOG).validate(log)
    results = log["runs"][0]["results"]
    places = [entry["locations"][0]["physicalLocation"] for entry in results]
    first = next(place for entry, place in zip(results, places, strict=True) if entry["ruleId"] == "FF120")
    assert first["artifactLocation"] == {"uri": "teams/my%20specs/a.yaml", "uriBaseId": "%SRCROOT%"}
    assert first["region"] == {"startLine": 3, "startColumn": 1, "endLine": 3, "endColumn": 8}
    assert ("teams/nowhere.yaml", {"startLine": 1}) in [(place["artifactLocation"]["uri"], place["region"]) for place in places]
    assert "error[FF120]" in shown.err and "^^^" in shown.err


def test_validate_as_annotations(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "my specs/a.yaml", "nowhere.yaml", "-o", "github"]) == 1
    lines = capsys.readouterr().out.splitlines()
    start = "::error file=teams/my specs/a.yaml,line=3,col=1,endLine=3,title=FF120%3A "
    assert any(line.startswith(start) and "%0Ahint: did you mean" in line for line in lines)
    assert any(line.startswith("::error file=teams/nowhere.yaml,line=1,title=FF112%3A ") for line in lines)
    assert all(re.fullmatch(r"::(error|warning|notice) [^:]*::.+", line) for line in lines)


def test_a_valid_spec_has_notes_at_most(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = Path(__file__).parents[3] / "specs" / "quickstart.yaml"
    assert run(["validate", str(good), "-o", "github"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines and all(line.startswith("::notice file=") for line in lines)
    assert run(["validate", str(good), "-o", "sarif"]) == 0
    assert {entry["level"] for entry in json.loads(capsys.readouterr().out)["runs"][0]["results"]} == {"note"}


def test_a_selection_that_cannot_be_made_is_reported_too(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", ".", "--select", "changed-since:no-such-ref", "-o", "sarif"]) == 1
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert (result["ruleId"], result["locations"]) == ("FF182", [])


def test_every_code_is_a_rule() -> None:
    told = log_of({"a.yaml": [Diagnostic(code, "wrong") for code in CODES]})
    assert [rule["id"] for rule in told["tool"]["driver"]["rules"]] == sorted(CODES)
    for result in told["results"]:
        assert told["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


@pytest.mark.parametrize("severity", Severity)
def test_severities(severity: Severity) -> None:
    found = {"": [Diagnostic("FF120", "wrong", severity)]}
    assert log_of(found)["results"][0]["level"] == severity.value
    assert reports.workflow_commands(found, same).startswith({"note": "::notice "}.get(severity, f"::{severity.value} "))


def test_a_problem_is_told_once() -> None:
    found = {"a.yaml": [Diagnostic("FF120", "wrong"), Diagnostic("FF120", "wrong")]}
    assert len(log_of(found)["results"]) == len(reports.workflow_commands(found, same).splitlines()) == 1


def test_what_specs_say_stays_text() -> None:
    said = "x%\r\n::error::y, [a](https://example.com) {0} \x1b[31m"
    span = SourceSpan("a,b:c%.yaml", 1, 2, 1, 3)
    found = {"": [Diagnostic("FF120", said, span=span)]}
    line = reports.workflow_commands(found, same)
    assert "\n" not in line and "\x1b" not in line
    assert line.startswith("::error file=a%2Cb%3Ac%25.yaml,line=1,col=2,endLine=1,title=FF120%3A ")
    assert line.endswith("::x%25%0A::error::y, [a](https://example.com) {0} ?[31m")
    (result,) = log_of(found)["results"]
    assert result["message"]["text"] == "x%\n::error::y, \\[a\\](https://example.com) {{0}} ?\\[31m"


def test_secrets_are_in_no_report() -> None:
    found = {"": [Diagnostic("FF400", "https://x/c?sig=abcdef is refused", hint="Bearer abc.def")]}
    told = json.dumps(reports.sarif(found, same)) + reports.workflow_commands(found, same)
    assert "abcdef" not in told and "abc.def" not in told
