"""A spec from somebody else is data: it runs nothing, reaches no file but the project's, and costs no more than it may."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fineforge import engine
from fineforge.core.diagnostics import FineforgeError
from fineforge.dataset import fetch
from fineforge.dataset.fetch import Remote
from fineforge.engine import planned
from fineforge.resources.templates import Templates
from tests.support import hub, single

WRITTEN = "{{ 7 * 7 }} {% for x in y %} $HOME $(id) `id` !!python/name:os.system {{ ''.__class__ }}"
"""Meant to be run by whoever runs something."""


def codes(spec: Path, allow_outside: bool = False) -> set[str]:
    try:
        found = engine.validate(single.load(spec, allow_outside=allow_outside).at()).diagnostics
    except FineforgeError as error:
        found = error.diagnostics
    return {diagnostic.code for diagnostic in found if diagnostic.severity.value == "error"}


def test_text_stays_text(project: Path) -> None:
    """Every text of a spec that may be any text arrives in the YAML for Azure as it was written."""
    spec = project / "spec.yaml"
    quoted = "'" + WRITTEN.replace("'", "''") + "'"
    spec.write_text(spec.read_text() + f"\ntags: {{note: {quoted}}}\njob: {{display_name: {quoted}, experiment: plain}}\n")
    assert codes(spec) == set()
    job = next(one for one in engine.render(single.load(spec).at()) if one.key.kind == "job")
    assert job.document["display_name"] == WRITTEN
    assert job.document["tags"]["note"] == WRITTEN


@pytest.mark.parametrize(
    "value", ["!!python/object/apply:os.system ['id']", "!!python/name:os.system ''", "!include x", "!!binary eA=="]
)
@pytest.mark.parametrize("file", ["spec.yaml", "fineforge.yaml", "fineforge.lock.yaml"])
def test_tags_are_refused_in_every_file(value: str, file: str, project: Path) -> None:
    """`-1`: the first key of each file, so that nothing is refused for another reason first."""
    (project / file).write_text(f"version: {value}\n")
    assert codes(project / "spec.yaml") == {"FF106"}


COSTLY = {
    "a long text": "{{ 'x' * 10 ** 10 }}",
    "a long list": "{{ [0] * 10 ** 10 }}",
    "a large number": "{{ 9 ** 9 ** 9 ** 9 }}",
    "a wide text": "{{ '%999999999d' % 1 }}",
}


@pytest.mark.parametrize("name", COSTLY)
def test_a_template_cannot_ask_for_all_the_memory(name: str) -> None:
    with pytest.raises(FineforgeError) as caught:
        Templates({"t.yml.j2": COSTLY[name]}).text("t.yml.j2", {})
    (found,) = caught.value.diagnostics
    assert found.code == "FF201" and "too large" in found.message


def outside(project: Path, way: str) -> None:
    """The data moves out of the project, and the spec follows it."""
    spec, data, away = project / "spec.yaml", project / "data" / "quickstart", project.parent / "away"
    data.rename(away)
    if way == "link":
        data.symlink_to(away)
    else:
        source = str(away) if way == "absolute" else "../away"
        spec.write_text(spec.read_text().replace("source: ./data/quickstart", f"source: {source}"))


@pytest.mark.parametrize("way", ["absolute", "dots", "link"])
def test_files_outside_the_project(way: str, project: Path) -> None:
    outside(project, way)
    assert codes(project / "spec.yaml") == {"FF602"}
    assert codes(project / "spec.yaml", allow_outside=True) == set()


@pytest.mark.parametrize("words", ["validate", "data --rows 0", "plan --target local", "apply --target local --auto-approve"])
def test_the_option_for_files_outside_the_project(words: str, project: Path, tmp_path: Path) -> None:
    """Each command that reads data has it; the target is not there, so that `plan` and `apply` get as far as asking for it."""
    outside(project, "dots")
    command, *more = words.split()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "FINEFORGE_EMULATOR_HOME": str(tmp_path / "none")}
    environment["PYTHONPATH"] = str(Path(planned.__file__).parents[2])
    run = [sys.executable, "-m", "fineforge", command, str(project / "spec.yaml"), *more]
    refused = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=60, check=False)
    allowed = subprocess.run([*run, "--allow-outside"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    if "--target" in words:
        assert "error[FF701]" in allowed.stderr, "the emulator is what is missing"
    else:
        assert refused.returncode == 1 and "error[FF602]" in refused.stderr and "--allow-outside" in refused.stderr
        assert allowed.returncode == 0, allowed.stderr


def test_an_answer_without_an_end(tmp_path: Path) -> None:
    """Small answers, and files that a server sends without ranges, are read up to a limit."""
    (tmp_path / "shop" / "talks").mkdir(parents=True)
    file = tmp_path / "shop" / "talks" / "rows.jsonl"
    file.write_bytes(b'{"a": 1}\n' * 10_000)
    with hub.running(tmp_path) as running:
        remote = Remote("rows", f"{running.url}/datasets/shop/talks/resolve/{running.commit}/rows.jsonl", "rows")
        for read in (lambda: fetch.answer(remote, limit=4096), lambda: sum(map(len, fetch.stream(remote, limit=8192)))):
            with pytest.raises(FineforgeError) as caught:
                read()
            (found,) = caught.value.diagnostics
            assert found.code == "FF622" and "larger than" in found.message
