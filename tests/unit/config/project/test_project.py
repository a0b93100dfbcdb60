"""The project file, and where a target's workspace is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fineforge.config import project
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.host import files

FILE = """\
name: shop
default_target: prod
targets:
  dev: {subscription_id: s-1, resource_group: rg-dev, workspace: models-dev}
  prod: {subscription_id: s-2, resource_group: rg-prod, workspace: models}
defaults:
  training: {num_train_epochs: 2}
  optimization: {apply_lora: true}
  tags: {team: helpdesk}
templates: ours
"""
VARIABLES = ("AZUREML_ARM_SUBSCRIPTION", "AZUREML_ARM_RESOURCEGROUP", "AZUREML_ARM_WORKSPACE_NAME")
WORKSPACE = {"subscription_id": "s-9", "resource_group": "rg-9", "workspace_name": "w-9"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "FINEFORGE_TARGET"):
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, text: str) -> Path:
    (folder / "ours").mkdir(exist_ok=True)
    (folder / project.FILE_NAME).write_text(text, encoding="utf-8")
    return folder


def refused(folder: Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(FineforgeError) as caught:
        project.find(folder)
    return caught.value.diagnostics


def test_it_is_found_upwards(tmp_path: Path) -> None:
    (tmp_path / "specs" / "deep").mkdir(parents=True)
    found = project.find(write(tmp_path, FILE) / "specs" / "deep")
    assert (found.name, found.root, found.templates) == ("shop", tmp_path, tmp_path / "ours")
    assert found.training == {"num_train_epochs": 2, "apply_lora": True}
    assert found.tags == {"team": "helpdesk"}


def test_without_one_the_spec_stands_alone(tmp_path: Path) -> None:
    found = project.find(tmp_path)
    assert (found.name, found.root, found.targets, found.templates) == ("", tmp_path, {}, None)


def test_which_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = project.find(write(tmp_path, FILE))
    assert found.target(None) == "prod"
    monkeypatch.setenv("FINEFORGE_TARGET", "dev")
    assert found.target(None) == "dev"
    assert found.target("local") == "local"
    monkeypatch.delenv("FINEFORGE_TARGET")
    one = project.find(write(tmp_path, "name: shop\ntargets: {dev: {subscription_id: s, resource_group: r, workspace: w}}\n"))
    assert one.target(None) == "dev"
    assert project.find(write(tmp_path, "name: shop\n")).target(None) == "default"


def test_a_targets_workspace(tmp_path: Path) -> None:
    found = project.find(write(tmp_path, FILE)).workspace("dev")
    assert (found.target, found.subscription_id, found.resource_group, found.name) == ("dev", "s-1", "rg-dev", "models-dev")


def test_a_target_that_is_not_there(tmp_path: Path) -> None:
    found = project.find(write(tmp_path, FILE))
    known = "known targets: `local`, `dev`, `prod`; add others to `targets` in `fineforge.yaml`"
    for name, hint in (("pord", "did you mean `prod`?"), ("qqqq", known)):
        with pytest.raises(FineforgeError) as caught:
            found.workspace(name)
        [diagnostic] = caught.value.diagnostics
        assert (diagnostic.code, diagnostic.hint) == ("FF161", hint)


def test_the_environment_before_the_workspace_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "config.json").write_text(json.dumps(WORKSPACE), encoding="utf-8-sig")
    found = project.find(tmp_path / "specs")
    assert found.workspace("default").name == "w-9"
    for name in VARIABLES:
        monkeypatch.setenv(name, name.lower())
    assert found.workspace("default").name == "azureml_arm_workspace_name"
    monkeypatch.delenv(VARIABLES[1])
    with pytest.raises(FineforgeError) as caught:
        found.workspace("default")
    [diagnostic] = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.hint) == ("FF161", "also set AZUREML_ARM_RESOURCEGROUP, or unset all three")


def test_the_folder_of_the_azure_cli_comes_first(tmp_path: Path) -> None:
    (tmp_path / ".azureml").mkdir()
    (tmp_path / ".azureml" / "config.json").write_text(json.dumps(WORKSPACE), encoding="utf-8")
    (tmp_path / "config.json").write_text('{"port": 80}', encoding="utf-8")
    assert project.find(tmp_path).workspace("default").subscription_id == "s-9"


@pytest.mark.parametrize("text", ['{"port": 80}', "not JSON at all", "[]"])
def test_another_programs_config_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(FineforgeError) as caught:
        project.find(tmp_path).workspace("default")
    assert [d.code for d in caught.value.diagnostics] == ["FF161"]


@pytest.mark.parametrize(
    "text", ['{"subscription_id": "s"}', '{"subscription_id": ', json.dumps(WORKSPACE | {"resource_group": 7})]
)
def test_a_broken_workspace_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(FineforgeError) as caught:
        project.find(tmp_path).workspace("default")
    assert [d.code for d in caught.value.diagnostics] == ["FF160"]


def test_every_error_at_once_and_in_its_place(tmp_path: Path) -> None:
    text = """\
name: P!
target: {}
targets:
  local: {subscription_id: s, resource_group: rg}
default_target:
defaults: {training: {learning_rate: [1]}, tags: {a/b: x}}
"""
    found = refused(write(tmp_path, text))
    assert {(d.code, d.span.line if d.span else 0, d.message) for d in found} == {
        ("FF123", 1, "`name` cannot be `P!`"),
        ("FF120", 2, "unknown key `target`"),
        ("FF121", 4, "`targets.local.workspace` is missing"),
        ("FF122", 5, "`default_target` has no value"),
        ("FF122", 6, "`defaults.training.learning_rate` must be a number, text, true or false, got a list"),
        ("FF126", 6, "the tag `a/b` has `/`, which Azure rejects"),
    }
    assert all(d.span is not None and d.span.file.endswith("fineforge.yaml") for d in found)


def test_what_contradicts_itself(tmp_path: Path) -> None:
    text = (
        FILE.replace("  prod:", "  local:")
        .replace("templates: ours", "templates: theirs")
        .replace("apply_lora", "num_train_epochs")
    )
    found = refused(write(tmp_path, text))
    assert [(d.code, d.message) for d in found] == [
        ("FF124", "`num_train_epochs` is set in both `training` and `optimization`"),
        ("FF160", "`local` is reserved for the emulator and cannot be a workspace"),
        ("FF160", "unknown target `prod`"),
        ("FF160", "folder `theirs` does not exist"),
    ]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "nowhere.yaml", "does not exist"), (tmp_path, "is a directory")):
        with pytest.raises(FineforgeError) as caught:
            files.read(path)
        [diagnostic] = caught.value.diagnostics
        assert diagnostic.code == "FF112" and words in diagnostic.message


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as stream:
        stream.truncate(100 << 20)
    with pytest.raises(FineforgeError) as caught:
        files.read(huge)
    assert [d.code for d in caught.value.diagnostics] == ["FF109"]


def test_templates_of_the_project_come_over_the_shipped_ones(tmp_path: Path) -> None:
    shipped = project.templates(project.find(tmp_path))
    assert len(shipped) == 7
    (write(tmp_path, FILE) / "ours" / "job.yml.j2").write_text("mine", encoding="utf-8")
    found = project.templates(project.find(tmp_path))
    assert found["job.yml.j2"] == "mine"
    assert {name for name in shipped if shipped[name] != found[name]} == {"job.yml.j2"}
    (tmp_path / "ours" / "job.yml.j2").write_bytes(b"caf\xe9")
    with pytest.raises(FineforgeError) as caught:
        project.templates(project.find(tmp_path))
    assert [d.code for d in caught.value.diagnostics] == ["FF112"]
