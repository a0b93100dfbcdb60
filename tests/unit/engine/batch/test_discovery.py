"""Which files are specs, what a selection keeps, and what git says has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fineforge.config import discovery
from fineforge.core.diagnostics import FineforgeError


def write(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("version: 1\n", encoding="utf-8")


def found(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in discovery.find([folder])[0]]


def test_every_yaml_file_below_a_folder_is_a_spec(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "b.yml", "team/c.yaml", "data/rows.jsonl", "README.md")
    write(tmp_path, "fineforge.yaml", "fineforge.lock.yaml", ".hidden.yaml", ".github/workflows/ci.yaml", "policies/p.yaml")
    assert found(tmp_path) == ["a.yaml", "b.yml", "team/c.yaml"]


def test_what_the_ignore_file_leaves_out(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "drafts/b.yaml", "drafts/keep.yaml", "team/x/c.yaml", "team/d.yaml")
    (tmp_path / ".fineforgeignore").write_text("# drafts\ndrafts/*\n!drafts/keep.yaml\n/team/x/\n", encoding="utf-8")
    assert found(tmp_path) == ["a.yaml", "drafts/keep.yaml", "team/d.yaml"]
    assert [path.name for path in discovery.find([tmp_path / "team"])[0]] == ["d.yaml"], "from within the folder too"


def test_files_are_taken_as_they_are_named_and_none_twice(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "b.yaml")
    nowhere = tmp_path / "nowhere.yaml"
    assert discovery.find([tmp_path / "b.yaml", tmp_path, nowhere]) == ([tmp_path / "b.yaml", tmp_path / "a.yaml", nowhere], [])


def test_links(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "deep/b.yaml")
    (tmp_path / "broken.yaml").symlink_to("nowhere.yaml")
    (tmp_path / "linked.yaml").symlink_to("a.yaml")
    (tmp_path / "deep" / "circle").symlink_to(tmp_path)
    files, problems = discovery.find([tmp_path])
    assert [file.name for file in files] == ["a.yaml", "linked.yaml", "b.yaml"]
    assert [(problem.code, "broken.yaml" in problem.message) for problem in problems] == [("FF180", True)]


def test_a_folder_without_specs(tmp_path: Path) -> None:
    write(tmp_path, "notes.md")
    assert [problem.code for problem in discovery.find([tmp_path])[1]] == ["FF181"]


@pytest.mark.parametrize(
    ("pattern", "is_meant"),
    [
        ("support", True), ("supp*", True), ("desk", False), ("specs/team/support.yaml", True), ("specs/team/*", True),
        ("support.yaml", True), ("specs/*.yml", False), ("tag:team=help*", True), ("tag:team", True), ("tag:team=it", False),
        ("tag:stage", False),
    ],
)  # fmt: skip
def test_patterns(pattern: str, is_meant: bool) -> None:
    assert discovery.matches(Path("specs/team/support.yaml"), "support", {"team": "helpdesk"}, [pattern]) is is_meant


def git(folder: Path, *words: str) -> str:
    who = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(["git", *words], cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    write(folder, "specs/a.yaml", "specs/b.yaml", "data/rows.jsonl", "data/others.jsonl")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    git(folder, "checkout", "-qb", "change")
    return folder


def test_what_changed_since_the_branch_left(repository: Path) -> None:
    (repository / "specs" / "b.yaml").write_text("version: 1\nname: b\n", encoding="utf-8")
    git(repository, "commit", "-qam", "b")
    (repository / "data" / "rows.jsonl").write_text("{}", encoding="utf-8")
    write(repository, "specs/c d.yaml")
    git(repository, "checkout", "-q", "main")
    git(repository, "commit", "-q", "--allow-empty", "-m", "meanwhile")
    git(repository, "checkout", "-q", "change")
    changed = discovery.changed_since("main", repository / "specs")
    assert {path.relative_to(repository.resolve()).as_posix() for path in changed} == {
        "specs/b.yaml",
        "specs/c d.yaml",
        "data/rows.jsonl",
    }
    assert discovery.is_touched(repository / "specs" / "a.yaml", [repository / "data" / "rows.jsonl"], changed)
    assert discovery.is_touched(repository / "specs" / "a.yaml", [repository / "data"], changed)
    assert not discovery.is_touched(repository / "specs" / "a.yaml", [repository / "data" / "others.jsonl"], changed)


def test_a_submodule_and_a_linked_folder_are_one_file_to_git(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other, "support/rows.jsonl")
    git(other, "init", "-q", "-b", "main")
    git(other, "add", ".")
    git(other, "commit", "-qm", "first")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "data/theirs")
    write(repository, "data/old/rows.jsonl", "data/new/rows.jsonl")
    linked = repository / "data" / "linked"
    linked.symlink_to("old")
    git(repository, "config", "diff.relative", "true")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "both")
    git(repository / "data" / "theirs", "commit", "-q", "--allow-empty", "-m", "moved")
    linked.unlink()
    linked.symlink_to("new")
    git(repository, "commit", "-qam", "both moved")
    changed = discovery.changed_since("HEAD~1", repository / "specs")
    spec, data = repository / "specs" / "a.yaml", repository / "data"
    assert discovery.is_touched(spec, [data / "theirs" / "support" / "rows.jsonl"], changed)
    assert discovery.is_touched(spec, [data / "linked" / "rows.jsonl"], changed)
    assert not discovery.is_touched(spec, [data / "old" / "rows.jsonl"], changed)


def test_a_detached_head_is_a_commit_like_any_other(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    assert discovery.changed_since("main", repository) == frozenset()


def test_names_that_are_no_text(repository: Path) -> None:
    """git takes them, whatever the bytes."""
    name = os.fsdecode(b"caf\xe9.jsonl")
    (repository / "data" / name).write_text("{}", encoding="utf-8")
    assert [path.name for path in discovery.changed_since("main", repository)] == [name]


def test_where_there_is_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(FineforgeError, match="git is not installed"):
        discovery.changed_since("main", repository)


def test_where_git_cannot_tell(repository: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "a.yaml")
    shallow = tmp_path / "shallow"
    for _ in range(3):
        git(repository, "commit", "-q", "--allow-empty", "-m", "more")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(shallow))
    git(repository, "checkout", "-q", "--orphan", "unrelated")
    git(repository, "commit", "-qm", "another history")
    cases = [
        (repository, "nowhere", "does not contain commit `nowhere`"),
        (tmp_path / "elsewhere", "main", "not a git repository"),
        (shallow, "HEAD~2", "does not contain commit `HEAD~2`"),
        (repository, "--output=x", "does not contain commit `--output=x`"),
        (repository, "main", "no common ancestor of `main` and HEAD"),
    ]
    for folder, reference, words in cases:
        with pytest.raises(FineforgeError) as caught:
            discovery.changed_since(reference, folder)
        [found] = caught.value.diagnostics
        assert found.code == "FF182" and words in found.message, (folder, reference)
    assert not (repository / "x").exists()


@pytest.mark.parametrize("pattern", ["*a" * 30 + "b", "\\"])
def test_an_ignore_pattern_that_cannot_be_used_is_an_error(pattern: str, tmp_path: Path) -> None:
    write(tmp_path, "a" * 200 + ".yaml")
    (tmp_path / ".fineforgeignore").write_text(pattern + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "fineforge", "validate", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, "FF112" in ran.stderr + ran.stdout) == (1, True), (ran.stdout, ran.stderr)
    assert "FF001" not in ran.stderr
