"""The gateway as `engine.connect` makes it, and a job that is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fineforge import local
from fineforge.azure import AzureGateway, connection
from tests.emulator import wire
from tests.running_emulator import RunningEmulator


@pytest.fixture
def gateway(emulator: RunningEmulator, tmp_path: Path) -> Iterator[AzureGateway]:
    facts = emulator.facts
    made = AzureGateway(connection.to_emulator(local.workspace(local.Emulator(facts)), facts), tmp_path / "cache")
    yield made
    made.close()


@pytest.fixture
def done(emulator: RunningEmulator) -> str:
    """The name of a completed job."""
    wire.trained(emulator)
    emulator.control("DELETE", "/requests")
    return "done"
