"""Fixtures of the front's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support import running_emulator
from tests.support.running_emulator import RunningEmulator


@pytest.fixture
def start() -> Iterator[Callable[..., RunningEmulator]]:
    """Starts emulators; what still runs at the end of the test is killed."""
    started: list[RunningEmulator] = []

    def begin(*arguments: object, **options: object) -> RunningEmulator:
        started.append(running_emulator.start(*arguments, **options))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for emulator in started:
        if emulator.process and emulator.process.poll() is None:
            emulator.process.kill()
            emulator.process.wait()
