"""The action's scripts at their edges: comments of others, answers that get lost, words that are no inputs, what is hidden."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.action.github import BOT, TOKEN, GitHub, outputs
from tests.acceptance.action.workflow import ROOT, Ran, Repository, Runner
from tests.support.running_emulator import RunningEmulator

KEY = "<!-- fineforge-action: plan local . -->"


@pytest.fixture
def quick(emulator: RunningEmulator, github: GitHub, tmp_path: Path) -> Runner:
    return Runner(Repository.of_the_example(tmp_path / "repository"), emulator, github, tmp_path)


def test_a_broken_spec_is_shown_beside_its_line_and_hides_no_other(quick: Runner) -> None:
    quick.repository.commit("a slip", specs_support_yaml=("deployment: {size", "deploiment: {size"))
    ran = quick.job("plan", pull_request=1)
    assert ran.code == 1 and ran.outputs["exitcode"] == "1"
    (line,) = [line for line in ran.log.splitlines() if line.startswith("::error") and "deploiment" in line]
    assert "file=specs/support.yaml,line=9" in line
    (comment,) = quick.github.comments
    assert "specs/support.yaml`: cannot be planned" in comment["body"] and "`returns`: trains" in comment["body"]
    assert quick.job("validate").code == 1


def test_the_rules_are_tested(quick: Runner) -> None:
    assert "2 passed" in quick.job("policies").log
    quick.repository.commit("nobody", specs_support_yaml=("tags: {team: helpdesk}", "tags: {}"))
    assert quick.job("policies").code == 1
    denied = quick.job("plan", pull_request=2)
    assert denied.code == 4 and denied.outputs["exitcode"] == "4"
    assert "tag it with the" in quick.github.comments[0]["body"]


def test_what_is_planned_cannot_command_the_runner(quick: Runner) -> None:
    ran = quick.job("plan")
    lines = ran.log.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("::stop-commands::"))
    word = lines[start].removeprefix("::stop-commands::")
    assert len(word) == 32 and f"::{word}::" in lines[start + 1 :]


def test_no_spec_of_the_change_makes_no_comment_and_updates_an_old_one(quick: Runner) -> None:
    untouched = {"select": f"changed-since:{quick.repository.head}", "pull_request": 3}
    ran = quick.job("plan", **untouched)  # type: ignore[arg-type]
    assert ran.code == 0 and not quick.github.comments, ran.log
    assert ran.outputs["has-changes"] == "false" and ran.outputs["plan-json-path"] == ""

    quick.job("plan", pull_request=3)
    quick.job("plan", **untouched)  # type: ignore[arg-type]
    (comment,) = quick.github.comments
    assert comment["body"].startswith(f"{KEY}\nThis change touches no spec of this target.")


def test_each_target_and_each_project_has_a_comment_of_its_own(quick: Runner) -> None:
    sys.path.insert(0, str(ROOT / "action"))
    try:
        import report
    finally:
        sys.path.pop(0)
    keys = {report.key("plan", target, place) for target in ("dev", "prod", "") for place in (".", "models/a", "models/b")}
    assert len(keys) == 9 and report.key("plan", "local", ".") == KEY
    assert report.key("plan", "a --> b", "<!-- x").count("-->") == 1


def test_what_somebody_else_wrote_is_left_alone(quick: Runner) -> None:
    theirs = {"id": 1, "issue": 5, "body": f"{KEY}\nall is well", "user": {"login": "mallory", "type": "User"}}
    quick.github.comments.append(theirs)
    assert quick.job("plan", pull_request=5, paths="specs/returns.yaml").code == 0
    assert theirs["body"] == f"{KEY}\nall is well" and len(quick.github.comments) == 2


def test_an_old_comment_is_found_behind_many(quick: Runner) -> None:
    many = [{"id": number, "issue": 5, "body": "hm", "user": BOT, "html_url": ""} for number in range(1, 131)]
    quick.github.comments += many
    quick.github.comments[120]["body"] = f"{KEY}\nold"
    quick.job("plan", pull_request=5, paths="specs/returns.yaml")
    assert len(quick.github.comments) == 130 and "`returns`" in quick.github.comments[120]["body"]


@pytest.mark.parametrize("status", [502, 429, 403])
def test_an_answer_that_got_lost_makes_no_second_comment(quick: Runner, status: int) -> None:
    quick.github.failures += [(status, {"Retry-After": "0"}, False), (0, {}, True), (status, {"Retry-After": "0"}, True)]
    ran = quick.job("plan", pull_request=5, paths="specs/returns.yaml")
    assert ran.code == 0 and len(quick.github.comments) == 1, ran.log
    assert [method for method, path in quick.github.requests if path != "/user"] == ["GET", "GET", "POST", "GET", "PATCH"]


def test_a_comment_that_may_not_be_written_is_an_error_that_keeps_the_outputs(quick: Runner) -> None:
    quick.github.failures += [(0, {}, True), (403, {}, False)]
    ran = quick.job("plan", pull_request=5, paths="specs/returns.yaml")
    assert ran.code == 1 and "::error title=fineforge::POST" in ran.log and "HTTP 403: try again" in ran.log
    assert ran.outputs["has-changes"] == "true" and TOKEN not in ran.log


def test_the_token_follows_no_other_address(quick: Runner) -> None:
    quick.github.failures.append((302, {"Location": f"{quick.github.url}/elsewhere"}, False))
    ran = quick.job("plan", pull_request=5, paths="specs/returns.yaml")
    assert ran.code == 1 and len(quick.github.requests) == 1


def test_fineforge_gets_neither_the_token_nor_the_inputs(quick: Runner, tmp_path: Path) -> None:
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\n", encoding="utf-8")
    spy.chmod(0o755)
    here = tmp_path / "spied"
    here.mkdir()
    (here / "event.json").write_text("{}", encoding="utf-8")
    original = quick.environment
    quick.environment = lambda folder: {**original(folder), "FINEFORGE_EXECUTABLE": str(spy)}  # type: ignore[method-assign]
    assert quick.step(here, quick.repository.work, "validate", "", {"token": TOKEN}).code == 0
    seen = (tmp_path / "seen").read_text(encoding="utf-8")
    assert "FINEFORGE_INPUT=0" in seen and TOKEN not in seen and "INPUT_TOKEN" not in seen


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"command": "destroy"}, "unknown command `destroy`"),
        ({"command": "plan", "comment": "maybe"}, "`comment` is `maybe`: true or false"),
        ({"command": "plan", "working_directory": "nowhere"}, "there is no such folder"),
        ({"command": "approved"}, "`approved` needs an `environment`"),
    ],
)
def test_what_cannot_be_followed_is_said(quick: Runner, given: dict[str, str], said: str) -> None:
    ran = quick.job(given.pop("command"), **given)
    assert ran.code == 1 and said in ran.log and "::error" in ran.log


def test_a_path_is_no_option(quick: Runner) -> None:
    ran = quick.job("validate", paths="--json")
    assert ran.code == 1 and "file `--json`" in ran.log


def test_a_project_in_a_folder_and_options_of_the_workflow(quick: Runner) -> None:
    work = quick.repository.work
    (work / "models").mkdir()
    for name in ("fineforge.yaml", "specs", "data", "policies"):
        quick.repository.git("mv", name, f"models/{name}")
    (work / "models" / "fineforge.yaml").write_text(
        (work / "models" / "fineforge.yaml").read_text().replace("defaults:\n", "variables: {who: {}}\ndefaults:\n"), "utf-8"
    )
    quick.repository.commit("a folder", models_specs_returns_yaml=("logistics", '"${var.who}"'))
    given = {"working_directory": "models", "paths": "specs/returns.yaml\nspecs/support.yaml", "arguments": "--var=who=me"}
    ran = quick.job("plan", pull_request=4, **given)  # type: ignore[arg-type]
    assert ran.code == 0, ran.log
    (comment,) = quick.github.comments
    assert comment["body"].startswith("<!-- fineforge-action: plan local models -->\n")
    assert "2 specs" in comment["body"]


def test_a_commit_that_was_never_merged_is_not_approved(quick: Runner) -> None:
    quick.approve("f" * 40, "success")
    quick.github.merged.clear()
    ran = quick.job("approved", environment="dev")
    assert ran.code == 1 and "is no part of" in ran.log and "commit" not in ran.outputs
    assert quick.job("approved", environment="prod").outputs["commit"] == ""


def test_an_output_cannot_set_another(tmp_path: Path) -> None:
    file = tmp_path / "output"
    program = "import os, runner; runner.Runner(os.environ).output({'summary': 'a\\nexitcode<<x\\n0\\nx', 'url': ''})"
    environment = {**os.environ, "GITHUB_OUTPUT": str(file), "PYTHONPATH": str(ROOT / "action")}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
    assert outputs(file.read_text(encoding="utf-8")) == {"summary": "a\nexitcode<<x\n0\nx", "url": ""}


def install(tmp_path: Path, version: str, packages: Path) -> Ran:
    environment = {
        "PATH": os.environ["PATH"],
        "INPUT_VERSION": version,
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(packages),
        "PIP_CONFIG_FILE": os.devnull,
    }
    command = [sys.executable, str(ROOT / "action" / "install.py")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    file = tmp_path / "output"
    return Ran(ran.returncode, outputs(file.read_text(encoding="utf-8") if file.exists() else ""), ran.stdout + ran.stderr, "")


def test_a_version_is_installed_once_and_named(tmp_path: Path) -> None:
    wheel(tmp_path / "packages", "1.2.3")
    first = install(tmp_path, "1.2.3", tmp_path / "packages")
    assert first.code == 0, first.log
    said = subprocess.run([first.outputs["executable"]], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said == "fineforge 1.2.3\n"
    assert install(tmp_path, "1.2.3", tmp_path / "nothing").outputs == first.outputs

    missing = install(tmp_path, "9.9.9", tmp_path / "packages")
    assert missing.code == 1 and "could not be installed" in missing.log
    assert install(tmp_path, "9.9.9", tmp_path / "packages").code == 1, "what is left of it is not taken for it"
    assert "`version` is" in install(tmp_path, "--index-url=x", tmp_path / "packages").log


def wheel(folder: Path, version: str) -> None:
    """A package of that name that says its version."""
    folder.mkdir()
    info = f"fineforge-{version}.dist-info"
    files = {
        "fineforge.py": f"def main():\n    print('fineforge {version}')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: fineforge\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nfineforge = fineforge:main\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"fineforge-{version}-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_the_own_version_is_the_project_with_its_constraints() -> None:
    program = "import install, json; print(json.dumps(install.wanted('local')))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "action")}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60)
    option, constraints, project = json.loads(ran.stdout)
    assert option == "--constraint" and Path(constraints).is_file() and Path(project, "pyproject.toml").is_file()


def test_what_a_spec_says_commands_no_runner(quick: Runner) -> None:
    quick.repository.commit("hostile", specs_returns_yaml=("name: returns", 'name: "##[add-mask]error"'))
    for command in ("validate", "plan"):
        ran = quick.job(command)
        assert ran.code == 1 and "##[add-mask]" in ran.log
        obeyed = re.sub(r"::stop-commands::(\w+)\n.*?::\1::\n", "", ran.log, flags=re.DOTALL)
        lines = [line for line in obeyed.splitlines() if "##[" in line]
        assert lines and all(line.startswith("::error file=specs/returns.yaml") for line in lines), "those begin with a command"


def test_drift_that_cannot_be_looked_for_is_no_traceback(quick: Runner) -> None:
    ran = quick.job("drift", target="nowhere")
    assert ran.code == 1 and "Traceback" not in ran.log and "is not known" in ran.summary
    assert ran.outputs["has-drift"] == "false" and ran.outputs["exitcode"] == "1" and not quick.github.issues
