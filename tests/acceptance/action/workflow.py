"""A runner's job: a throw-away clone of a repository, and the action's scripts as processes with the environment of a runner."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.action.github import REPOSITORY, TOKEN, GitHub, outputs
from tests.support.running_emulator import RunningEmulator

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "gitops-repo"


@dataclass(frozen=True)
class Ran:
    code: int
    outputs: Mapping[str, str]
    log: str
    summary: str


@dataclass
class Repository:
    """A bare repository, and the clone that people work in."""

    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @classmethod
    def of_the_example(cls, folder: Path) -> Repository:
        made = cls(folder)
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(folder / "origin")], check=True)
        shutil.copytree(EXAMPLE, made.work)
        made.git("init", "--quiet", "--initial-branch=main")
        made.git("remote", "add", "origin", str(folder / "origin"))
        made.commit("the example")
        return made

    def git(self, *words: str) -> str:
        return git(self.work, *words)

    def commit(self, message: str, **changes: tuple[str, str]) -> str:
        """Replaces text in files, `specs_support_yaml=(before, after)`, and pushes; the commit."""
        for name, (before, after) in changes.items():
            file = self.work / name.replace("_yaml", ".yaml").replace("_", "/")
            text = file.read_text(encoding="utf-8")
            assert before in text
            file.write_text(text.replace(before, after), encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        self.git("push", "--quiet", "origin", "HEAD")
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD").strip()


@dataclass
class Runner:
    """Each call is a job of its own: a new clone at a commit, nothing left from the job before but what the workspace has."""

    repository: Repository
    emulator: RunningEmulator
    github: GitHub
    folder: Path
    jobs: int = 0

    def job(self, command: str, commit: str = "", pull_request: int | None = None, **inputs: str) -> Ran:
        self.jobs += 1
        here = self.folder / f"job-{self.jobs}"
        clone = here / "workspace"
        subprocess.run(["git", "clone", "--quiet", str(self.repository.folder / "origin"), str(clone)], check=True)
        commit = commit or self.repository.head
        git(clone, "checkout", "--quiet", "--detach", commit)
        event = {"pull_request": {"number": pull_request, "head": {"sha": commit}}} if pull_request else {}
        (here / "event.json").write_text(json.dumps(event), encoding="utf-8")
        return self.step(here, clone, command, commit, {"target": "local", "token": TOKEN, **inputs})

    def step(self, here: Path, clone: Path, command: str, commit: str, inputs: Mapping[str, str]) -> Ran:
        (here / "temp").mkdir(exist_ok=True)
        for name in ("output", "summary"):
            (here / name).write_text("", encoding="utf-8")
        given = {f"INPUT_{name.upper()}": value for name, value in {**inputs, "command": command}.items()}
        environment = {**self.environment(here), **given, "GITHUB_WORKSPACE": str(clone), "GITHUB_SHA": commit}
        ran = subprocess.run(
            [sys.executable, str(ROOT / "action" / "run.py")],
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        read = [(here / name).read_text(encoding="utf-8") for name in ("output", "summary")]
        return Ran(ran.returncode, outputs(read[0]), ran.stdout + ran.stderr, read[1])

    def environment(self, here: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "FINEFORGE_EMULATOR_HOME": str(self.emulator.home),
            "FINEFORGE_EXECUTABLE": str(Path(sys.executable).parent / "fineforge"),
            "RUNNER_TEMP": str(here / "temp"),
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.github.url,
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": "42",
            "GITHUB_EVENT_PATH": str(here / "event.json"),
            "GITHUB_OUTPUT": str(here / "output"),
            "GITHUB_STEP_SUMMARY": str(here / "summary"),
        }

    def approve(self, commit: str, *states: str, environment: str = "dev") -> None:
        """As a job of the environment at that commit leaves it."""
        number = len(self.github.deployments) + 1
        row: dict[str, Any] = {"id": number, "sha": commit, "environment": environment, "states": list(states)}
        self.github.deployments.insert(0, row)
        self.github.merged.add(commit)


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false"]
    ran = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
