"""Every folder below sessions/ is one story: `session.txt` says what is typed and what is printed."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from fineforge.core.codes import CODES
from tests.acceptance import console

SESSIONS = Path(__file__).parent / "sessions"
STORIES = sorted(path.parent.name for path in SESSIONS.glob("*/session.txt"))
TESTS = Path(__file__).parent.parent


def test_the_stories_are_found() -> None:
    assert len(STORIES) >= 9
    assert set(STORIES) == {path.name for path in SESSIONS.iterdir() if path.is_dir()}


@pytest.mark.parametrize("story", STORIES)
def test_a_session(story: str, session_environment: dict[str, str], tmp_path: Path) -> None:
    file = SESSIONS / story / "session.txt"
    folder = tmp_path / "here"
    shutil.copytree(SESSIONS / story, folder, ignore=shutil.ignore_patterns("session.txt"))
    text = file.read_text(encoding="utf-8")
    assert console.commands(text)
    shown = console.run(text, folder, {**session_environment, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(shown, encoding="utf-8")
        return
    assert shown == text


def test_every_code_is_shown_somewhere() -> None:
    """In a session, a golden page, or a test that provokes it and names it."""
    files = [path for path in TESTS.rglob("*") if path.suffix in (".py", ".txt", ".yaml", ".yml", ".json") and path.is_file()]
    shown = {code for path in files for code in re.findall(r"FF\d{3}", path.read_text(encoding="utf-8"))}
    assert not sorted(set(CODES) - shown)
