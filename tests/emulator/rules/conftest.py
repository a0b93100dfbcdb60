"""Fixtures of the rules' tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fineforge.emulator.lifecycle import Progression
from tests.emulator.rules.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[..., World]:
    return lambda progression=Progression.INSTANT, store=None, runner=None: World(tmp_path, progression, store, runner)
