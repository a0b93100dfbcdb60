"""The files of a project, read and put together; and what `explain` says of where values are from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from fineforge.cli.schema import document
from fineforge.config import layers, project, source, spec
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from tests.unit.config.composing.texts import SPEC, files, place

PROJECT = """\
name: shop
default_target: dev
targets:
  dev: {subscription_id: s-1, resource_group: rg-dev, workspace: models-dev}
  prod: {subscription_id: s-2, resource_group: rg-prod, workspace: models}
variables:
  team: {default: ml, description: who pays}
  nodes: {type: integer, default: 1}
defaults:
  compute: {max_nodes: 8}
  training: {num_train_epochs: 2}
  tags: {team: "${var.team}"}
"""


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FINEFORGE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project; the spec is at specs/team/support.yaml."""
    (tmp_path / "specs" / "team").mkdir(parents=True)
    write(tmp_path, "fineforge.yaml", PROJECT)
    write(tmp_path, "fineforge.defaults.yaml", "job: {experiment: root, retries: 1, display_name: root}\n")
    write(tmp_path, "specs/fineforge.defaults.yaml", "job: {experiment: specs, retries: 2}\n")
    write(tmp_path, "specs/team/fineforge.defaults.yaml", "job: {experiment: team}\n")
    write(tmp_path, "specs/team/support.yaml", SPEC + "job: {nodes: '${var.nodes}'}\noverlays:\n  prod: {job: {nodes: 3}}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text, encoding="utf-8")


def refused(path: str, target: str | None = None) -> tuple[Diagnostic, ...]:
    with pytest.raises(FineforgeError) as caught:
        layers.read(Path(path), target)
    return caught.value.diagnostics


def test_folders_between_the_project_and_the_spec(folder: Path) -> None:
    composed, where = layers.read(Path("specs/team/support.yaml"))
    assert composed.data["job"] == {"experiment": "team", "retries": 2, "display_name": "root", "nodes": 1}
    assert composed.data["tags"] == {"team": "ml"} and composed.data["compute"]["max_nodes"] == 8
    assert where.training == composed.training == {"num_train_epochs": 2}
    assert where.tags == {}, "they are in the spec"
    assert files(composed) == (
        "fineforge.yaml",
        "fineforge.defaults.yaml",
        "specs/fineforge.defaults.yaml",
        "specs/team/fineforge.defaults.yaml",
        "specs/team/support.yaml",
    )
    assert spec.parse(composed).job.nodes == 1


def test_a_folder_beside_or_above_the_project_counts_not(folder: Path) -> None:
    write(folder, "specs/team/fineforge.yaml", "name: inner\n")
    write(folder, "specs/team/plain.yaml", SPEC)
    composed, where = layers.read(Path("specs/team/plain.yaml"))
    assert where.name == "inner"
    assert files(composed) == ("specs/team/fineforge.defaults.yaml", "specs/team/plain.yaml")


def test_without_a_project_file_the_folder_alone_has_defaults(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    write(tmp_path, "fineforge.defaults.yaml", "tags: {a: x}\n")
    write(tmp_path, "inner/fineforge.defaults.yaml", "tags: {b: y}\n")
    write(tmp_path, "inner/spec.yaml", SPEC + "overlays: {default: {job: {nodes: 2}}, local: {job: {nodes: 1}}}\n")
    composed, _ = layers.read(tmp_path / "inner" / "spec.yaml")
    assert composed.data["tags"] == {"b": "y"} and composed.data["job"] == {"nodes": 2}


def test_which_target_is_meant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec_file = Path("specs/team/support.yaml")
    assert layers.read(spec_file)[0].target == "dev"
    assert layers.read(spec_file, "prod")[0].data["job"]["nodes"] == 3
    monkeypatch.setenv("FINEFORGE_TARGET", "prod")
    assert layers.read(spec_file)[0].data["job"]["nodes"] == 3
    monkeypatch.delenv("FINEFORGE_TARGET")
    write(folder, "specs/team/fineforge.defaults.yaml", "targets: [prod]\n")
    assert layers.read(spec_file)[0].target == "prod", "the only one that the spec is for"
    assert layers.read(spec_file, "dev")[0].target == "dev", "who asks for another one is refused later, with FF140"


def test_a_file_that_changes_is_read_anew(folder: Path) -> None:
    for value in ("one", "two"):
        write(folder, "specs/team/fineforge.defaults.yaml", f"job: {{experiment: {value}}}\n")
        assert layers.read(Path("specs/team/support.yaml"))[0].data["job"]["experiment"] == value


def test_the_environment_gives_variables(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINEFORGE_VAR_nodes", "5")
    monkeypatch.setenv("FINEFORGE_VAR_of_another_project", "x")
    assert layers.read(Path("specs/team/support.yaml"))[0].data["job"]["nodes"] == 5


def test_problems_stand_in_their_own_files(folder: Path) -> None:
    write(folder, "specs/fineforge.defaults.yaml", "jbo: {}\n")
    write(folder, "specs/team/fineforge.defaults.yaml", "tags: {a: '${env.GONE}'}\n")
    found = refused("specs/team/support.yaml")
    assert [(problem.code, place(problem)) for problem in found] == [
        ("FF120", "specs/fineforge.defaults.yaml:1:1"),
        ("FF168", "specs/team/fineforge.defaults.yaml:1:11"),
    ]


def test_a_folders_file_that_cannot_be_parsed(folder: Path) -> None:
    write(folder, "specs/fineforge.defaults.yaml", "job: {\n")
    assert [(problem.code, place(problem)) for problem in refused("specs/team/support.yaml")] == [
        ("FF101", "specs/fineforge.defaults.yaml:2:1")
    ]


@pytest.mark.parametrize(
    ("entry", "code", "where"),
    [
        ("variables: {nodes: {type: integer, default: x}}", "FF166", "fineforge.yaml:2:45"),
        ("variables: {nodes: {type: int}}", "FF122", "fineforge.yaml:2:27"),
        ("variables: {nodes: {defualt: 1}}", "FF120", "fineforge.yaml:2:21"),
        ("variables: {n-s: {}}", "FF123", "fineforge.yaml:2:18"),
        ("variables: {nodes: }", "FF122", "fineforge.yaml:2:20"),
        ("defaults: {overlays: {}}", "FF162", "fineforge.yaml:2:12"),
        ("defaults: {deploymnt: {}}", "FF120", "fineforge.yaml:2:12"),
        ("defaults: {training: {x: [1]}}", "FF122", "fineforge.yaml:2:26"),
    ],
)
def test_what_a_project_file_cannot_say(folder: Path, entry: str, code: str, where: str) -> None:
    write(folder, "fineforge.yaml", f"name: shop\n{entry}\n")
    with pytest.raises(FineforgeError) as caught:
        project.find(folder)
    assert [(problem.code, place(problem)) for problem in caught.value.diagnostics] == [(code, where)]


def test_a_file_of_variables_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FineforgeError) as caught:
        layers.read_given({}, [tmp_path / "gone.yaml"])
    assert [problem.code for problem in caught.value.diagnostics] == ["FF112"]


def explain(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fineforge", "explain", "specs/team/support.yaml", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "140", "NO_COLOR": "1", **environment},
        check=False,
    )


def test_explain_says_where_values_are_from(folder: Path) -> None:
    write(folder, "data.jsonl", "")
    write(folder, "prod.yaml", "team: platform\n")
    ran = explain("--target", "prod", "--var", "nodes=2", "--var-file", "prod.yaml")
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert lines[0].startswith("support.yaml for `prod`: ")
    assert "tags.team platform project defaults, fineforge.yaml:12, var.team (prod.yaml:1)" in lines
    assert "job.nodes 3 overlay prod, specs/team/support.yaml:12" in lines
    assert "job.experiment team folder defaults, specs/team/fineforge.defaults.yaml:1" in lines
    assert "training.num_train_epochs 2 project defaults, fineforge.yaml:11" in lines
    told = json.loads(explain("--json", FINEFORGE_VAR_nodes="4").stdout)
    assert told["target"] == "dev"
    assert {
        "path": "job.nodes",
        "value": 4,
        "layer": "spec",
        "file": "specs/team/support.yaml",
        "line": 10,
        "references": [{"name": "var.nodes", "origin": "FINEFORGE_VAR_nodes"}],
    } in told["values"]
    assert told["parameters"]["num_train_epochs"]["origin"] == "project"


def test_explain_shows_no_secret(folder: Path) -> None:
    text = PROJECT.replace("  nodes:", "  hf_token: {default: none}\n  nodes:")
    write(folder, "fineforge.yaml", text + "  job: {display_name: 'as ${var.hf_token}'}\n")
    write(folder, "specs/fineforge.defaults.yaml", "tags: {a: b}\n")
    write(folder, "fineforge.defaults.yaml", "tags: {a: c}\n")
    ran = explain(FINEFORGE_VAR_hf_token="hf_0123456789")
    assert "var.hf_token (FINEFORGE_VAR_hf_token)" in ran.stdout and "(hidden)" in ran.stdout
    assert "hf_0123456789" not in ran.stdout + ran.stderr


def test_explain_refuses_what_is_no_assignment(folder: Path) -> None:
    ran = explain("--var", "nodes")
    assert ran.returncode == 1 and "FF002" in ran.stderr and "NAME=VALUE" in ran.stderr


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("overlays: {dev: {job: {nodes: 2}, deployment: null}}", True),
        ("overlays: {dev: {job: {nodez: 2}}}", False),
        ("overlays: {dev: {name: x}}", False),
        ("job: {nodes: '${var.nodes}'}", True),
        ("job: {nodes: 'two'}", False),
        ("compute: {max_nodes: 3}", True),
        ("deployment: null", True),
        ("deployment: {traffic_steps: ['${var.first}', 100]}", True),
        ("endpoint: {auth: kye}", False),
        ("tags: {a: '${env.X}', b: null}", True),
    ],
)
def test_editors_know_it_too(text: str, fits: bool) -> None:
    data = source.load(f"version: 1\nname: support\n{text}\n".encode(), "x").data
    assert jsonschema.Draft202012Validator(document()).is_valid(data) is fits
