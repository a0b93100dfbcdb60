"""`fineforge policy test`: cases beside rules, run without a workspace."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from fineforge.cli import run
from tests.scenarios.stories.telling import Telling

RULES = """\
rules:
  - name: two-instances
    when: has(spec.deployment)
    deny: spec.deployment.instances < 2
    message: "{spec.deployment.instances} instance"
    at: deployment.instances
  - name: nothing-is-deleted
    warn: plan.resource_changes.exists(c, c.action == "delete")
    message: "{plan.resource_changes.filter(c, c.action == 'delete').map(c, c.name)} would go"
"""
CASES = """\
tests:
  - name: one instance is refused
    spec: ../spec.yaml
    expect: {deny: [two-instances]}
  - name: two will do
    spec: {name: x, deployment: {instances: 2}}
    plan: {resource_changes: []}
    expect: {}
  - name: a deletion
    plan: deletion.json
    spec: {name: x}
    expect: {warn: [nothing-is-deleted]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    told = Telling(tmp_path)
    told.loaded()
    (tmp_path / "policies").mkdir()
    write(tmp_path, "own", RULES + CASES)
    plan = {"format_version": "1.3", "resource_changes": [{"name": "e-1", "action": "delete", "kind": "endpoint"}]}
    (tmp_path / "policies" / "deletion.json").write_text(json.dumps(plan), encoding="utf-8")
    (tmp_path / "fineforge.yaml").write_text("name: shop\n", encoding="utf-8")
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / "policies" / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_cases_that_pass(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "test"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "policies/own.yaml",
        "  pass  one instance is refused",
        "  pass  two will do",
        "  pass  a deletion",
        "",
        "3 passed, 0 failed",
    ]
    assert told.err == ""


def test_the_rules_and_cases_of_the_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/how-to/policies.md: they are what it says, beside one another."""
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "policies.md").read_text(encoding="utf-8")
    rules, cases = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if text.startswith(("rules:", "tests:")))
    (folder / "policies" / "deletion.json").unlink()
    write(folder, "own", rules + cases.replace("../specs/support.yaml", "../spec.yaml").replace("    target: prod\n", ""))
    specs = [{"effects": ["retrain"]}]
    retrained = {"format_version": "1.0", "mode": "apply", "target": "dev", "specs": specs, "resource_changes": []}
    (folder / "policies" / "retrained.json").write_text(json.dumps(retrained), encoding="utf-8")
    assert run(["policy", "test"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "4 passed, 0 failed" and told.err == ""


def test_a_plan_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "policies" / "deletion.json").unlink()
    assert run(["policy", "test"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "file `policies/deletion.json` does not exist --> policies/own.yaml" in said


def test_a_spec_without_a_plan_is_planned_where_the_page_says(folder: Path) -> None:
    """docs/how-to/policies.md names the region."""
    rule = "rules:\n  - name: here\n    deny: plan.specs[0].facts.workspace.location != 'eastus'\n    message: elsewhere\n"
    write(folder, "own", rule + "tests:\n  - {name: region, spec: ../spec.yaml, expect: {}}\n")
    assert run(["policy", "test"]) == 0


def test_cases_that_fail_say_what_the_rules_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = CASES.replace("{deny: [two-instances]}", "{}").replace(
        "expect: {}\n  - name: a", "expect: {deny: [two-instances]}\n  - name: a"
    )
    wrong = wrong.replace("{warn: [nothing-is-deleted]}", "{deny: [nothing-is-deleted]}")
    write(folder, "own", RULES + wrong)
    assert run(["policy", "test", "policies/own.yaml"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "policies/own.yaml",
        "  FAIL  one instance is refused",
        "        `two-instances` denies, but should not: 1 instance",
        "  FAIL  two will do",
        "        `two-instances` should deny",
        "  FAIL  a deletion",
        "        `nothing-is-deleted` should deny",
        "        `nothing-is-deleted` warns, but should not: e-1 would go",
        "",
        "0 passed, 3 failed",
    ]


def test_a_file_of_cases_alone_is_about_the_project_file_s_rules(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [{"use": "allowed-sizes", "with": {"sizes": ["Standard_NC96ads_A100_v4"]}}]
    (folder / "fineforge.yaml").write_text(yaml.safe_dump({"name": "shop", "policies": sizes}), encoding="utf-8")
    write(folder, "own", "tests: [{name: not here, spec: ../spec.yaml, expect: {deny: [allowed-sizes]}}]\n")
    assert run(["policy", "test", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "format_version": "1.0",
        "cases": [{"file": str(folder / "policies/own.yaml"), "case": "not here", "passed": True, "wrong": []}],
        "diagnostics": [],
    }


NOT_RUN = {
    "no such spec": ("spec: ../none.yaml, expect: {}", "FF112"),
    "no such plan": ("plan: none.json, expect: {}", "FF324"),
    "no plan at all": ("plan: ../fineforge.yaml, expect: {}", "FF324"),
    "a plan of another time": ("plan: later.json, expect: {}", "FF324"),
    "no such rule": ("plan: deletion.json, spec: {name: x}, expect: {deny: [nobody]}", "FF324"),
    "no spec for a rule that asks": ("plan: deletion.json, expect: {warn: [nothing-is-deleted]}", "FF323"),
}


@pytest.mark.parametrize("name", NOT_RUN)
def test_cases_that_cannot_be_run(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, code = NOT_RUN[name]
    (folder / "policies" / "later.json").write_text('{"format_version": "2.0"}', encoding="utf-8")
    write(folder, "own", f"{RULES}tests:\n  - {{name: {name}, {text}}}\n")
    assert run(["policy", "test", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [found["code"] for found in told["diagnostics"]] == [code]
    assert [case["passed"] for case in told["cases"]] == [False]


def test_rules_that_cannot_be_used_and_files_without_cases(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, "own", "rules: [{name: abc, deny: '1 +', message: x}]\n")
    assert run(["policy", "test", "--json"]) == 1
    assert [found["code"] for found in json.loads(capsys.readouterr().out)["diagnostics"]] == ["FF322"]
    (folder / "policies" / "own.yaml").unlink()
    assert run(["policy", "test"]) == 1
    told = capsys.readouterr()
    assert told.out == "0 passed, 0 failed\n" and "error[FF324]: there is no case to run" in told.err
