"""The data of a whole spec: pinned, prepared, told; and what a plan's uploads get of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fineforge import engine
from fineforge.cli import run as command
from fineforge.config import source, spec
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.facts import DatasetFact
from fineforge.engine import data
from fineforge.resources import naming
from tests.support import single
from tests.unit.dataset.dataset_files import left, row, write

SPEC = """\
version: 1
name: talks
{extra}model: {{name: Phi-4, version: "8"}}
component: {{version: "0.0.82"}}
dataset:
  source: data
  splits: {{train: {{}}, validation: {{rows: 2}}, test: {{source: "azureml:talks-test:3"}}}}
compute: {{name: gpu, size: Standard_NC24ads_A100_v4}}
register: {{name: talks}}
"""


@pytest.fixture
def spec_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A spec with its data, in a home of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FINEFORGE_TARGET", raising=False)
    write(tmp_path / "data/train.jsonl", *(row(f"What is number {n}?") for n in range(5)))
    write(tmp_path / "data/validation.jsonl", row("Who?"), row("Who is it?"), "never read")
    yield write(tmp_path / "spec.yaml", SPEC.format(extra=""))


def test_everything_is_prepared_and_told(spec_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["data", str(spec_file), "--json", "--rows", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {split: entry["rows"] for split, entry in told["splits"].items()} == {"train": 5, "validation": 2}
    assert told["assets"] == {"test": "azureml:talks-test:3"}
    assert told["diagnostics"] == []
    shown = told["splits"]["train"]["shown"]
    assert [turn["content"] for turn in shown[0]["messages"]] == ["What is number 0?", "Certainly, at any time of the day."]
    assert Path(told["splits"]["train"]["path"]).is_file()


def test_warnings_go_to_the_other_stream(spec_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(spec_file.parent / "data/train.jsonl", row("Where?"), row("Where?"))
    assert command(["data", str(spec_file), "-q"]) == 0
    shown = capsys.readouterr()
    assert "warning[FF615]: `data/train.jsonl` line 2: the same prompt as line 1" in shown.err
    assert "FF615" not in shown.out and "test: azureml:talks-test:3, an existing data asset, used unchanged" in shown.out


def test_what_is_known_costs_no_rows(spec_file: Path) -> None:
    loaded = single.load(spec_file).at()
    facts = data.described(loaded)
    assert data.checked(facts) == {}
    engine.prepare_data(loaded)
    assert {split: known["rows"] for split, known in data.checked(facts).items()} == {"train": 5, "validation": 2}
    assert data.checked({}) == {}


def test_a_plans_uploads(spec_file: Path) -> None:
    loaded = single.load(spec_file).at()
    wanted = {split: naming.upload_path(loaded.spec, fact) for split, fact in data.described(loaded).items() if not fact.asset}
    files, warnings = data.uploads(loaded, wanted, None, lambda *_: None, threading.Event())
    assert sorted(path.name.partition("-")[2] for path in files.values()) == ["train.jsonl", "validation.jsonl"]
    assert warnings == ()
    write(spec_file.parent / "data/train.jsonl", row("Another?"))
    with pytest.raises(FineforgeError, match="FF606 the `train` data has changed since the plan") as error:
        data.uploads(loaded, wanted, None, lambda *_: None, threading.Event())
    assert error.value.exit_code == 5


def test_to_destroy_the_data_need_not_be_there(spec_file: Path) -> None:
    (spec_file.parent / "data/train.jsonl").unlink()
    assert data.described_if_there(single.load(spec_file).at()) == {}
    with pytest.raises(FineforgeError, match="FF601") as error:
        engine.prepare_data(single.load(spec_file).at())
    assert error.value.diagnostics[0].span is not None, "the spec's line is shown"


def test_pins_of_the_lock_file_count(spec_file: Path) -> None:
    text = spec_file.read_text(encoding="utf-8").replace("source: data\n", "source: hf://shop/talks\n")
    write(spec_file, text)
    with pytest.raises(FineforgeError, match="FF618"):
        data.described(single.load(spec_file).at())
    pins = {"default": {"datasets": {"hf://shop/talks": "8" * 40}}}
    write(spec_file.parent / "fineforge.lock.yaml", json.dumps({"version": 1, "targets": pins}))
    found: dict[str, DatasetFact] = {}
    for diagnostic in engine.validate(single.load(spec_file).at()).diagnostics:
        assert diagnostic.code != "FF618"
    found = dict(engine.validate(single.load(spec_file).at()).facts.datasets)
    assert found["train"].revision == "8" * 40


TASKS: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "a chat": ("", None),
    "a chat's component by name": ("component: {name: chat_completion_pipeline}\n", None),
    "labels": (
        "task: text-classification\ntraining: {sentence1_key: text, label_key: label, num_train_epochs: 1}\n",
        ("label", "text"),
    ),
    "a task without keys": ("task: summarization\n", ()),
    "any component": ("component: {id: azureml://registries/a/components/b/versions/1}\ntraining: {text_key: body}\n", ("body",)),
}


@pytest.mark.parametrize("name", TASKS)
def test_the_columns_that_a_task_needs(name: str) -> None:
    extra, columns = TASKS[name]
    text = SPEC.format(extra=extra)
    text = text.replace('component: {version: "0.0.82"}\n', "") if "component:" in extra else text
    assert data.required_columns(spec.parse(source.load(text.encode(), "spec.yaml"))) == columns


def test_the_cache_is_emptied(spec_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine.prepare_data(single.load(spec_file).at())
    assert len(left(spec_file.parent / "cache")) == 4
    assert command(["data", "cache", "--json"]) == 0
    held: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert held["entries"]["prepared splits"]["files"] == 2
    assert held["place"] == str(spec_file.parent / "cache/fineforge/data")
    assert command(["data", "cache", "--clear"]) == 0
    assert capsys.readouterr().err.endswith(f"freed in {held['place']}\n")
    assert left(spec_file.parent / "cache") == []
