"""The two doors to files: nothing outside the project is read or written, and no file can hang or exhaust the process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fineforge.core.diagnostics import FineforgeError
from fineforge.host import files, git, leftovers
from tests.scenarios.invariants.client import QUICKSTART

SECRET = "TOPSECRET-8c1f"
ROOT = Path(files.__file__).parents[2]


def fineforge(folder: Path, *words: str, temp: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, with a hard limit of time and of memory (4 GB)."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    environment |= {"FINEFORGE_EMULATOR_HOME": str(folder / "none"), "XDG_CACHE_HOME": str(folder / ".cache")}
    environment |= {"TMPDIR": str(temp)} if temp else {}
    command = ["bash", "-c", 'ulimit -v 4000000; exec "$@"', "-", sys.executable, "-m", "fineforge", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )


def refused(ran: subprocess.CompletedProcess[str], code: str) -> None:
    assert ran.returncode == 1, (ran.stdout, ran.stderr)
    assert f"[{code}]" in ran.stderr, ran.stderr
    assert "FF001" not in ran.stderr and SECRET not in ran.stdout + ran.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("specs", "policies", "templates"):
        (folder / name).mkdir(parents=True)
    (folder / "fineforge.yaml").write_text("name: shop\ntemplates: templates\n")
    shutil.copy(QUICKSTART, folder / "specs" / "a.yaml")
    shutil.copytree(QUICKSTART.parent / "data" / "quickstart", folder / "specs" / "data" / "quickstart")
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    file = tmp_path / "outside.yaml"
    file.write_text(f"{SECRET}: {SECRET}\n")
    return file


PLACES = {
    "a spec": ("specs/c.yaml", ["validate", "specs"]),
    "the project file": ("specs/fineforge.yaml", ["validate", "specs"]),
    "a folder's defaults": ("specs/fineforge.defaults.yaml", ["validate", "specs"]),
    "the lock": ("fineforge.lock.yaml", ["validate", "specs"]),
    "a policy": ("policies/c.yaml", ["policy", "test"]),
    "a template": ("templates/job.yml.j2", ["render", "specs/a.yaml"]),
    "an ignore file": ("specs/.fineforgeignore", ["validate", "specs"]),
    "variables": ("vars.yaml", ["validate", "specs", "--var-file", "vars.yaml"]),
    "a request": ("request.json", ["invoke", "specs/a.yaml", "--file", "request.json"]),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_link_that_leads_outside_is_refused(place: str, project: Path, outside: Path) -> None:
    name, words = PLACES[place]
    (project / name).symlink_to(outside)
    refused(fineforge(project, *words), "FF602")
    assert SECRET in outside.read_text()


@pytest.mark.parametrize("place", PLACES)
def test_a_pipe_is_refused_and_not_waited_for(place: str, project: Path) -> None:
    name, words = PLACES[place]
    os.mkfifo(project / name)
    ran = fineforge(project, *words)
    if place in ("a spec", "an ignore file"):  # passed over in a folder: it is not a spec, and not an ignore file
        assert ran.returncode == 0, ran.stderr
    else:
        refused(ran, "FF112")


@pytest.mark.parametrize("name", ["policies", "templates"])
def test_a_linked_folder_is_no_way_out(name: str, project: Path, outside: Path) -> None:
    (project / name).rmdir()
    away = outside.parent / "away"
    away.mkdir()
    outside.rename(away / ("c.yaml" if name == "policies" else "job.yml.j2"))
    (project / name).symlink_to(away)
    refused(fineforge(project, *(["policy", "test"] if name == "policies" else ["render", "specs/a.yaml"])), "FF602")


def test_a_linked_folder_of_specs_is_no_way_out(project: Path, outside: Path) -> None:
    (project / "more").symlink_to(outside.parent)
    refused(fineforge(project, "validate", "more/outside.yaml"), "FF602")


def test_the_option_permits_it(project: Path, tmp_path: Path) -> None:
    shutil.copy(QUICKSTART, tmp_path / "shared.yaml")
    (project / "specs" / "a.yaml").unlink()
    (tmp_path / "vars.yaml").write_text("{}\n")
    (project / "vars.yaml").symlink_to(tmp_path / "vars.yaml")
    (project / "specs" / "c.yaml").symlink_to(tmp_path / "shared.yaml")
    refused(fineforge(project, "validate", "specs"), "FF602")
    for words in (["validate", "specs/c.yaml"], ["render", "specs/c.yaml"], ["explain", "specs/c.yaml"]):
        ran = fineforge(project, *words, "--allow-outside", "--var-file", "vars.yaml")
        assert ran.returncode == 0, ran.stderr


CASE = "rules:\n  - {{name: never, deny: 'false', message: m}}\ntests:\n  - {{name: c, {what}, expect: {{}}}}\n"


def test_a_case_may_not_name_a_spec_outside(project: Path, outside: Path) -> None:
    (project / "policies" / "p.yaml").write_text(CASE.format(what=f"spec: {outside}"))
    refused(fineforge(project, "policy", "test"), "FF602")


def _endless(file: Path) -> None:
    file.symlink_to("/dev/zero")


def _sparse(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(20 << 30)


PLANS: dict[str, Callable[[Path], object]] = {
    "endless": _endless,
    "sparse": _sparse,
    "pipe": os.mkfifo,
    "deep": lambda file: file.write_text("[" * 20_000),
    "deep and closed": lambda file: file.write_text('{"a":' + "[" * 500 + "]" * 500 + "}"),
    "a large number": lambda file: file.write_text('{"format_version": "1.0", "specs": [' + "9" * 30 + "]}"),
    "a lone surrogate": lambda file: file.write_text('{"format_version": "1.0", "specs": ["\\ud800"]}'),
    "not a number": lambda file: file.write_text('{"format_version": "1.0", "specs": [NaN]}'),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_of_a_case(name: str, project: Path) -> None:
    PLANS[name](project / "policies" / "plan.json")
    (project / "policies" / "p.yaml").write_text(CASE.format(what="plan: plan.json"))
    refused(fineforge(project, "policy", "test"), "FF324")


LONG = "x" * 300


@pytest.mark.parametrize("words", [["validate", LONG], ["plan", LONG], ["apply", LONG], ["explain", f"{LONG}.yaml"]])
def test_a_name_that_is_too_long(words: list[str], project: Path) -> None:
    ran = fineforge(project, *words)
    refused(ran, "FF112")
    assert "file name too long" in ran.stderr


@pytest.mark.parametrize("option", ["--out", "--json-into"])
def test_a_name_that_is_too_long_to_write(option: str, project: Path) -> None:
    refused(fineforge(project, "plan", "specs/a.yaml", "--target", "local", option, LONG), "FF007")


def test_a_folder_of_templates_whose_name_is_too_long(project: Path) -> None:
    (project / "fineforge.yaml").write_text(f"name: shop\ntemplates: {LONG}\n")
    refused(fineforge(project, "validate", "specs"), "FF160")


@pytest.mark.parametrize("name", ["a\0b", "\ud800.yaml", LONG])
def test_a_name_that_no_file_can_have(name: str) -> None:
    with pytest.raises(FineforgeError) as caught:
        files.read(Path(name))
    assert [found.code for found in caught.value.diagnostics] == ["FF112"]


@pytest.mark.parametrize(("source", "code"), [('"a\\0b"', "FF601"), ('"a\\0*"', "FF601"), (f"./{LONG}.jsonl", "FF603")])
def test_a_source_that_no_file_can_have(source: str, code: str, project: Path) -> None:
    text = QUICKSTART.read_text().replace("source: ./data/quickstart", f"source: {source}")
    assert source in text
    (project / "specs" / "a.yaml").write_text(text)
    refused(fineforge(project, "validate", "specs"), code)


@pytest.mark.parametrize("words", ["validate", "plan", "apply", "destroy", "status", "lock", "explain", "data", "render"])
def test_an_empty_path_is_refused(words: str, project: Path) -> None:
    ran = fineforge(project / "specs", words, "")
    refused(ran, "FF005" if words == "explain" else "FF002")
    assert words == "explain" or "empty path" in ran.stderr


def test_deep_json_everywhere(project: Path) -> None:
    deep = "[" * 20_000
    (project / "request.json").write_text(deep)
    refused(fineforge(project, "invoke", "specs/a.yaml", "--file", "request.json"), "FF008")
    refused(fineforge(project, "invoke", "specs/a.yaml", "hello", "--param", f"a={deep}"), "FF002")
    (project / "none").mkdir()
    (project / "none" / "emulator.json").write_text(deep)
    refused(fineforge(project, "plan", "specs/a.yaml", "--target", "local"), "FF701")
    (project / "none" / "emulator.json").unlink()
    os.mkfifo(project / "none" / "emulator.json")
    refused(fineforge(project, "plan", "specs/a.yaml", "--target", "local"), "FF701")
    (project / "config.json").write_text('{"subscription_id":' + deep)
    refused(fineforge(project, "import", "job"), "FF160")


@pytest.mark.parametrize("depth", [files.MAX_JSON_DEPTH - 1, files.MAX_JSON_DEPTH])
def test_how_deep_json_may_be(depth: int) -> None:
    text = "[" * depth + "1" + "]" * depth
    if depth < files.MAX_JSON_DEPTH:
        assert files.parse_json(text) == json.loads(text)
    else:
        with pytest.raises(files.JsonLimitError):
            files.parse_json(text)


def test_the_size_of_the_cache_is_a_size(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fineforge.dataset import cache

    for wrong in ("1e308", "1e300", "inf", "nan", "-1"):
        monkeypatch.setenv("FINEFORGE_CACHE_GIB", wrong)
        with pytest.raises(FineforgeError) as caught:
            cache.limit()
        assert caught.value.diagnostics[0].code == "FF630"


@pytest.mark.parametrize("exists", [False, True])
def test_nothing_is_written_through_a_link_that_leads_outside(exists: bool, project: Path, tmp_path: Path) -> None:
    away = tmp_path / "away.json"
    if exists:
        away.write_text("before")
    (project / "plan.json").symlink_to(away)
    with pytest.raises(FineforgeError) as caught:
        files.write(project / "plan.json", "after")
    assert caught.value.diagnostics[0].code == "FF007"
    assert away.exists() is exists and (not exists or away.read_text() == "before")
    refused(fineforge(project, "plan", "specs/a.yaml", "--target", "local", "--json-into", "plan.json"), "FF007")


def test_a_link_inside_the_project_stays_a_link(project: Path) -> None:
    (project / "link.json").symlink_to("plan.json")
    files.write(project / "link.json", "after")
    assert (project / "link.json").is_symlink() and (project / "plan.json").read_text() == "after"


def test_a_name_is_no_command_to_a_runner(project: Path) -> None:
    """GitHub takes a line that begins with `::` for a command, blanks before it do not count."""
    name = "specs/a\n::add-mask::b.yaml"
    (project / name).write_text("version: 1\nnonsense: ::add-mask::\n")
    for words in (["--output", "github"], []):
        ran = fineforge(project, "validate", "specs", *words)
        lines = [line.strip() for line in ran.stderr.splitlines()]
        assert ran.returncode == 1 and not [line for line in lines if line.startswith("::")], ran.stderr


KILLED = """
import sys, time
from pathlib import Path
from fineforge.host import files, git
if sys.argv[1] == "part":
    part = files.Part(Path(sys.argv[2]))
    part.write("half")
    print("ready", flush=True)
    sys.stdin.read()
with git.at("HEAD", [Path(sys.argv[2])]):
    print("ready", flush=True)
    sys.stdin.read()
"""


def kill(what: str, file: Path, temp: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temp)}
    command = [sys.executable, "-c", KILLED, what, str(file)]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    process.kill()
    process.communicate(timeout=30)


def test_what_a_killed_run_left_is_gone_after_the_next(project: Path, tmp_path: Path) -> None:
    temp, spec = tmp_path / "temp", project / "specs" / "a.yaml"
    temp.mkdir()
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=project, check=True, timeout=60)
    kill("part", project / "plan.json", temp)
    kill("tree", spec, temp)
    assert list(project.glob(".plan.json-*.part")) and list(temp.glob("fineforge-at-*"))
    assert git.run(project, "worktree", "list").count("\n") == 2
    assert fineforge(project, "version", temp=temp).returncode == 0
    assert not list(project.glob(".*.part")) and not list(temp.glob("fineforge-at-*"))
    assert git.run(project, "worktree", "list").count("\n") == 1
    assert not [note for folder in temp.glob("fineforge-left-*") for note in folder.iterdir()]


def test_what_a_living_run_makes_stays(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    part = files.Part(project / "plan.json")
    assert fineforge(project, "version", temp=tmp_path).returncode == 0
    assert list(leftovers.abandoned()) == []
    part.write("whole")
    part.finish()
    assert (project / "plan.json").read_text() == "whole"
    assert not list(project.glob(".*.part"))
