"""The emulator that console sessions run against: a process of its own per test worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import console


@pytest.fixture(scope="session")
def session_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a session, with an emulator running that trains nothing."""
    environment = console.environment(tmp_path_factory.mktemp("home"))
    fineforge = [sys.executable, "-m", "fineforge", "emulator"]
    subprocess.run(
        [*fineforge, "start", "--trainer", "instant"], env=environment, check=True, timeout=60, stdout=subprocess.DEVNULL
    )
    yield environment
    subprocess.run([*fineforge, "stop"], env=environment, check=True, timeout=60, stdout=subprocess.DEVNULL)
