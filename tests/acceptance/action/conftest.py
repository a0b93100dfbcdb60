from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.action.github import GitHub, serving
from tests.acceptance.action.workflow import Repository, Runner
from tests.support.running_emulator import RunningEmulator, running


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving() as github:
        yield github


@pytest.fixture(scope="module")
def slow_process() -> Iterator[RunningEmulator]:
    """One whose jobs are over after some looks at them."""
    with running("--lifecycle", "stepped") as emulator:
        yield emulator


@pytest.fixture
def runner(slow_process: RunningEmulator, github: GitHub, tmp_path: Path) -> Runner:
    slow_process.reset()
    return Runner(Repository.of_the_example(tmp_path / "repository"), slow_process, github, tmp_path)
