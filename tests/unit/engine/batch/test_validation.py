"""Specs without a network: each is looked at where it is for, and two of them only where both are."""

from __future__ import annotations

import pytest

from fineforge.config.loaded import SpecOptions
from fineforge.core.diagnostics import Diagnostic, errors
from fineforge.engine import offline, selection
from tests.unit.engine.batch.test_batch import Repository, repository

__all__ = ["repository"]

TARGETS = {name: {"subscription_id": "s", "resource_group": "g", "workspace": name} for name in ("dev", "prod", "test")}


@pytest.fixture
def project(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.delenv("FINEFORGE_TARGET", raising=False)
    repository.project(targets=TARGETS, default_target="dev")
    return repository


def said(found: selection.Failures) -> dict[str, list[Diagnostic]]:
    return {path.stem: list(errors(diagnostics)) for path, diagnostics in found.items()}


def test_every_overlay_is_looked_at(project: Repository) -> None:
    broken = {"prod": {"deployment": {"size": "Standard_NC24ads_A100_v5"}}, "local": {"deployment": {"instances": 0}}}
    file = project.write("one", overlays=broken)
    found = said(offline.validate_batch(project.load()))["one"]
    assert {problem.code: problem.message.rpartition(" (")[2] for problem in found} == {
        "FF150": "at the target `prod`)",
        "FF123": "at the target `local`)",
    }
    lines = file.read_text(encoding="utf-8").splitlines()
    for problem in found:
        assert problem.span is not None and problem.span.line > lines.index("overlays:"), problem


def test_a_target_that_is_named_is_the_only_one(project: Repository) -> None:
    project.write("one", overlays={"prod": {"deployment": {"instances": 0}}})
    for target, codes in (("dev", []), ("prod", ["FF123"])):
        loaded = selection.load([project.folder / "specs"], options=SpecOptions("dev"))
        found = said(offline.validate_batch(loaded, target))["one"]
        assert [problem.code for problem in found] == codes, target
        assert not any("(at the target" in problem.message for problem in found)
    assert said(offline.validate_batch(project.load(), everywhere=False)) == {"one": []}


def test_what_is_wrong_everywhere_is_said_once(project: Repository) -> None:
    project.write("one", compute={"name": "gpu", "size": "Standard_NC24ads_A100_v5"}, overlays={"prod": {"tags": {"a": "b"}}})
    assert [problem.code for problem in said(offline.validate_batch(project.load()))["one"]] == ["FF150"]


def test_targets_that_a_spec_is_not_for_are_left_out(project: Repository) -> None:
    project.write("one", targets=["test"], overlays={"test": {"deployment": {"instances": 0}}})
    failed = project.load().failed
    assert [[problem.code for problem in problems] for problems in failed.values()] == [["FF123"]], "it is composed for `test`"
    project.write("one", targets=["test", "dev"])
    assert said(offline.validate_batch(project.load())) == {"one": []}


def test_values_that_are_given_for_another_target_may_be_missing(project: Repository) -> None:
    project.project(targets=TARGETS, default_target="dev", variables={"size": {"type": "string"}})
    project.write("one", overlays={"prod": {"deployment": {"size": "${var.size}"}}})
    assert said(offline.validate_batch(project.load())) == {"one": []}
    loaded = selection.load([project.folder / "specs"], options=SpecOptions("prod"))
    assert [problem.code for problems in loaded.failed.values() for problem in problems] == ["FF165"]


def test_two_specs_collide_only_where_both_are(project: Repository) -> None:
    project.write("one", endpoint={"name": "the-desk"}, targets=["dev"])
    project.write("two", endpoint={"name": "the-desk"}, targets=["prod"])
    assert said(offline.validate_batch(project.load())) == {"one": [], "two": []}
    project.write("two", endpoint={"name": "another"}, overlays={"dev": {"endpoint": {"name": "the-desk"}}})
    found = said(offline.validate_batch(project.load()))
    assert {name: [problem.code for problem in problems] for name, problems in found.items()} == {
        "one": ["FF183"],
        "two": ["FF183"],
    }
