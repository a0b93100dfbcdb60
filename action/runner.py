"""The runner that the action is on: what it knows of the event, and where it takes outputs, summaries and annotations."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api import Api

SUMMARY_LIMIT = 900_000
"""Bytes; a step's summary may have 1 MiB
(https://docs.github.com/actions/reference/workflow-commands-for-github-actions)."""


@dataclass(frozen=True, slots=True)
class Runner:
    environment: Mapping[str, str]

    def api(self, token: str) -> Api:
        return Api(self.environment["GITHUB_API_URL"].rstrip("/"), self.environment["GITHUB_REPOSITORY"], token)

    @property
    def commit(self) -> str:
        return self.environment.get("GITHUB_SHA", "")

    @property
    def pull_request(self) -> int | None:
        """Its number, where the event is about one."""
        number = self._event().get("number")
        return int(number) if number is not None else None

    @property
    def head(self) -> str:
        """The commit to name: of a pull request its own, not the merge that was tried."""
        return str((self._event().get("head") or {}).get("sha") or self.commit)

    @property
    def run(self) -> str:
        """The address of this run; empty where the runner does not say."""
        names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
        server, repository, number = (self.environment.get(name, "") for name in names)
        return f"{server}/{repository}/actions/runs/{number}" if server and repository and number else ""

    def _event(self) -> Any:
        """The event's pull request; empty where it is about something else."""
        path = self.environment.get("GITHUB_EVENT_PATH")
        event = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
        return event.get("pull_request") or {}

    def folder(self) -> Path:
        """For files that outlive the step and not the job."""
        folder = Path(self.environment.get("RUNNER_TEMP") or ".").resolve() / "fineforge-action"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def output(self, values: Mapping[str, str]) -> None:
        """Each value between two lines that nobody can foresee, so that none can set another one."""
        if not (file := self.environment.get("GITHUB_OUTPUT")):
            return
        with Path(file).open("a", encoding="utf-8") as stream:
            for name, value in values.items():
                end = f"end-{secrets.token_hex(16)}"
                stream.write(f"{name}<<{end}\n{value}\n{end}\n")

    def summarize(self, markdown: str) -> None:
        if not markdown or not (file := self.environment.get("GITHUB_STEP_SUMMARY")):
            return
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(markdown.encode()[:SUMMARY_LIMIT].decode("utf-8", "ignore") + "\n")

    def complain(self, message: str) -> None:
        """An error that is shown on the page of the run."""
        said = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        print(f"::error title=fineforge::{said}", flush=True)


@contextmanager
def plain_text() -> Iterator[None]:
    """What is printed meanwhile is text, whatever it begins with: specs and services have a say in it."""
    word = secrets.token_hex(16)
    print(f"::stop-commands::{word}", flush=True)
    try:
        yield
    finally:
        sys.stdout.flush()
        print(f"::{word}::", flush=True)
