"""The YAML that ships: action.yml, the example's workflows and pipeline; by schema, by zizmor, against what the scripts read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.action.workflow import EXAMPLE, ROOT

WORKFLOWS = sorted((EXAMPLE / ".github" / "workflows").glob("*.yml"))
ACTION = ROOT / "action.yml"
OURS = re.compile(r"your-org/fineforge@[0-9a-f]{40}")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}|\./\.github/workflows/[\w.-]+")


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed: make venv")
    return found


def checked(*words: str) -> None:
    ran = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def read(file: Path) -> Any:
    """`on` is a truth value in YAML 1.1, and a key in a workflow."""
    return yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def steps() -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in WORKFLOWS:
        for job in read(file)["jobs"].values():
            for step in job.get("steps", [{"uses": job.get("uses", "")}]):
                yield file, step


def test_the_workflows_are_found() -> None:
    assert {file.stem for file in WORKFLOWS} == {"plan", "apply", "apply-target", "resume", "drift"}


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        (["vendor.github-actions"], [ACTION]),
        (["vendor.github-workflows"], WORKFLOWS),
        (
            ["vendor.azure-pipelines", "--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"],
            [EXAMPLE / "azure-pipelines.yml"],
        ),
    ],
)
def test_schemas(schema: list[str], files: list[Path]) -> None:
    checked(tool("check-jsonschema"), "--builtin-schema", *schema, *map(str, files))


def test_zizmor_finds_nothing() -> None:
    """But for what `.github/zizmor.yml` switches off, with its reason."""
    config = EXAMPLE / ".github" / "zizmor.yml"
    checked(tool("zizmor"), "--offline", "--no-progress", "--config", str(config), str(ACTION), str(EXAMPLE))


def test_every_input_reaches_the_script_and_none_reaches_a_shell() -> None:
    action = read(ACTION)
    (run,) = [step for step in action["runs"]["steps"] if step.get("id") == "run"]
    given = {name: value for name, value in run["env"].items() if name.startswith("INPUT_")}
    named = re.search(r"_NAMES = \((.*?)\)", (ROOT / "action" / "inputs.py").read_text(encoding="utf-8"), re.DOTALL)
    assert named and {name.removeprefix("INPUT_").lower() for name in given} == set(re.findall(r'"(\w+)"', named[1]))
    assert {value[len("${{ inputs.") : -len(" }}")] for value in given.values()} == set(action["inputs"]) - {"version"}
    assert not [step for step in action["runs"]["steps"] if "${{" in step.get("run", "")]
    assert not [step for _, step in steps() if "run" in step]


def test_the_workflows_use_what_the_action_has() -> None:
    action = read(ACTION)
    used = [(file, step) for file, step in steps() if OURS.fullmatch(step.get("uses", ""))]
    assert len(used) >= 7
    assert not [(file.name, name) for file, step in used for name in step["with"] if name not in action["inputs"]]
    texts = [file.read_text(encoding="utf-8") for file in WORKFLOWS]
    assert not {name for text in texts for name in re.findall(r"steps\.\w+\.outputs\.([\w-]+)", text)} - set(action["outputs"])
    said = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "action").glob("*.py")))
    assert not [name for name in action["outputs"] if f'"{name}"' not in said]


def test_everything_is_pinned_and_permissions_are_named() -> None:
    every = [step["uses"] for _, step in steps() if "uses" in step] + [
        step["uses"] for step in read(ACTION)["runs"]["steps"] if "uses" in step
    ]
    assert len(every) >= 15 and not [name for name in every if not PINNED.fullmatch(name)]
    versions = {tuple(name.split("@")) for name in every if "@" in name}
    assert len({name for name, _ in versions}) == len(versions), "one action in two versions"
    for file in WORKFLOWS:
        workflow = read(file)
        assert workflow["permissions"] == {}, file.name
        assert all("permissions" in job for job in workflow["jobs"].values()), file.name


def test_no_job_waits_for_hours_and_no_apply_is_cancelled() -> None:
    for file in WORKFLOWS:
        for name, job in read(file)["jobs"].items():
            assert "uses" in job or int(job["timeout-minutes"]) <= 90, f"{file.name}: {name}"
            if job.get("environment"):
                assert job["concurrency"]["cancel-in-progress"] == "false", f"{file.name}: {name}"


@pytest.mark.parametrize("target", ["dev", "prod", "local"])
def test_the_example_is_valid(target: str) -> None:
    checked(sys.executable, "-m", "fineforge", "validate", str(EXAMPLE), "--target", target, "--quiet")


def test_the_example_s_policies_pass() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "fineforge", "policy", "test"],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0 and "2 passed" in ran.stdout + ran.stderr, ran.stdout + ran.stderr
