"""`fineforge fmt`, and the hooks that call it."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fineforge.cli import run

MIXED = "name: abc   # a name\nversion: 1\n"
SORTED = "version: 1\nname: abc   # a name\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files = {
        "specs/one.yaml": MIXED,
        "specs/two.yaml": SORTED,
        "specs/.hidden.yaml": MIXED,
        "fineforge.yaml": "defaults: {}\nname: shop\n",
        "specs/fineforge.defaults.yaml": "tags: {a: b}\ncompute: {size: A, name: x}\n",
        "policies/prod.yaml": "tests: []\nrules: []\n",
        "fineforge.lock.yaml": "b: 1\na: 2\n",
        "data/rows.jsonl": "{}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


CHANGING = ["fineforge.yaml", "specs/fineforge.defaults.yaml", "policies/prod.yaml", "specs/one.yaml"]


def texts(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_check_names_the_files_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = texts(folder)
    assert run(["fmt", "--check", "."]) == 1
    assert sorted(capsys.readouterr().out.split()) == sorted(CHANGING)
    assert texts(folder) == before


def test_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "specs/one.yaml").chmod(0o640)
    before = texts(folder)
    assert run(["fmt", "."]) == 0
    after = texts(folder)
    assert after["specs/one.yaml"].decode() == SORTED
    assert {name for name in before if before[name] != after[name]} == set(CHANGING) and before.keys() == after.keys()
    assert (folder / "specs/one.yaml").stat().st_mode & 0o777 == 0o640
    capsys.readouterr()
    assert run(["fmt", "--check", "."]) == 0
    assert capsys.readouterr().out == ""


def test_diff_shows_what_changes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fmt", "--check", "--diff", "specs/one.yaml", "specs/two.yaml"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == ["--- specs/one.yaml before", "+++ specs/one.yaml after"]
    assert told[3:] == ["+version: 1", " name: abc   # a name", "-version: 1"]


def test_what_is_no_yaml_is_an_error_and_hides_no_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "specs/broken.yaml").write_text("name: [\n", encoding="utf-8")
    assert run(["fmt", "specs/broken.yaml", "specs/none.yaml", "specs/one.yaml"]) == 1
    told = capsys.readouterr()
    assert told.out == "specs/one.yaml\n"
    assert re.findall(r"error\[(FF\d+)\]", told.err) == ["FF101", "FF112"]
    assert (folder / "specs/broken.yaml").read_text(encoding="utf-8") == "name: [\n"
    assert (folder / "specs/one.yaml").read_text(encoding="utf-8") == SORTED


def test_a_link_stays_a_link(folder: Path) -> None:
    (folder / "link.yaml").symlink_to("specs/one.yaml")
    assert run(["fmt", "link.yaml", "specs/one.yaml"]) == 0
    assert (folder / "link.yaml").is_symlink() and (folder / "specs/one.yaml").read_text(encoding="utf-8") == SORTED


def test_a_file_that_cannot_be_written(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    before = texts(folder)
    monkeypatch.setattr(Path, "replace", full)
    assert run(["fmt", "specs/one.yaml"]) == 1
    monkeypatch.undo()
    assert "error[FF007]: `specs/one.yaml` cannot be written" in capsys.readouterr().err
    assert texts(folder) == before


def test_stdin(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for check, code, out in ((False, 0, SORTED), (True, 1, "")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MIXED.encode())))
        assert run(["fmt", "-", *(["--check"] if check else [])]) == code
        assert capsys.readouterr().out == out


ROOT = Path(__file__).parents[4]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


def test_the_hooks_are_what_pre_commit_takes() -> None:
    words = [sys.executable, "-m", "pre_commit", "validate-manifest", ".pre-commit-hooks.yaml"]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout
    assert [hook["id"] for hook in HOOKS] == ["fineforge-validate", "fineforge-fmt"]


@pytest.mark.parametrize(
    ("hook", "files"),
    [(0, ["specs/one.yaml", "specs/two.yaml"]), (1, [*CHANGING, "specs/two.yaml"])],
    ids=["validate", "fmt"],
)
def test_a_hook_gets_the_files_that_it_is_for(hook: int, files: list[str], folder: Path) -> None:
    takes, leaves = re.compile(HOOKS[hook]["files"]), re.compile(HOOKS[hook].get("exclude", "^$"))
    shown = [name for name in texts(folder) if name.endswith(".yaml") and "/." not in name]
    assert sorted(name for name in shown if takes.search(name) and not leaves.search(name)) == sorted(files)
    assert run([*HOOKS[hook]["entry"].split()[1:], *files]) == (1 if hook == 0 else 0)
