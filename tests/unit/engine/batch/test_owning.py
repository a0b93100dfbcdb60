"""Whose objects are: adopted, let go, orphaned; and what is deleted for want of a file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fineforge import engine
from fineforge.config import project
from fineforge.core.diagnostics import FineforgeError, errors
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, Mode, Plan
from fineforge.engine import batch, orphans, selection
from fineforge.planner import check_plan
from fineforge.resources.kinds import KINDS
from tests.support import single
from tests.support.azure_bodies import path_of
from tests.unit.engine.batch.test_batch import CLUSTER, Repository, repository
from tests.unit.planner.case import crossing

__all__ = ["repository"]

THEIRS = {"team": "theirs"}


def whose(repository: Repository, key: ResourceKey) -> str | None:
    tags = repository.tags(key)
    if not tags:
        raw = repository.gateway.get(key) or {}
        tags = dict((raw.get("properties") or {}).get("tags") or {})
    return tags.get("fineforge-spec")


def carry_out(repository: Repository, made: Plan, name: str = "one") -> None:
    assert not errors(made.diagnostics), made.diagnostics
    assert check_plan(made) == ()
    loaded = next((one for one in repository.load().specs if one.spec.name == name), None)
    loaded = loaded or orphans.nameless(name, project.find(repository.folder / "specs"))
    outcome = single.apply(made, loaded, repository.gateway, lambda _: None)
    assert engine.outcome_exit_code(outcome) == 0, outcome


def loaded(repository: Repository, name: str = "one") -> engine.SpecFile:
    return next(one for one in repository.load().specs if one.spec.name == name)


def disown(repository: Repository, key: ResourceKey) -> None:
    """As if somebody had made it by hand."""
    body = dict(repository.gateway.get(key) or {})
    body["tags"] = dict(THEIRS)
    repository.gateway.cloud.put(key.kind, path_of(key), body)
    repository.gateway.wait(key, lambda _: None, lambda: False)


def test_a_cluster_and_an_endpoint_are_adopted_as_they_are(repository: Repository) -> None:
    repository.write("one", endpoint={"name": "the-desk"})
    repository.apply()
    endpoint = ResourceKey("endpoint", "the-desk")
    for key in (CLUSTER, endpoint):
        disown(repository, key)
    planned = repository.plan()
    assert [found.code for _, made in planned.plans for found in errors(made.diagnostics)] == ["FF303"], "the endpoint is taken"
    before = {key: dict(repository.gateway.get(key) or {}) for key in (CLUSTER, endpoint)}
    made = orphans.adopt(loaded(repository).at("dev"), repository.gateway, ["compute", "endpoint"])
    assert [step.action for step in made.steps] == [Action.UPDATE, Action.UPDATE]
    carry_out(repository, made)
    for key in (CLUSTER, endpoint):
        assert whose(repository, key) == "one" and repository.tags(key)["team"] == "theirs"
        kind = KINDS[key.kind]
        was, now = (kind.observe(key, raw).document for raw in (before[key], repository.gateway.get(key) or {}))
        assert now == was
    again = orphans.adopt(loaded(repository).at("dev"), repository.gateway, ["compute", "endpoint"])
    assert {step.action for step in again.steps} == {Action.NOOP}
    assert not repository.plan().broken


def test_what_differs_after_an_adoption_is_the_specs_change(repository: Repository) -> None:
    repository.write("one", endpoint=None, deployment=None)
    repository.apply()
    disown(repository, CLUSTER)
    repository.write(
        "one", endpoint=None, deployment=None, compute={"name": "gpu-a100", "size": "Standard_NC96ads_A100_v4", "max_nodes": 3}
    )
    carry_out(repository, orphans.adopt(loaded(repository).at("dev"), repository.gateway, ["compute"]))
    planned = repository.plan()
    ((_, made),) = planned.plans
    (step,) = made.writes
    changes = {change.path: change.reason for change in step.changes}
    assert changes == {"max_instances": "spec", "tags.team": "spec"}
    assert made.drift == ()


def test_a_deployment_of_somebody_is_adopted_and_then_replaced(repository: Repository) -> None:
    repository.write("one", endpoint={"name": "the-desk"})
    repository.apply()
    ((_, made),) = repository.plan().plans
    ours = next(step.key for step in made.steps if step.key.kind == "deployment")
    body = dict(repository.gateway.get(ours) or {}) | {"tags": {}}
    blue = ResourceKey("deployment", "blue", parent="the-desk")
    repository.gateway.cloud.put("deployment", path_of(blue), body)
    repository.gateway.wait(blue, lambda _: None, lambda: False)
    carry_out(repository, orphans.adopt(loaded(repository).at("dev"), repository.gateway, ["deployment/blue"]))
    ((_, made),) = repository.plan().plans
    assert [step.action for step in made.writes] == [Action.DELETE] and made.writes[0].key == blue


@pytest.mark.parametrize("word", ["model", "deployment", "compute/other", "endpoint/other", "nonsense", "deployment/"])
def test_what_cannot_be_named_cannot_be_adopted(repository: Repository, word: str) -> None:
    repository.write("one")
    with pytest.raises(FineforgeError) as caught:
        orphans.adopt(loaded(repository).at("dev"), repository.gateway, [word])
    assert [found.code for found in caught.value.diagnostics] == ["FF190"]


def test_what_cannot_be_adopted(repository: Repository) -> None:
    repository.write("one")
    repository.write("two")
    repository.apply()
    repository.write("three", endpoint={"name": "nowhere-yet"})
    made = orphans.adopt(loaded(repository, "three").at("dev"), repository.gateway, ["compute", "endpoint"])
    theirs, absent = made.diagnostics
    assert theirs.code == absent.code == "FF190"
    assert "`one`" in theirs.message and "does not exist" in absent.message
    size = {"name": "gpu-a100", "size": "Standard_NC96ads_A100_v4", "existing": True}
    repository.write("three", compute=size)
    (found,) = orphans.adopt(loaded(repository, "three").at("dev"), repository.gateway, ["compute"]).diagnostics
    assert found.code == "FF190" and found.path == ("compute", "existing")


def test_what_is_forgotten_is_nobodys_and_stays(repository: Repository) -> None:
    for name in ("one", "two"):
        repository.write(name)
    repository.apply()
    made = orphans.forget(loaded(repository).at("dev"), repository.gateway, [])
    kinds = {step.key.kind for step in made.steps}
    assert kinds == {"compute", "data", "job", "model", "endpoint", "deployment"}
    assert crossing(made) == [], "a deployment is not written to while its endpoint is"
    carry_out(repository, made)
    tags = repository.tags(CLUSTER)
    assert "fineforge-project" not in tags and "fineforge-used-by-two" in tags and "fineforge-used-by-one" not in tags
    assert all(repository.gateway.get(step.key) is not None for step in made.steps)
    assert orphans.forget(loaded(repository).at("dev"), repository.gateway, []).steps == ()
    gone = single.plan(loaded(repository), repository.gateway, Mode.DESTROY).plan
    assert gone.writes == (), "nothing is deleted that is not ours any more"
    model = next(step.key for step in made.steps if step.key.kind == "model")
    raw = repository.gateway.get(model) or {}
    assert "fineforge-base-model" in raw["properties"]["tags"], "what it was made of is still true"


def test_one_kind_is_forgotten(repository: Repository) -> None:
    repository.write("one")
    repository.apply()
    assert {step.key.kind for step in orphans.forget(loaded(repository).at("dev"), repository.gateway, ["endpoint"]).steps} == {
        "endpoint"
    }


def test_a_spec_without_a_file_is_destroyed_by_its_name(repository: Repository) -> None:
    one = repository.write("one")
    repository.write("two")
    repository.apply()
    one.unlink()
    where = project.find(repository.folder / "specs")
    one_end = orphans.nameless("one", where).at("dev")
    made = orphans.plan_destroy_by_name(one_end, repository.gateway)
    assert {step.key.kind for step in made.writes} == {"endpoint", "model", "job", "data"}, "the cluster is used by another"
    carry_out(repository, made)
    assert repository.plan().writes == 0, "the other spec is as it was"
    again = orphans.plan_destroy_by_name(one_end, repository.gateway)
    assert again.writes == ()
    with pytest.raises(FineforgeError) as caught:
        orphans.plan_destroy_by_name(orphans.nameless("nobody", where).at("dev"), repository.gateway)
    assert caught.value.diagnostics[0].code == "FF191"


def pruned(repository: Repository, *select: str, allow: bool = True, paths: list[Path] | None = None) -> batch.Planned:
    found = selection.load(paths or [repository.folder / "specs"], select)
    planned = batch.plan(found, repository.gateway)
    return orphans.with_orphans(planned, found, repository.gateway, allow)


def test_what_no_spec_wants_is_pruned(repository: Repository) -> None:
    for name in ("one", "two", "three"):
        repository.write(name)
    repository.apply()
    (repository.folder / "specs" / "one.yaml").unlink()
    (repository.folder / "specs" / "three.yaml").unlink()
    assert [found.spec for found in orphans.find_orphans(["two"], "shop", repository.gateway)] == ["one", "three"]
    planned = pruned(repository)
    assert check_plan(planned.merged) == ()
    assert not any(step.key == CLUSTER and step.action is Action.DELETE for _, made in planned.plans for step in made.steps)
    assert engine.outcome_exit_code(repository.apply(planned)) == 0
    assert {have.key for found in orphans.find_orphans(["two"], "shop", repository.gateway) for have in found.objects} == {
        CLUSTER
    }
    assert orphans.find_orphans(["two"], "shop", repository.gateway, {CLUSTER}) == [], "another spec uses it, whoever made it"
    assert [made.spec for _, made in pruned(repository).plans] == ["two"]
    assert repository.plan().writes == 0


def test_specs_that_go_together_leave_one_cluster(repository: Repository) -> None:
    """Each takes its own mark off it, and its owner changes it: one write after the other."""
    for name in ("one", "two", "three"):
        repository.write(name)
    repository.apply()
    for name in ("two", "three"):
        (repository.folder / "specs" / f"{name}.yaml").unlink()
    repository.write("one", compute={"name": CLUSTER.name, "size": "Standard_NC96ads_A100_v4", "max_nodes": 4})
    planned = pruned(repository)
    assert len([step for _, made in planned.plans for step in made.writes if step.key == CLUSTER]) == 3
    assert check_plan(planned.merged) == ()
    assert engine.outcome_exit_code(repository.apply(planned)) == 0
    assert not [tag for tag in repository.tags(CLUSTER) if "used-by" in tag and not tag.endswith("-one")]
    assert (repository.gateway.get(CLUSTER) or {})["properties"]["properties"]["scaleSettings"]["maxNodeCount"] == 4
    assert repository.plan().writes == 0 and pruned(repository).writes == 0


def test_other_projects_are_not_touched(repository: Repository) -> None:
    repository.write("one")
    repository.apply()
    repository.project()
    (repository.folder / "specs" / "fineforge.yaml").write_text("name: other\n", encoding="utf-8")
    repository.write("two", compute={"name": "gpu-b", "size": "Standard_NC96ads_A100_v4"})
    (repository.folder / "specs" / "one.yaml").unlink()
    assert [made.spec for _, made in pruned(repository).plans] == ["two"]


def refused(repository: Repository, *select: str, **more: Any) -> str:
    with pytest.raises(FineforgeError) as caught:
        pruned(repository, *select, **more)
    found, *why = caught.value.diagnostics
    assert found.code == "FF192" and found.hint
    assert bool(why) == ("not every spec" in found.message), "what is to be mended is said"
    return found.message


def test_when_nothing_may_be_pruned(repository: Repository) -> None:
    specs = repository.folder / "specs"
    repository.write("one")
    (specs / "team").mkdir()
    text = (specs / "one.yaml").read_text(encoding="utf-8").replace("name: one", "name: two")
    (specs / "team" / "two.yaml").write_text(text.replace("data/support", "../data/support"), encoding="utf-8")
    assert "it deletes" in refused(repository, allow=False)
    assert "selected" in refused(repository, "one")
    assert "was not read" in refused(repository, paths=[specs / "one.yaml"])
    (specs / "gone.yaml").symlink_to("nowhere.yaml")
    assert "not every spec" in refused(repository)
    (specs / "gone.yaml").unlink()
    (specs / "bad.yaml").write_text("version: 1\n", encoding="utf-8")
    assert "not every spec" in refused(repository)
    (specs / "bad.yaml").unlink()
    (specs / "team" / "two.yaml").unlink()
    (specs / "fineforge.yaml").unlink()
    assert "do not belong to one project" in refused(repository)


def test_a_shallow_clone_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.write("one", dataset={"source": "azureml:rows:1", "splits": {"train": {}}})
    who = {f"GIT_{role}_{what}": "t@t" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    specs, clone = repository.folder / "specs", tmp_path / "clone"
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "1"], ["commit", "-q", "--allow-empty", "-m", "2"]):
        subprocess.run(["git", *words], cwd=specs, env=environment, check=True)
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{specs}", str(clone)], env=environment, check=True)
    found = selection.load([clone])
    planned = batch.Planned((), {})
    with pytest.raises(FineforgeError) as caught:
        orphans.with_orphans(planned, found, repository.gateway, allow_delete=True)
    assert "shallow" in caught.value.diagnostics[0].message
