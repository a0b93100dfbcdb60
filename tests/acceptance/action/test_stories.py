"""What the workflows of examples/gitops-repo do with a repository, from a pull request to a rollback, against the emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.acceptance.action.workflow import Ran, Runner
from tests.scenarios.invariants.client import inventory
from tests.support.running_emulator import RunningEmulator

ANOTHER_EPOCH = ("register:", "training: {num_train_epochs: 2}\nregister:")


def settle(runner: Runner, commit: str = "", limit: int = 20) -> list[Ran]:
    """Scheduled runs of resume until nothing is left to be done."""
    ran: list[Ran] = []
    while not ran or ran[-1].outputs["has-changes"] == "true":
        ran.append(runner.job("resume", commit, environment="dev"))
        assert ran[-1].code == 0, ran[-1].log
        assert len(ran) < limit
    return ran


def merge(runner: Runner, commit: str = "") -> Ran:
    """The apply of a merge, once it was approved."""
    commit = commit or runner.repository.head
    runner.approve(commit, "in_progress", "queued", "waiting")
    return runner.job("apply", commit)


def jobs(emulator: RunningEmulator) -> dict[str, Any]:
    return {path: body for path, body in inventory(emulator).items() if path.startswith("jobs/")}


def deployments(emulator: RunningEmulator) -> dict[str, Any]:
    return {path: body for path, body in inventory(emulator).items() if "/deployments/" in path}


def test_from_a_pull_request_to_an_answering_endpoint(runner: Runner) -> None:
    planned = runner.job("plan", pull_request=7)
    assert planned.code == 0, planned.log
    assert planned.outputs["exitcode"] == "2" and planned.outputs["has-changes"] == "true"
    assert planned.outputs["has-drift"] == "false" and planned.outputs["summary"].startswith("Plan: ")
    assert "USD/h" in planned.outputs["cost"]
    assert json.loads(Path(planned.outputs["plan-json-path"]).read_text())["target"] == "local"
    assert not runner.emulator.requests(writes=True), "a plan writes nothing"

    (comment,) = runner.github.comments
    assert comment["issue"] == 7 and planned.outputs["url"] == comment["html_url"]
    first, second, *_ = comment["body"].splitlines()
    assert first == "<!-- fineforge-action: plan local . -->" and second == "<!-- fineforge:plan local -->"
    assert (
        "`support`: trains" in comment["body"] and "[run](https://github.example/shop/models/actions/runs/42)" in comment["body"]
    )
    assert runner.repository.head[:12] in comment["body"]
    assert planned.summary.strip().startswith(second)

    applied = merge(runner)
    assert applied.code == 0, applied.log
    assert applied.outputs["running"] == "true", "the runner does not wait for the jobs"
    assert len(jobs(runner.emulator)) == 2 and not deployments(runner.emulator)
    assert "goes on; `resume` looks after it" in applied.summary

    resumed = settle(runner)
    assert len(deployments(runner.emulator)) == 1 and len(jobs(runner.emulator)) == 2
    assert resumed[-1].outputs["summary"].startswith("Plan: 0 to add, 0 to change")

    again = runner.job("plan", pull_request=7)
    assert again.outputs["exitcode"] == "0" and again.outputs["has-changes"] == "false"
    assert len(runner.github.comments) == 1, "the comment is replaced"
    assert "Plan: 0 to add" in runner.github.comments[0]["body"]


def test_a_revert_and_a_rollback_train_nothing(runner: Runner) -> None:
    first = runner.repository.head
    merge(runner)
    settle(runner)
    (old,) = deployments(runner.emulator)

    second = runner.repository.commit(
        "more steps", specs_support_yaml=("register:", "training: {num_train_epochs: 2}\nregister:")
    )
    planned = runner.job("plan", pull_request=8)
    assert "retrains" in runner.github.comments[-1]["body"] and planned.outputs["has-changes"] == "true"
    merge(runner)
    settle(runner)
    assert len(jobs(runner.emulator)) == 3 and len(deployments(runner.emulator)) == 2
    (new,) = deployments(runner.emulator).keys() - {old}

    runner.repository.git("revert", "--no-edit", second)
    runner.repository.git("push", "--quiet", "origin", "HEAD")
    runner.job("plan", pull_request=9)
    assert "trains" not in runner.github.comments[-1]["body"].split("<details>")[0]
    merge(runner)
    settle(runner)
    assert len(jobs(runner.emulator)) == 3, "the model of the first commit is still there"
    assert traffic(runner.emulator) == {old.rsplit("/", 1)[1]: 100}

    merge(runner, second)
    settle(runner, second)
    assert traffic(runner.emulator) == {new.rsplit("/", 1)[1]: 100} and len(jobs(runner.emulator)) == 3

    merge(runner, first)
    settle(runner, first)
    assert traffic(runner.emulator) == {old.rsplit("/", 1)[1]: 100} and len(jobs(runner.emulator)) == 3


def test_what_was_merged_and_not_approved_is_not_resumed(runner: Runner) -> None:
    first = runner.repository.head
    merge(runner)
    second = runner.repository.commit(
        "more steps", specs_support_yaml=("register:", "training: {num_train_epochs: 2}\nregister:")
    )
    runner.approve(second, "waiting")
    assert runner.job("approved", second, environment="dev").outputs["commit"] == first
    settle(runner, first)
    assert len(jobs(runner.emulator)) == 2

    before = runner.emulator.requests(writes=True)
    runner.approve(second, "in_progress", "waiting")
    late = runner.job("resume", first, environment="dev")
    assert late.code == 0 and "another commit was approved" in late.log and late.outputs["has-changes"] == "false"
    assert runner.emulator.requests(writes=True) == before


def test_a_saved_plan_is_applied_once_as_it_was_approved(runner: Runner) -> None:
    here = runner.folder / "kept"
    clone = here / "workspace"
    runner.repository.git("clone", "--quiet", str(runner.repository.folder / "origin"), str(clone))
    (here / "event.json").write_text("{}", encoding="utf-8")
    given = {"target": "local", "plan_file": str(here / "local.plan.json"), "paths": "specs/returns.yaml"}
    planned = runner.step(here, clone, "plan", "", given)
    assert planned.code == 0 and planned.outputs["url"] == "", "there is no pull request to write to"
    applied = runner.step(here, clone, "apply", "", {**given, "lock_timeout": "1m"})
    assert applied.code == 0, applied.log
    assert applied.outputs["summary"].startswith("Apply: ") and len(jobs(runner.emulator)) == 1
    assert runner.step(here, clone, "apply", "", given).code == 1, "the file was set aside"


def test_drift_is_an_issue_that_comes_and_goes(runner: Runner) -> None:
    merge(runner)
    settle(runner)
    assert runner.job("drift").outputs["has-drift"] == "false"
    assert not runner.github.writes()

    edit(runner.emulator, 3)
    found = runner.job("drift")
    assert found.code == 0 and found.outputs["exitcode"] == "3" and found.outputs["has-drift"] == "true", found.log
    (issue,) = runner.github.issues
    assert issue["title"] == "Drift of local" and found.outputs["url"] == issue["html_url"]
    assert "| `compute shop-gpu` | `max_instances` | `2` | `3` |" in issue["body"]

    calm = runner.job("resume", environment="dev")
    assert "nothing is left to be done" in calm.log, "it is drift's to tell, and for people to decide"
    assert scale(runner.emulator) == 3

    edit(runner.emulator, 4)
    runner.job("drift")
    assert len(runner.github.issues) == 1 and "`4` |" in issue["body"]

    assert merge(runner).code == 0
    assert scale(runner.emulator) == 2
    gone = runner.job("drift")
    assert gone.outputs["has-drift"] == "false" and issue["state"] == "closed" and "No drift" in issue["body"]
    runner.job("drift")
    assert len(runner.github.issues) == 1


def edit(emulator: RunningEmulator, nodes: int) -> None:
    body = emulator.send("GET", "computes/shop-gpu").json()
    body["properties"]["properties"]["scaleSettings"]["maxNodeCount"] = nodes
    assert emulator.send("PUT", "computes/shop-gpu", body).status_code in (200, 201)


def scale(emulator: RunningEmulator) -> int:
    body = emulator.send("GET", "computes/shop-gpu").json()
    return int(body["properties"]["properties"]["scaleSettings"]["maxNodeCount"])


def traffic(emulator: RunningEmulator) -> dict[str, int]:
    (endpoint,) = [
        body for path, body in inventory(emulator).items() if path.count("/") == 1 and path.startswith("onlineEndpoints/")
    ]
    return {name: share for name, share in endpoint["properties"]["traffic"].items() if share}
