"""What rules say to plans: on the way to an apply, of a saved plan, and to the end of an endpoint that answers."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fineforge.config import project
from fineforge.core.diagnostics import Diagnostic, FineforgeError, Severity, errors
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Mode, Plan
from fineforge.engine import batch, orphans, planfile
from fineforge.host import git, worker
from fineforge.policies import judge
from fineforge.policies import rules as reading
from tests.scenarios.stories.telling import Telling
from tests.support import single
from tests.unit.engine.batch.test_batch import Repository
from tests.unit.engine.batch.test_owning import disown

TWO = {
    "name": "two-instances",
    "when": "has(spec.deployment)",
    "deny": "spec.deployment.instances < 2",
    "message": "`{spec.name}` would run on {spec.deployment.instances} instance in {plan.target}",
    "at": "deployment.instances",
}


class Ruled(Telling):
    """A spec in a project with rules."""

    def rules(self, *policies: Any, **files: Any) -> Ruled:
        (self.folder / "fineforge.yaml").write_text(
            yaml.safe_dump({"name": "shop", "policies": list(policies)}), encoding="utf-8"
        )
        for name, data in files.items():
            (self.folder / "policies").mkdir(exist_ok=True)
            text = data if isinstance(data, str) else yaml.safe_dump(data)
            (self.folder / "policies" / f"{name}.yaml").write_text(text, encoding="utf-8")
        return self

    def said(self, mode: Mode = Mode.APPLY) -> list[Diagnostic]:
        return of_policies(single.plan(self.loaded(), self.gateway, mode).plan)


def of_policies(made: Plan) -> list[Diagnostic]:
    return [found for found in made.diagnostics if found.code in judge.CODES]


@pytest.fixture
def ruled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ruled:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FINEFORGE_TARGET", raising=False)
    return Ruled(tmp_path)


def test_a_broken_rule_is_an_error_at_the_spec_s_line_with_its_values(ruled: Ruled) -> None:
    [found] = ruled.rules(TWO).said()
    assert (found.code, found.severity) == ("FF320", Severity.ERROR)
    assert found.message == "`support` would run on 1 instance in dev"
    assert found.span is not None and found.span.snippet.startswith("deployment")
    file = (ruled.folder / "fineforge.yaml").read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(file, 1) if "two-instances" in text)
    assert found.hint == f"denied by the policy `two-instances` at {ruled.folder}/fineforge.yaml:{line}"


def test_rules_that_hold_or_are_not_about_the_spec_say_nothing(ruled: Ruled) -> None:
    excepted, elsewhere = {**TWO, "except": ["support"]}, {**TWO, "name": "in-prod", "when": 'plan.target == "prod"'}
    assert ruled.rules(excepted, elsewhere).said() == []
    ruled.data["deployment"]["instances"] = 2
    assert ruled.rules(TWO).said() == []


def test_a_warning_does_not_stop_an_apply_and_a_denial_writes_nothing(ruled: Ruled) -> None:
    warning = {key: value for key, value in TWO.items() if key != "deny"} | {"warn": TWO["deny"]}
    made = single.plan(ruled.rules(TWO).loaded(), ruled.gateway).plan
    with pytest.raises(FineforgeError) as refused:
        ruled.carry_out(made)
    assert refused.value.exit_code == 4 and ruled.gateway.writes == []
    [found] = ruled.rules(warning).said()
    assert (found.code, found.severity) == ("FF321", Severity.WARNING)
    ruled.apply()


def test_a_saved_plan_is_judged_by_the_rules_of_today(ruled: Ruled, tmp_path: Path) -> None:
    made = single.plan(ruled.loaded(), ruled.gateway).plan
    planfile.save([(ruled.folder / "spec.yaml", made)], tmp_path / "plan.json")
    [(_, saved)] = planfile.load(tmp_path / "plan.json")
    ruled.rules(TWO, extra={"rules": [{**TWO, "name": "also"}]})
    with pytest.raises(FineforgeError) as refused:
        ruled.carry_out(saved)
    assert [found.code for found in refused.value.diagnostics] == ["FF320", "FF320"]
    assert ruled.gateway.writes == []
    saved = judge.judged(saved, ruled.loaded().at("dev"), worker.run)
    ruled.rules()
    (ruled.folder / "policies" / "extra.yaml").unlink()
    assert judge.judged(saved, ruled.loaded().at("dev"), worker.run).diagnostics == made.diagnostics, (
        "what is no rule any more says nothing"
    )


def test_an_older_commit_is_held_against_the_rules_of_today(ruled: Ruled, monkeypatch: pytest.MonkeyPatch) -> None:
    ruled.rules()
    ruled.loaded()
    who = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    for words in (["init", "-q"], ["add", "spec.yaml", "fineforge.yaml", "data"], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], cwd=ruled.folder, check=True)
    ruled.rules(TWO)
    monkeypatch.chdir(ruled.folder)
    with git.at("HEAD", [ruled.folder / "spec.yaml"]) as (there,):
        made = single.plan(single.load(there), ruled.gateway).plan
        [found] = of_policies(made)
        assert found.code == "FF320" and found.hint.startswith("denied by the policy `two-instances` at fineforge.yaml:")
        (ruled.folder / "fineforge.yaml").write_text("name: [", encoding="utf-8")
        assert "FF101" in [one.code for one in single.plan(single.load(there), ruled.gateway).plan.diagnostics]


def test_saved_plans_of_many_specs_are_judged_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    repository = Repository(tmp_path)
    repository.project()
    for name in ("one", "two"):
        repository.write(name, compute={"name": f"gpu-{name}", "size": "Standard_NC96ads_A100_v4"})
    planned = repository.plan()
    repository.project(policies=[{**TWO, "except": ["two"]}])
    entries = [(loaded.path.resolve(), made) for loaded, made in planned.plans]
    judged = batch.saved(entries)
    assert {made.spec: [found.code for found in of_policies(made)] for _, made in judged.plans} == {"one": ["FF320"], "two": []}


def test_an_apply_of_many_specs_is_judged_by_the_rules_of_today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    repository = Repository(tmp_path)
    repository.project()
    for name in ("one", "two"):
        repository.write(name, compute={"name": f"gpu-{name}", "size": "Standard_NC96ads_A100_v4"})
    planned = repository.plan()
    repository.project(policies=[{**TWO, "except": ["two"]}])
    specs = [spec.at("dev") for spec in repository.load().specs]
    plans = [plan for _, plan in planned.plans]
    applied = batch.apply(batch.Planned(tuple(zip(specs, plans, strict=True))), repository.gateway)
    assert {path.stem: error.diagnostics[0].code for path, error in applied.held_back.items()} == {"one": "FF320"}
    assert applied.exit_code == 4
    assert [key for key in (key for _, key in repository.gateway.writes) if key.startswith("compute/")] == ["compute/gpu-two"]


def test_an_endpoint_that_answers_is_not_deleted(ruled: Ruled) -> None:
    ruled.rules({"use": "no-deletion-of-an-endpoint-with-traffic"})
    assert ruled.said(Mode.DESTROY) == [], "nothing is there"
    ruled.apply()
    [found] = ruled.said(Mode.DESTROY)
    endpoint = next(step.key.name for step in ruled.plan().steps if step.key.kind == "endpoint")
    assert (found.code, found.message) == ("FF320", f"`{endpoint}` would be deleted while it answers")
    nameless = orphans.plan_destroy_by_name(orphans.nameless("support", project.find(ruled.folder)).at("dev"), ruled.gateway)
    assert [found.code for found in errors(nameless.diagnostics)] == ["FF320"]
    deployment = next(step.key for step in ruled.plan().steps if step.key.kind == "deployment")
    key = next(step.key for step in ruled.plan().steps if step.key.kind == "endpoint")
    raw = dict(ruled.gateway.get(key) or {})
    ruled.gateway.update(key, {**raw, "properties": {**raw["properties"], "traffic": {deployment.name: 0}}})
    while (ruled.gateway.get(key) or {})["properties"]["provisioningState"] != "Succeeded":
        pass
    assert ruled.said(Mode.DESTROY) == []


SIZES = ["standard_nc96ads_a100_v4", "Standard_NC24.*"]
SHIPPED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all are allowed, whatever their capitals": ({"use": "allowed-sizes", "with": {"sizes": SIZES}}, []),
    "two are not": (
        {"use": "allowed-sizes", "with": {"sizes": ["Standard_NC24"]}},
        [
            "the VM size `Standard_NC96ads_A100_v4` is not allowed; allowed are Standard_NC24",
            "the VM size `Standard_NC24ads_A100_v4` is not allowed; allowed are Standard_NC24",
        ],
    ),
    "one is not": (
        {"use": "allowed-sizes", "with": {"sizes": SIZES[:1]}},
        ["the VM size `Standard_NC24ads_A100_v4` is not allowed; allowed are standard_nc96ads_a100_v4"],
    ),
    "a region": ({"use": "allowed-regions", "with": {"regions": ["EastUS", "swedencentral"]}}, []),
    "another region": (
        {"use": "allowed-regions", "with": {"regions": ["us"]}},
        ["the workspace of `dev` is in `eastus`; allowed are us"],
    ),
    "only a warning": (
        {"use": "allowed-regions", "with": {"regions": ["us"]}, "level": "warn"},
        ["the workspace of `dev` is in `eastus`; allowed are us"],
    ),
    "somewhere else": ({"use": "allowed-regions", "with": {"regions": ["us"]}, "when": 'plan.target != "dev"'}, []),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_rules(name: str, ruled: Ruled) -> None:
    policy, messages = SHIPPED[name]
    found = ruled.rules(policy).said()
    assert [one.message for one in found] == messages
    assert {one.code for one in found} <= {"FF321" if policy.get("level") == "warn" else "FF320"}
    assert ruled.rules(policy).said(Mode.DESTROY) == [], "what is not allowed may still be taken away"


def test_sizes_of_serverless_jobs(ruled: Ruled) -> None:
    sizes = {"preprocess": "Standard_D4s_v3", "model_import": "Standard_NC24ads_A100_v4"}
    ruled.data["compute"] = {"serverless": True, "size": "Standard_NC96ads_A100_v4", "step_sizes": sizes}
    [found] = ruled.rules({"use": "allowed-sizes", "with": {"sizes": SIZES}}).said()
    assert found.message.startswith("a VM size of `compute.step_sizes` is not allowed")
    assert found.path == ("compute", "step_sizes")


def test_every_shipped_rule_is_tried_here() -> None:
    tried = {policy["use"] for policy, _ in SHIPPED.values()} | {"no-deletion-of-an-endpoint-with-traffic"}
    assert tried == set(reading.shipped())


def test_one_bad_rule_hides_no_other(ruled: Ruled) -> None:
    text = """\
rules:
  - name: open-end
    deny: spec.deployment.instances <
    message: no
  - name: other-names
    deny: world.size() > 1
    message: "{workspace.name} {plan.target}"
  - name: no-such-key
    deny: spec.deployment.replicas < 2
    message: no
  - name: not-a-truth
    deny: spec.deployment.instances
    message: no
  - name: two-instances
    deny: spec.deployment.instances < 2
    message: "{spec.deployment.replicas} of {spec.deployment.instances}"
  - name: two-instances
    deny: "true"
    message: twice
"""
    found = ruled.rules({"use": "allowed-size"}, {"use": "allowed-regions"}, own=text, broken="rules: [", odd="rule: []").said()
    placed = [(one.code, Path(one.span.file).name if one.span else "", one.span.line if one.span else 0) for one in found]
    assert placed == [
        ("FF322", "fineforge.yaml", 3),
        ("FF322", "fineforge.yaml", 4),
        ("FF322", "own.yaml", 3),
        ("FF322", "own.yaml", 6),
        ("FF322", "own.yaml", 7),
        ("FF322", "own.yaml", 17),
        ("FF323", "own.yaml", 8),
        ("FF323", "own.yaml", 11),
        ("FF320", "spec.yaml", found[-2].span.line if found[-2].span else 0),
        ("FF323", "own.yaml", 14),
    ]


def test_adopting_and_forgetting_are_held_against_the_rules_before_anybody_is_asked(ruled: Ruled, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "many")
    repository.project()
    repository.write("one", endpoint={"name": "the-desk"})
    repository.apply()
    rule = {"name": "hands-off", "deny": 'plan.resource_changes.exists(c, c.kind == "endpoint")', "message": "leave it alone"}
    said = []
    for policies in ([], [rule]):
        repository.project(policies=policies)
        [one] = repository.load().specs
        said.append(of_policies(orphans.forget(one.at("dev"), repository.gateway, ["endpoint"])))
    disown(repository, ResourceKey("endpoint", "the-desk"))
    said.append(of_policies(orphans.adopt(one.at("dev"), repository.gateway, ["endpoint"])))
    assert [[found.code for found in problems] for problems in said] == [[], ["FF320"], ["FF320"]]
