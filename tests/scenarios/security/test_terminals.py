"""What others wrote is shown, and does nothing: it moves no cursor, changes no colour, turns no writing round."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from fineforge import engine
from fineforge.cli import run
from fineforge.views.diagnostics import write_all
from fineforge.views.markdown import write_plans
from fineforge.views.paint import Paint
from fineforge.views.status import write_status
from fineforge.views.text import write_plan
from tests.scenarios.invariants.client import QUICKSTART
from tests.scenarios.stories.telling import Telling
from tests.support.azure_bodies import path_of

HOSTILE = "x\x1b[2J\x9b31m\u202ey\u2066\x07\x08\r\nz"
ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
WIDE = {"tags": {"team": "t"}, "job": {"display_name": "d", "experiment": "e"}, "lifecycle": {"ignore": ["tags.team"]}}
COMMANDS = [
    "validate spec.yaml",
    "validate spec.yaml --json",
    "validate spec.yaml --output github",
    "validate spec.yaml --output sarif",
    "explain spec.yaml",
    "render spec.yaml",
    "render spec.yaml --json",
]
"""Those that need no workspace."""


def spoiled(node: Any) -> Iterator[Any]:
    """The document with one value, or one key, hostile; each of them once."""
    if not isinstance(node, dict | list):
        yield HOSTILE
        return
    for key, entry in list(node.items() if isinstance(node, dict) else enumerate(node)):
        for worse in spoiled(entry):
            changed = copy.copy(node)
            changed[key] = worse
            yield changed
        if isinstance(node, dict):
            yield {HOSTILE if name == key else name: value for name, value in node.items()}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_spec(command: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("XDG_CACHE_HOME", str(project / "cache"))
    whole = yaml.safe_load(QUICKSTART.read_text(encoding="utf-8")) | WIDE
    assert not _shown(capsys, run, ["validate", "spec.yaml"]).count("error")
    codes, count = set(), 0
    for document in spoiled(whole):
        (project / "spec.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        codes.add(run(command.split()))
        shown = capsys.readouterr()
        assert not ACTS.search(shown.out + shown.err), document
        assert "FF001" not in shown.out + shown.err, document
        count += 1
    assert count > 90 and codes == {0, 1}, "some are refused, and some are any text"


def _shown(capsys: pytest.CaptureFixture[str], what: Any, *words: Any) -> str:
    what(*words)
    shown = capsys.readouterr()
    return shown.out + shown.err


def test_a_files_name_and_its_comments(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    folder = project / "specs"
    folder.mkdir()
    (folder / "a\x1b[2J\u202eb.yaml").write_text("name: x  # \u202e\nversion: 1\n", encoding="utf-8")
    for command in ("validate specs", "validate specs --output github", "validate specs --json"):
        shown = _shown(capsys, run, command.split())
        assert "b.yaml" in shown and not ACTS.search(shown), command


def test_the_cases_of_a_policy(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(project)
    (project / "policies").mkdir()
    rules = [{"name": "one", "deny": "true", "message": "no"}]
    cases = [{"name": HOSTILE, "spec": {"name": HOSTILE}, "plan": {"resource_changes": []}, "expect": {}}]
    (project / "policies" / "own.yaml").write_text(yaml.safe_dump({"rules": rules, "tests": cases}), encoding="utf-8")
    (project / "fineforge.yaml").write_text("name: shop\n", encoding="utf-8")
    shown = _shown(capsys, run, ["policy", "test"])
    assert "1 failed" in shown and not ACTS.search(shown)


def test_what_somebody_wrote_into_the_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    told = Telling(tmp_path)
    told.data["deployment"]["environment_variables"] = {"LEVEL": "info"}
    made = told.apply()
    for key in {step.key for step in made.steps if step.key.kind in ("compute", "endpoint", "deployment")}:
        body = copy.deepcopy(dict(told.gateway.get(key) or {}))
        body["tags"] |= {"team": HOSTILE, HOSTILE: HOSTILE}
        if key.kind == "deployment":
            body["properties"]["environmentVariables"] = {"LEVEL": HOSTILE}
        told.gateway.cloud.put(key.kind, path_of(key), body)
        told.gateway.wait(key, lambda _: None, lambda: False)
    made, paint = told.plan(), Paint(False, 80)
    states = engine.status(told.loaded().at("dev"), told.gateway)
    texts = [write_plan(made, paint), write_plans([made], "dev"), write_all(made.diagnostics, paint)]
    texts += [write_status("support", "dev", states, datetime.now(UTC), paint)]
    assert len(made.drift) >= 3 and "x?[2J" in texts[0] and "x?[2J" in texts[1]
    assert not [text for text in texts if ACTS.search(text)]
