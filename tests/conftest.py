"""Fixtures for everybody: `emulator`, a local Azure ML that trains nothing, empty at the start of each test; `gateway`, to it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.running_emulator import RunningEmulator, running

if TYPE_CHECKING:
    from fineforge.azure import AzureGateway


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Test workers apply specs of the same names to workspaces of the same name. Whoever died holding a lease is found by a file
    in the temporary folder, so that no worker may see another one's."""
    os.environ["TMPDIR"] = str(tmp_path_factory.mktemp("temporary"))
    tempfile.tempdir = None


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[RunningEmulator]:
    """One process per test worker."""
    with running() as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: RunningEmulator) -> RunningEmulator:
    emulator_process.reset()
    return emulator_process


@pytest.fixture
def gateway(emulator: RunningEmulator, tmp_path: Path) -> Iterator[AzureGateway]:
    """The gateway as `engine.connect` makes it."""
    from fineforge.azure import AzureGateway, connection
    from fineforge.host import emulator as local

    facts = emulator.facts
    made = AzureGateway(connection.to_emulator(local.workspace(local.Emulator(facts)), facts), tmp_path / "cache")
    yield made
    made.close()
