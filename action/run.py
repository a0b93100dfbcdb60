"""The action's one step: runs fineforge as the inputs say, and tells GitHub what came of it. Needs nothing but Python.

What each command does is here; `inputs` reads the workflow's wishes, `runner` and `api` are GitHub, `report` is what is said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import report
from api import Refused
from inputs import Inputs, Unusable, read
from runner import Runner, plain_text

HELD = 5
"""fineforge's exit code where another apply is under way, or the world has moved."""
_DECIDING = ("--var", "--set", "--allow-outside")
"""Options that decide what a spec says, and that every command takes."""


def main(environment: Mapping[str, str]) -> int:
    """The step's exit code: 0 too where there are changes or drift, which are outputs and no failures."""
    runner = Runner(environment)
    try:
        return _COMMANDS[(wanted := read(environment)).command](Job(wanted, runner))
    except (Unusable, Refused) as error:
        runner.complain(str(error))
        return 1


@dataclass(frozen=True, slots=True)
class Job:
    wanted: Inputs
    runner: Runner

    def fineforge(self, *words: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
        """Its command line, in the project's folder, without what the action alone may know. What it says to people goes to our
        stdout: of two streams nobody knows which line the runner reads first, and it reads commands in both."""
        passed = {name: value for name, value in self.runner.environment.items() if not name.startswith("INPUT_")}
        executable = self.runner.environment.get("FINEFORGE_EXECUTABLE") or "fineforge"
        return subprocess.run(
            [executable, *words],
            cwd=self.wanted.folder,
            env={**passed, "FINEFORGE_INPUT": "0", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else None,
            stderr=sys.stdout,
            text=True,
            encoding="utf-8",
            check=False,
        )

    def meant(self, known: tuple[str, ...] = ("",)) -> list[str]:
        """Which specs, and where; with the options that the workflow adds and that begin so."""
        wanted = self.wanted
        words = [*wanted.paths, *(f"--select={pattern}" for pattern in wanted.select)]
        words += [f"--target={wanted.target}"] if wanted.target else []
        return words + [option for option in wanted.arguments if option.startswith(known)]

    def fresh(self, name: str) -> Path:
        """A file that nobody has written yet."""
        file = self.runner.folder() / name
        file.unlink(missing_ok=True)
        return file

    def key(self, what: str) -> str:
        return report.key(what, self.wanted.target, self.wanted.place)


def validate(job: Job) -> int:
    ended = _annotated(job, job.meant())
    job.runner.output({"exitcode": str(ended)})
    return ended


def policies(job: Job) -> int:
    """The cases that stand beside the project's rules."""
    with plain_text():
        ended = job.fineforge("policy", "test").returncode
    job.runner.output({"exitcode": str(ended)})
    return ended


def plan(job: Job) -> int:
    """Problems beside their lines, then the plan on the run's page and on the pull request."""
    _annotated(job, job.meant(_DECIDING))
    saved = [f"--out={job.wanted.plan_file}"] if job.wanted.plan_file else []
    file = job.fresh("plan.json")
    with plain_text():
        ran = _planned(job, file, "--output=markdown", *saved)
    found = _document(file)
    print(found.get("summary") or "no spec is meant", flush=True)
    job.runner.summarize(ran.stdout)
    path = {"plan-json-path": str(file) if found else ""}
    job.runner.output({"exitcode": str(ran.returncode), **report.plan_outputs(found), **path})
    if job.wanted.comment:
        job.runner.output({"url": _comment(job, ran.stdout, ran.returncode)})
    return 0 if ran.returncode in (0, 2, 3) else ran.returncode


def apply(job: Job) -> int:
    """A saved plan, or what the specs say now."""
    wanted = job.wanted
    words = [wanted.plan_file, *wanted.arguments] if wanted.plan_file else [*job.meant(), "--auto-approve"]
    words += [f"--lock-timeout={wanted.lock_timeout}"] if wanted.lock_timeout else []
    return _apply(job, words)


def resume(job: Job) -> int:
    """Goes on with what an apply left behind. What somebody else changed is left to `drift`, and whoever applies is let be."""
    if job.wanted.environment and not _is_current(job):
        print("another commit was approved meanwhile: it is left to its own apply", flush=True)
        job.runner.output({"exitcode": "0", "running": "false", "has-changes": "false"})
        return 0
    file = job.fresh("plan.json")
    with plain_text():
        ran = _planned(job, file, "--quiet")
    found = _document(file)
    job.runner.output({"exitcode": str(ran.returncode), **report.plan_outputs(found), "plan-json-path": str(file)})
    if not report.goes_on(found):
        print("nothing is left to be done", flush=True)
        return 0 if ran.returncode in (0, 2, 3) else ran.returncode
    ended = _apply(job, [*job.meant(), "--auto-approve"])
    return 0 if ended == HELD else ended


def drift(job: Job) -> int:
    """What somebody else changed, as an issue that comes and goes with it."""
    with plain_text():
        ran = job.fineforge("drift", *job.meant(), "--json", capture=True)
    found = {"resource_drift": [], **(json.loads(ran.stdout) if ran.stdout.strip() else {})}
    file = job.fresh("drift.json")
    file.write_text(json.dumps(found, indent=1), encoding="utf-8")
    target = found.get("target") or job.wanted.target or "the default target"
    text = report.drift_text(found, target, ran.returncode)
    job.runner.summarize(text)
    job.runner.output({"exitcode": str(ran.returncode), **report.drift_outputs(found), "plan-json-path": str(file)})
    if job.wanted.report:
        job.runner.output({"url": _report(job, text, target, ran.returncode, bool(found["resource_drift"]))})
    return 0 if ran.returncode in (0, 3) else ran.returncode


def approved(job: Job) -> int:
    """Which commit the environment's approvers let through last. One that is not part of this branch is refused."""
    if not job.wanted.environment:
        raise Unusable("`approved` needs an `environment`")
    api, here = job.runner.api(job.wanted.token), job.runner.commit
    commit = api.approved(job.wanted.environment)
    if commit and not api.is_merged(commit, here):
        raise Unusable(f"{commit} was deployed to `{job.wanted.environment}`, and is no part of {here}")
    print(f"approved: {commit or 'nothing yet'}", flush=True)
    job.runner.output({"commit": commit, "exitcode": "0"})
    return 0


_COMMANDS: Mapping[str, Callable[[Job], int]] = {
    "validate": validate, "policies": policies, "plan": plan, "apply": apply, "resume": resume, "drift": drift,
    "approved": approved,
}  # fmt: skip


def _annotated(job: Job, words: Sequence[str]) -> int:
    """Problems beside their lines. What people read of them quotes specs, so it commands nothing."""
    with plain_text():
        ran = job.fineforge("validate", *words, "--output=github", capture=True)
    print(ran.stdout, end="", flush=True)
    return ran.returncode


def _planned(job: Job, file: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return job.fineforge("plan", *job.meant(), "--detailed-exitcode", f"--json-into={file}", *more, capture=True)


def _apply(job: Job, words: Sequence[str]) -> int:
    file = job.fresh("apply.jsonl")
    with plain_text():
        ended = job.fineforge("apply", *words, *(["--detach"] if job.wanted.detach else []), f"--json-into={file}").returncode
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    events = [json.loads(line) for line in lines]
    job.runner.summarize(report.apply_text(events, job.wanted.target or "the default target", ended))
    job.runner.output({"exitcode": str(ended), **report.apply_outputs(events)})
    return ended


def _comment(job: Job, markdown: str, code: int) -> str:
    """The comment's address. Where no spec is touched, an older comment is brought up to date, and none is written."""
    number = job.runner.pull_request
    if number is None:
        return ""
    said = markdown.strip()
    if not said:
        failed = f"The plan failed with exit code {code}; the run says why."
        markdown = failed if code else "This change touches no spec of this target."
    key = job.key("plan")
    body = f"{key}\n{markdown.rstrip()}{report.footer('Plan', job.runner.head, job.runner.run)}"
    return job.runner.api(job.wanted.token).comment(number, key, body, create=bool(said or code))


def _report(job: Job, text: str, target: str, code: int, there: bool) -> str:
    """The issue's address. What could not be looked at is no drift, and no end of one."""
    key, api = job.key("drift"), job.runner.api(job.wanted.token)
    body = f"{key}\n{text}{report.footer('Seen by a run', '', job.runner.run)}"
    if there:
        place = "" if job.wanted.place == "." else f" in {job.wanted.place}"
        return api.issue(key, f"Drift of {target}{place}", body)
    return api.close(key, body) if code == 0 else ""


def _is_current(job: Job) -> bool:
    """Whether what is checked out is still what was approved last."""
    ran = subprocess.run(["git", "rev-parse", "HEAD"], cwd=job.wanted.folder, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise Unusable(f"git cannot say what is checked out: {ran.stderr.strip()}")
    return job.runner.api(job.wanted.token).approved(job.wanted.environment) == ran.stdout.strip()


def _document(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


if __name__ == "__main__":
    sys.exit(main(os.environ))
