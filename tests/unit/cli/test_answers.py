"""What each command answers with `--json`, against the emulator, held against the published schemas."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from fineforge.cli import COMMANDS
from fineforge.documents import schemas
from tests.support.running_emulator import RunningEmulator, running
from tests.unit.views.test_documents import closed

ROOT = Path(__file__).parents[3]
SPEC = ROOT / "tests" / "acceptance" / "sessions" / "life"
NOT_ANSWERS = {"plan", "apply", "destroy", "adopt", "forget"}
"""They write plans or lines, which have schemas and tests of their own."""
STORY: tuple[tuple[str, str, int], ...] = (
    ("validate spec.yaml", "Validation", 0),
    ("validate nowhere.yaml", "Validation", 1),
    ("render spec.yaml", "Rendered", 0),
    ("explain spec.yaml", "ExplainedSpec", 0),
    ("explain FF120", "ExplainedCode", 0),
    ("explain Phi-4", "Facts", 0),
    ("explain chat_completion_pipeline", "Facts", 0),
    ("explain nobody-knows", "Failure", 1),
    ("policy test", "PolicyCases", 1),
    ("version", "Version", 0),
    ("data spec.yaml --rows 1", "Data", 0),
    ("data cache", "Cache", 0),
    ("lock spec.yaml --target local", "Lock", 0),
    ("emulator status", "EmulatorStatus", 0),
    ("status spec.yaml --target local", "Status", 0),
    ("metrics spec.yaml --target local", "Failure", 1),
    ("status . --target local", "ManyStatus", 0),
    ("lease list --target local", "Leases", 0),
    ("drift . --target local", "Drift", 0),
    ("drift nowhere.yaml --target local", "Failure", 1),
    ("apply spec.yaml --target local --auto-approve", "", 0),
    ("status spec.yaml --target local", "Status", 0),
    ("metrics spec.yaml --target local", "Metrics", 0),
    ("invoke spec.yaml hello --target local", "Invocation", 0),
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with running() as started:
        yield started


def validator(name: str, close: bool) -> jsonschema.Draft202012Validator:
    schema = schemas.answers_schema()
    definitions = closed(schema["$defs"]) if close else schema["$defs"]
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})


def test_every_answer_keeps_to_its_schema(emulator: RunningEmulator, tmp_path: Path) -> None:
    here = tmp_path / "here"
    shutil.copytree(SPEC, here)
    environment = {**os.environ, "FINEFORGE_EMULATOR_HOME": str(emulator.home), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    told: set[str] = set()
    for words, shape, code in STORY:
        command = [sys.executable, "-m", "fineforge", *words.split(), "--json"]
        ran = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert ran.returncode == code, (words, ran.stdout, ran.stderr)
        if not shape:
            continue
        found = json.loads(ran.stdout)
        validator(shape, close=shape != "EmulatorStatus").validate(found)
        told.add(shape)
    assert told == {answer.__name__ for answer in schemas.ANSWERS}


def test_every_command_that_takes_json_is_in_the_story() -> None:
    taking = {name for name in COMMANDS if any("--json" in command for command in options(module(name)))}
    assert taking - NOT_ANSWERS == {words.split()[0] for words, shape, _ in STORY if shape}


def options(command: click.Command) -> Iterator[list[str]]:
    for parameter in command.params:
        yield list(parameter.opts)
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        yield from options(inner)


def module(name: str) -> click.Command:
    found: Any = import_module(f"fineforge.cli.{name}_" if iskeyword(name) else f"fineforge.cli.{name}")
    command: click.Command = getattr(found, COMMANDS[name][0])
    return command


@pytest.mark.parametrize("answer", schemas.ANSWERS, ids=lambda answer: answer.__name__)
def test_another_major_version_is_refused_and_a_later_minor_one_is_not(answer: type) -> None:
    schema: Mapping[str, Any] = schemas.answers_schema()["$defs"][answer.__name__]
    pattern = jsonschema.Draft202012Validator(schema["properties"]["format_version"])
    assert "format_version" in schema["required"]
    assert [pattern.is_valid(version) for version in ("1.0", "1.7", "2.0", "10.0", "1")] == [True, True, False, False, False]
