"""What holds for the command line as a whole: streams, exit codes, failures, signals, help and schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from fineforge.cli import COMMANDS, run
from fineforge.cli.schema import document
from fineforge.config import source
from fineforge.core.redaction import redact

ROOT = Path(__file__).parents[3]
FINEFORGE = [sys.executable, "-m", "fineforge"]


def call(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "COLUMNS": "80", **(environment or {})}
    return subprocess.run([*FINEFORGE, *arguments], capture_output=True, text=True, env=variables, timeout=60, check=False)


def shell(command: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a bash line in which `fineforge` is this one."""
    line = command.replace("fineforge", f"{sys.executable} -m fineforge")
    variables = {**os.environ, **(environment or {})}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=variables, timeout=60, check=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_fits(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: fineforge {name}")
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_usage_errors_end_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--nonsense"]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("error[FF002]: no such option `--nonsense`")


def test_colour_only_where_it_is_wanted(tmp_path: Path) -> None:
    file = str(tmp_path / "nowhere.yaml")
    assert "\x1b" not in call("validate", file).stderr
    assert "\x1b" in call("validate", file, environment={"FORCE_COLOR": "1", "NO_COLOR": ""}).stderr
    assert "\x1b" not in call("validate", file, environment={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stderr
    assert "\x1b" not in call("validate", file, "--no-color", environment={"FORCE_COLOR": "1", "NO_COLOR": ""}).stderr


def test_a_terminal_without_unicode_is_no_error(tmp_path: Path) -> None:
    spec = tmp_path / "a.yaml"
    spec.write_text("\tname: 名前\n", encoding="utf-8")
    ran = call("validate", str(spec), environment={"PYTHONIOENCODING": "ascii"})
    assert ran.returncode == 1 and "FF102" in ran.stderr and "Traceback" not in ran.stderr


def test_an_internal_error_shows_no_traceback_and_keeps_one(tmp_path: Path) -> None:
    """A package that is installed, and breaks when it is imported, is something that no command expects."""
    (tmp_path / "jinja2.py").write_text("raise RuntimeError('half an upgrade')\n", encoding="utf-8")
    places = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    ran = call("render", str(ROOT / "specs" / "quickstart.yaml"), environment=places)
    assert ran.returncode == 1
    assert "error[FF001]: internal error" in ran.stderr and "Traceback" not in ran.stderr
    (report,) = tmp_path.rglob("error-*.txt")
    assert "Traceback (most recent call last)" in report.read_text(encoding="utf-8")
    assert report.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_said() -> None:
    ran = shell("fineforge schema >/dev/full")
    assert ran.returncode == 1 and "FF007" in ran.stderr


def test_a_reader_that_leaves_early_is_no_error() -> None:
    ran = shell("fineforge schema | head -n 1")
    assert ran.stdout == "{\n" and ran.stderr == ""


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("https://x.blob.core.windows.net/c?sv=1&sig=abc%2Fdef&se=2", "sv=1&sig=***&se=2", "abc"),
        ("AccountName=x;AccountKey=c2VjcmV0==;EndpointSuffix=y", "AccountKey=***;EndpointSuffix", "c2Vj"),
        ("Authorization: Bearer abc.def-ghi", "Bearer ***", "abc.def"),
        ("token eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.sig here", "token *** here", "eyJ"),
    ],
)
def test_reports_hold_no_secret(text: str, kept: str, gone: str) -> None:
    assert kept in redact(text) and gone not in redact(text)


def test_shipped_specs_fit_the_schema() -> None:
    specs = sorted((ROOT / "specs").glob("*.yaml"))
    assert specs
    for spec in specs:
        jsonschema.Draft202012Validator(document()).validate(source.load(spec.read_bytes(), spec.name).data)


def test_the_schema_refuses_an_unknown_key() -> None:
    with pytest.raises(jsonschema.ValidationError, match="trainig"):
        jsonschema.Draft202012Validator(document()).validate(
            {"version": 1, "name": "abc", "model": {"name": "Phi-4"}, "trainig": {}}
        )


def test_completion_knows_the_commands() -> None:
    ran = call(environment={"_FINEFORGE_COMPLETE": "bash_complete", "COMP_WORDS": "fineforge pl", "COMP_CWORD": "1"})
    assert ran.stdout.split() == ["plain,plan"]


def test_version_as_json() -> None:
    assert json.loads(call("version", "--json").stdout)["fineforge"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("{}", "is not a valid request"),
        ('{"messages": "Hello"}', "is not a valid request"),
        ('[{"role": "user"}]', "is not a valid request"),
        ('{"messages": [{"role": "user", "content": "Hello"}], "parameters": [1]}', "is not a valid request"),
    ],
)
def test_a_file_that_is_no_request(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "request.json").write_text(text, encoding="utf-8")
    ran = call("invoke", str(ROOT / "specs" / "quickstart.yaml"), "--file", str(tmp_path / "request.json"))
    assert ran.returncode == 1 and "FF008" in ran.stderr and words in ran.stderr


@pytest.mark.parametrize(
    "text",
    [
        '[{"role": "user", "content": "Hello"}]',
        '{"messages": [{"role": "user", "content": "Hello"}], "parameters": {"top_p": 0.6}}',
        '{"input_data": {"input_string": [{"role": "user", "content": "Hello"}], "parameters": {"top_p": 0.6}}, "params": {}}',
    ],
)
def test_the_forms_of_a_request(tmp_path: Path, text: str) -> None:
    from fineforge.cli.invoke import _request

    (tmp_path / "request.json").write_text(text, encoding="utf-8")
    messages, parameters = _request(tmp_path / "request.json")
    assert messages == [{"role": "user", "content": "Hello"}]
    assert parameters == ({} if text.startswith("[") else {"top_p": 0.6})


HERE = {"ROOT": str(ROOT), "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_streams_that_are_closed_are_no_error(closed: str) -> None:
    assert shell(f"fineforge validate $ROOT/specs/quickstart.yaml {closed}", HERE).returncode == 0
    assert shell(f"fineforge validate nowhere.yaml {closed}", HERE).returncode == 1
    said = shell("fineforge validate nowhere.yaml >&-", HERE).stderr
    assert said.startswith("error[FF112]: file `nowhere.yaml`")


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    gone = f"mkdir {tmp_path}/gone && cd {tmp_path}/gone && rmdir ../gone"
    ran = shell(f"{gone} && fineforge validate $ROOT/specs/quickstart.yaml", HERE)
    assert ran.returncode == 1
    assert "error[FF112]: the working directory no longer exists" in ran.stderr


def test_quiet_keeps_results_and_problems_and_drops_notes(capsys: pytest.CaptureFixture[str]) -> None:
    """The README's first command prints what the README says."""
    spec = str(Path(__file__).parents[3] / "specs" / "quickstart.yaml")
    assert run(["validate", spec]) == 0
    assert "note[FF136]" in capsys.readouterr().err
    assert run(["validate", spec, "--quiet"]) == 0
    told = capsys.readouterr()
    assert told.err == "" and told.out.endswith("quickstart.yaml is valid\n")
    assert run(["validate", "nowhere.yaml", "--quiet"]) == 1
    assert "FF112" in capsys.readouterr().err
