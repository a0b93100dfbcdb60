"""A project of its own for each test, and the emulator where it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.scenarios.invariants.client import QUICKSTART
from tests.scenarios.invariants.conftest import applied, applied_once

__all__ = ["applied", "applied_once", "project"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The quickstart and its data, alone in a folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(QUICKSTART, folder / "spec.yaml")
    shutil.copytree(QUICKSTART.parent / "data" / "quickstart", folder / "data" / "quickstart")
    return folder
