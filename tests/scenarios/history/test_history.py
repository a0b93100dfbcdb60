"""What git knows of specs; and going back: an older commit's plan trains nothing, and switches to what is still there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fineforge import engine
from fineforge.core.diagnostics import FineforgeError, errors
from fineforge.core.plan import Action, Plan
from fineforge.engine import batch, planfile
from fineforge.host import git
from tests.scenarios.stories.telling import Telling
from tests.support import single
from tests.support.memory import MemoryGateway

QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
WHO = {f"GIT_{role}_{what}": "t@t" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def ask(folder: Path, *words: str) -> str:
    environment = {**os.environ, **QUIET, **WHO}
    return subprocess.run(["git", *words], cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str) -> str:
    ask(folder, "add", ".")
    ask(folder, "commit", "-qm", message)
    return ask(folder, "rev-parse", "HEAD")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Telling:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Telling(tmp_path / "repository")
    (made.folder / ".gitignore").write_text("cloud\n", encoding="utf-8")
    ask(made.folder, "init", "-q", "-b", "main")
    git.source.cache_clear()
    return made


def at(told: Telling, reference: str) -> Plan:
    with git.at(reference, [told.folder / "spec.yaml"]) as (spec,):
        made = single.plan(single.load(spec), told.gateway).plan
        outcome = single.apply(made, single.load(spec), told.gateway, lambda _: None)
    assert engine.outcome_exit_code(outcome) == 0, outcome
    return made


def test_a_rollback_trains_nothing_and_switches_to_what_is_still_there(told: Telling) -> None:
    told.data["deployment"]["keep_previous"] = 1
    told.apply()
    first = commit(told.folder, "first")
    before = told.plan()
    told.data["training"]["num_train_epochs"] = 2
    told.rows("train", 100)
    told.apply()
    commit(told.folder, "second")
    submitted = list(told.gateway.submitted)
    assert len(submitted) == 2

    made = at(told, first)
    assert told.gateway.submitted == submitted, "nothing is trained again"
    deployment = next(step.key for step in before.steps if step.key.kind == "deployment")
    assert next(step for step in made.steps if step.key == deployment).action is Action.NOOP, "it was kept"
    endpoint = next(step.key for step in before.steps if step.key.kind == "endpoint")
    traffic = (told.gateway.get(endpoint) or {})["properties"]["traffic"]
    assert {name: share for name, share in traffic.items() if share} == {deployment.name: 100}
    assert {step.action for step in at(told, first).steps} == {Action.NOOP}
    assert told.plan().writes, "the files here still say something else"


def test_a_rollback_ends_the_job_that_it_takes_back(told: Telling) -> None:
    """All that the older commit wants is there; what the newer one began would run on, and bill, for nobody."""
    told.apply()
    first = commit(told.folder, "first")
    told.data["training"]["num_train_epochs"] = 2
    until = next(number for number, step in enumerate(told.plan().writes) if step.key.kind == "job")
    told.gateway.dies = (len(told.gateway.writes) + until, True)
    told.carry_out(told.plan())
    told.gateway.dead, told.gateway.dies = False, None
    (newer,) = [key for key, raw in told.gateway.list("job").items() if raw["properties"]["status"] != "Completed"]

    assert [(step.action, step.key) for step in at(told, first).writes] == [(Action.CANCEL, newer)]
    assert (told.gateway.get(newer) or {})["properties"]["status"] == "Canceled"
    assert at(told, first).writes == ()


def test_data_that_git_does_not_hold_is_not_there_at_a_commit(told: Telling) -> None:
    (told.folder / ".gitignore").write_text("cloud\ndata\n", encoding="utf-8")
    told.loaded()
    first = commit(told.folder, "first")
    with git.at(first, [told.folder / "spec.yaml"]) as (spec,), pytest.raises(FineforgeError) as caught:
        single.plan(single.load(spec), told.gateway)
    assert {found.code for found in caught.value.diagnostics} == {"FF601"}
    assert all(found.hint.startswith(f"commit {first[:12]} does not contain it") for found in caught.value.diagnostics)
    assert told.plan().writes, "here it is"


def test_a_rollback_to_a_deployment_that_is_gone_makes_it_again(told: Telling) -> None:
    told.apply()
    first = commit(told.folder, "first")
    told.data["training"]["num_train_epochs"] = 2
    told.apply()
    made = at(told, first)
    done = {(step.key.kind, step.action) for step in made.writes}
    assert done == {("deployment", Action.CREATE), ("endpoint", Action.UPDATE), ("deployment", Action.DELETE)}
    assert len(told.gateway.submitted) == 2


def test_every_object_says_which_commit_it_is_of(told: Telling) -> None:
    told.loaded()
    ask(told.folder, "remote", "add", "origin", "https://somebody:ghp_secret@github.com/shop/models.git")
    first = commit(told.folder, "first")
    git.source.cache_clear()
    told.apply()
    tags = [dict(raw.get("tags") or raw["properties"].get("tags") or {}) for raw in _all(told.gateway)]
    assert {found["fineforge-source"] for found in tags} == {f"https://github.com/shop/models.git@{first}"}
    ask(told.folder, "commit", "-q", "--allow-empty", "-m", "second")
    git.source.cache_clear()
    assert told.pending() == [], "another commit alone changes nothing"


def _all(gateway: MemoryGateway) -> list[dict[str, Any]]:
    found = [gateway.list(kind) for kind in ("compute", "endpoint", "job")]
    found += [gateway.list(kind, name) for kind in ("data", "model") for name in gateway.names(kind)]
    return [dict(raw) for raws in found for raw in raws.values()]


def test_the_files_as_they_were(told: Telling) -> None:
    told.loaded()
    first = commit(told.folder, "first")
    (told.folder / "spec.yaml").write_text("version: 1\n", encoding="utf-8")
    (told.folder / "later.yaml").write_text("version: 1\n", encoding="utf-8")
    commit(told.folder, "second")
    with git.at(first[:10], [told.folder, told.folder / "spec.yaml"]) as (folder, spec):
        assert not (folder / "later.yaml").exists()
        assert yaml.safe_load(spec.read_text(encoding="utf-8"))["name"] == "support"
        assert git.source(folder) == first
        place = folder
    assert not place.exists()
    assert ask(told.folder, "worktree", "list").count("\n") == 0, "and git forgets about it"


@pytest.mark.parametrize("reference", ["nowhere", "HEAD~9", "--help", ""])
def test_a_commit_that_is_not_there(told: Telling, reference: str) -> None:
    told.loaded()
    commit(told.folder, "first")
    with pytest.raises(FineforgeError) as caught, git.at(reference, [told.folder]):
        pass
    assert caught.value.diagnostics[0].code == "FF182"


def test_a_file_that_was_not_there(told: Telling) -> None:
    first = commit(told.folder, "first")
    told.loaded()
    commit(told.folder, "second")
    with pytest.raises(FineforgeError) as caught, git.at(first, [told.folder / "spec.yaml"]):
        pass
    (found,) = errors(caught.value.diagnostics)
    assert found.code == "FF182" and "does not exist at" in found.message
    assert ask(told.folder, "worktree", "list").count("\n") == 0


def test_the_command_line_validates_and_plans_at_a_commit(told: Telling) -> None:
    told.loaded()
    first = commit(told.folder, "first")
    (told.folder / "spec.yaml").write_text("version: 1\n", encoding="utf-8")
    words = [sys.executable, "-m", "fineforge", "plan", "spec.yaml", "--target", "nowhere"]
    environment = {**os.environ, "COLUMNS": "200"}
    broken = subprocess.run(words, cwd=told.folder, capture_output=True, text=True, env=environment, check=False)
    assert "FF121" in broken.stderr
    older = subprocess.run([*words, "--at", first], cwd=told.folder, capture_output=True, text=True, env=environment, check=False)
    assert "FF161" in older.stderr and "FF121" not in older.stderr


@pytest.mark.parametrize("words", [["spec.yaml"], ["."], [".", "--json"], [".", "--output", "markdown"]], ids=" ".join)
def test_files_of_another_commit_are_called_as_they_are_now(told: Telling, words: list[str]) -> None:
    """The work tree that they are read from is gone when somebody reads of it."""
    told.loaded()
    spec = told.folder / "spec.yaml"
    good = spec.read_text(encoding="utf-8")
    spec.write_text(good + "nonsense: 1\n", encoding="utf-8")
    broken = commit(told.folder, "broken")
    spec.write_text(good, encoding="utf-8")
    command = [sys.executable, "-m", "fineforge", "plan", *words, "--target", "local", "--at", broken]
    environment = {**os.environ, "FINEFORGE_EMULATOR_HOME": str(told.folder)}
    said = subprocess.run(command, cwd=told.folder, capture_output=True, text=True, env=environment, check=False)
    assert said.returncode == 1 and "nonsense" in said.stdout + said.stderr and "spec.yaml" in said.stdout + said.stderr
    assert "fineforge-at" not in said.stdout + said.stderr


def test_a_saved_plan_of_another_commit_is_applied_as_of_that_commit(told: Telling) -> None:
    """Its work tree is gone by then, and the spec that is worked in says something else."""
    told.apply()
    first = commit(told.folder, "first")
    spec, file = told.folder / "spec.yaml", told.folder / "plan.json"
    told.data["deployment"]["instances"] = 2
    told.apply()
    commit(told.folder, "second")
    with git.at(first, [spec]) as (older,):
        planfile.save([(older, single.plan(single.load(older), told.gateway).plan)], file)
    assert [path for path, _ in planfile.load(file)] == [spec]
    with planfile.opened(file) as entries:
        ((loaded, made),) = batch.saved(entries).plans
        assert engine.outcome_exit_code(single.apply(made, loaded, told.gateway, lambda _: None)) == 0
    assert ask(told.folder, "worktree", "list").count("\n") == 0
    assert [change.after for step in told.plan().writes for change in step.changes] == [2]
    with pytest.raises(FineforgeError, match="FF523"):
        batch.saved(planfile.load(file))
