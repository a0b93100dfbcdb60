"""The emulators that the command line is run against, started by it: a quick one per test worker, and slow ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance import console


@pytest.fixture(scope="session")
def session_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a session, with an emulator running that trains nothing."""
    with emulator(tmp_path_factory.mktemp("home")) as environment:
        yield environment


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Likewise of one whose operations take their time."""
    with emulator(tmp_path, "--lifecycle", "timed") as environment:
        yield environment


@contextmanager
def emulator(home: Path, *arguments: str) -> Iterator[dict[str, str]]:
    environment = console.environment(home)
    command = [sys.executable, "-m", "fineforge", "emulator"]
    start = [*command, "start", "--trainer", "instant", *arguments]
    subprocess.run(start, env=environment, check=True, timeout=60, capture_output=True)
    yield environment
    subprocess.run([*command, "stop"], env=environment, check=True, timeout=60, capture_output=True)
