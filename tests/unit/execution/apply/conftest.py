"""One spec and one world in memory; prepared data goes into the test's own cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.stories.telling import Telling


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Telling:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Telling(tmp_path)
