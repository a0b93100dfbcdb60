"""The scripts of the example's Azure DevOps pipeline, in clones of one repository, against the emulator."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.action.test_stories import ANOTHER_EPOCH, deployments, edit, jobs, scale
from tests.acceptance.action.workflow import Runner, git

BUILD = "22222222-build"


@contextmanager
def devops(threads: list[dict[str, Any]]) -> Iterator[str]:
    """The endpoints that comment.py uses (REST API 7.1, pull request threads); the collection's address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
            text = json.dumps(self.document(body)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = answer

        def document(self, body: Any) -> Any:
            assert self.headers["Authorization"] == "Bearer of-the-job"
            if self.path.endswith("/_apis/connectionData"):
                return {"authenticatedUser": {"id": BUILD}}
            assert "/shop/_apis/git/repositories/models/pullRequests/7/threads" in self.path and "api-version=7.1" in self.path
            if self.command == "GET":
                return {"value": threads}
            if self.command == "PATCH":
                (found,) = [thread for thread in threads if f"/threads/{thread['id']}/comments/1?" in self.path]
                found["comments"][0].update(body)
                return found["comments"][0]
            comment = {"id": 1, "author": {"id": BUILD}, **body["comments"][0]}
            threads.append({"id": len(threads) + 1, "comments": [comment]})
            return threads[-1]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def pipeline(runner: Runner) -> Pipeline:
    return Pipeline(runner)


class Pipeline:
    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.clones = 0

    def clone(self) -> Path:
        self.clones += 1
        folder = self.runner.folder / f"agent-{self.clones}"
        git(self.runner.folder, "clone", "--quiet", str(self.runner.repository.folder / "origin"), str(folder))
        return folder

    def script(self, name: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.runner.folder),
            "FINEFORGE_EMULATOR_HOME": str(self.runner.emulator.home),
            "TARGET": "local",
            **more,
        }
        command = ["bash", f"pipelines/{name}.sh"]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_plan_apply_resume_and_drift(pipeline: Pipeline) -> None:
    emulator = pipeline.runner.emulator
    assert "nothing was applied to local yet" in pipeline.script("resume", pipeline.clone()).stdout

    folder = pipeline.clone()
    planned = pipeline.script("plan", folder)
    assert planned.returncode == 0, planned.stderr
    assert "##vso[task.setvariable variable=changes;isOutput=true]true" in planned.stdout
    assert (page := re.search(r"uploadsummary\](\S+)", planned.stdout)) and "Plan: " in Path(page[1]).read_text(encoding="utf-8")

    applied = pipeline.script("apply", folder)
    assert applied.returncode == 0, applied.stderr
    assert len(jobs(emulator)) == 2 and not deployments(emulator)

    pipeline.runner.repository.commit("not approved", specs_support_yaml=ANOTHER_EPOCH)
    for _ in range(20):
        resumed = pipeline.script("resume", pipeline.clone())
        assert resumed.returncode == 0, resumed.stderr
        if not re.search(r"Apply: ", resumed.stdout):
            break
    assert len(deployments(emulator)) == 1 and len(jobs(emulator)) == 2, "only what was applied is gone on with"

    assert pipeline.script("drift", pipeline.clone()).returncode == 0
    edit(emulator, 4)
    assert pipeline.script("resume", pipeline.clone()).returncode == 0 and scale(emulator) == 4
    drifted = pipeline.script("drift", pipeline.clone())
    assert drifted.returncode == 3 and "##vso[task.logissue type=error]" in drifted.stdout and "max_instances" in drifted.stdout


def test_what_a_spec_says_commands_no_agent(pipeline: Pipeline) -> None:
    folder = pipeline.clone()
    spec = folder / "specs" / "returns.yaml"
    hostile = spec.read_text(encoding="utf-8").replace("name: returns", 'name: "##vso[task.prependpath]/tmp"')
    spec.write_text(hostile, encoding="utf-8")
    for name in ("plan", "drift"):
        ran = pipeline.script(name, folder)
        assert ran.returncode == 1 and "# #vso[task.prependpath]" in ran.stdout
        assert not ran.stderr and "##vso[task.prependpath]" not in ran.stdout


def test_the_pull_request_has_one_thread_that_is_replaced(pipeline: Pipeline) -> None:
    mallory = {"id": 1, "comments": [{"id": 1, "content": "<!-- fineforge local -->\nfine", "author": {"id": "mallory"}}]}
    threads: list[dict[str, Any]] = [mallory]
    with devops(threads) as address:
        known = {
            "SYSTEM_COLLECTIONURI": address,
            "SYSTEM_TEAMPROJECTID": "shop",
            "SYSTEM_PULLREQUEST_PULLREQUESTID": "7",
            "BUILD_REPOSITORY_ID": "models",
            "SYSTEM_ACCESSTOKEN": "of-the-job",
        }
        folder = pipeline.clone()
        assert pipeline.script("plan", folder, **known).returncode == 0
        broken = folder / "specs" / "support.yaml"
        broken.write_text(broken.read_text(encoding="utf-8").replace("register:", "registers:"), encoding="utf-8")
        assert pipeline.script("plan", folder, **known).returncode == 1, "the comment is written all the same"
    assert len(threads) == 2 and mallory["comments"][0]["content"].endswith("fine")  # type: ignore[index]
    assert "cannot be planned" in threads[1]["comments"][0]["content"]
