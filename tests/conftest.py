"""Fixtures for everybody: `emulator`, a local Azure ML that trains nothing, empty at the start of each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.running_emulator import RunningEmulator, running


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[RunningEmulator]:
    """One process per test worker."""
    with running() as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: RunningEmulator) -> RunningEmulator:
    emulator_process.reset()
    return emulator_process
