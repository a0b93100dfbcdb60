"""Files that are no ordinary files, folders that cannot be read, documents that are nearly right: each is said, none waits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fineforge.cli import run
from fineforge.config import discovery, names, pins, project, source
from fineforge.core.diagnostics import Diagnostic, FineforgeError


def said(act: Callable[[], object]) -> Diagnostic:
    with pytest.raises(FineforgeError) as failure:
        act()
    (diagnostic,) = failure.value.diagnostics
    return diagnostic


def test_a_folder_with_a_pipe_waits_for_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "spec.yaml").touch()
    assert discovery.find([tmp_path]) == ([tmp_path / "spec.yaml"], [])


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_that_cannot_be_read_is_not_an_empty_one(mode: int, tmp_path: Path) -> None:
    """Who prunes what no spec wants any more must not do so because specs could not be seen."""
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "spec.yaml").touch()
    (tmp_path / "open.yaml").touch()
    closed.chmod(mode)
    codes = without_rights(lambda: [problem.code for problem in discovery.find([tmp_path])[1]])
    named = without_rights(lambda: [problem.code for problem in discovery.find([closed])[1]])
    closed.chmod(0o755)
    assert (codes, named) == (["FF112"], ["FF112"])


def without_rights(act: Callable[[], list[str]]) -> list[str]:
    """The answer of a child that is nobody: root may read everything."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.getuid() == 0:
                os.seteuid(65534)
            os.write(writing, " ".join(act()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        return answer.read().split()


@pytest.mark.parametrize("name", [project.FILE_NAME, "fineforge.defaults.yaml", names.LOCK_FILE])
@pytest.mark.parametrize("kind", ["a folder", "a link that leads nowhere"])
def test_what_a_project_is_made_of_is_never_passed_over(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "good", "--project"]) == 0
    file = tmp_path / name
    file.unlink(missing_ok=True)
    if kind == "a folder":
        file.mkdir()
    else:
        file.symlink_to("nowhere")
    capsys.readouterr()
    assert run(["validate", "good.yaml"]) == 1
    assert "error[FF112]" in capsys.readouterr().err


def test_what_an_empty_file_should_begin_with_depends_on_what_it_is(tmp_path: Path) -> None:
    for file in (project.FILE_NAME, names.LOCK_FILE):
        (tmp_path / file).write_text("# nothing yet\n", encoding="utf-8")
    hints = {
        "spec": said(lambda: source.load(b"", "spec.yaml")).hint,
        "project": said(lambda: project.find(tmp_path)).hint,
        "lock": said(lambda: pins.find(tmp_path)).hint,
    }
    assert hints == {
        "spec": "start with `version: 1`",
        "project": "start with `name: `, the project's name",
        "lock": "restore it from git, or delete it and run `fineforge lock`",
    }


def test_a_key_that_was_merged_is_placed_where_it_was_merged() -> None:
    document = source.load(b"base: &base {a: 1}\nuse:\n  b: 2\n  <<: *base\n", "merged.yaml")
    span = document.span(("use", "a"), key=True)
    assert (span.line, span.column) == (4, 3)
    assert document.data["use"] == {"b": 2, "a": 1}
