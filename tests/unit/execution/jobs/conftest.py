"""A job that is done."""

from __future__ import annotations

import pytest

from tests.emulator import wire
from tests.support.running_emulator import RunningEmulator


@pytest.fixture
def done(emulator: RunningEmulator) -> str:
    """The name of a completed job."""
    wire.trained(emulator)
    emulator.control("DELETE", "/requests")
    return "done"
