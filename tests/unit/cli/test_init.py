"""What `init` writes validates, whatever was asked for; and the specs that ship do not get in each other's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from fineforge.catalog import snapshot
from fineforge.cli import run

SPECS = Path(__file__).parents[3] / "specs"


def test_a_spec_for_every_model_validates_or_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = sorted({name for name, _ in snapshot.load().models})
    written = [name for number, name in enumerate(names) if run(["init", f"model-{number}", "--model", name]) == 0]
    capsys.readouterr()
    assert run(["validate", str(tmp_path)]) == 0, capsys.readouterr().err
    assert written == ["Phi-4"] and len(names) == 14
    assert len(list(tmp_path.glob("model-*.yaml"))) == 1


@pytest.mark.parametrize("name", ["a-name-of-31-characters-or-so-ab", "nineteen-characters-and", "end-at-twenty-chars-a"])
def test_a_long_name_is_cut_for_the_cluster(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", name[:31]]) == 0
    assert run(["validate", f"{name[:31]}.yaml"]) == 0


def test_what_is_in_the_way_has_its_own_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for file in ("fineforge.yaml", "fineforge.schema.json"):
        Path(file).write_text("{}\n", encoding="utf-8")
    assert run(["init", "other", "--project"]) == 1
    said = capsys.readouterr().err
    assert "omit `--project`" in said and "`fineforge schema > fineforge.schema.json` updates it" in said
    assert not Path("other.yaml").exists()
    with Path("fineforge.schema.json").open("w", encoding="utf-8") as out, monkeypatch.context() as patch:
        patch.setattr("sys.stdout", out)
        assert run(["schema"]) == 0
    assert run(["init", "other"]) == 0


def test_shipped_specs_are_one_project_without_a_clash(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", str(SPECS)]) == 1
    said = capsys.readouterr().err
    assert "found 1 error," in said and "error[FF141]" in said, said
