"""The lock file: what it holds, what it fills in, and that nothing trains again because something moved upstream."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fineforge import engine
from fineforge.catalog import snapshot
from fineforge.config import names
from fineforge.config import pins as lock
from fineforge.config.pins import Lock, Pins
from fineforge.core.diagnostics import Diagnostic, FineforgeError, errors
from fineforge.core.plan import Action
from fineforge.engine import pinning
from tests.scenarios.stories.telling import Telling
from tests.support import single
from tests.support.memory import answering

COMMIT, LATER = "0" * 39 + "1", "0" * 39 + "2"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def telling(tmp_path: Path) -> Telling:
    """A spec that names no version at all."""
    told = Telling(tmp_path)
    told.data["model"] = {"name": "Phi-4"}
    told.data.pop("component")
    return told


def locked(telling: Telling, *upgrade: str) -> tuple[Lock, list[tuple[str, str]]]:
    made, moves = engine.lock([telling.loaded()], telling.gateway, upgrade)
    lock.write(made)
    return made, [(move.key, move.after) for move in moves]


def edit(telling: Telling, change: Any) -> None:
    """The lock file as somebody else's upstream made it."""
    file = telling.folder / names.LOCK_FILE
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    change(data["targets"]["dev"])
    file.write_text(yaml.safe_dump(data), encoding="utf-8")


def notes(found: tuple[Diagnostic, ...]) -> list[str]:
    return [diagnostic.message for diagnostic in found if diagnostic.code == "FF171"]


def test_what_is_open_is_an_error_that_names_the_command(telling: Telling) -> None:
    found = errors(engine.validate(telling.loaded().at("dev")).diagnostics)
    assert {diagnostic.code for diagnostic in found} == {"FF146", "FF147"}
    assert all("fineforge lock" in diagnostic.hint for diagnostic in found)


def test_pins_fill_in_what_is_open(telling: Telling) -> None:
    made, moves = locked(telling)
    assert moves == [
        ("azureml/Phi-4:latest", "8"),
        ("azureml/chat_completion_pipeline:latest", "0.0.82"),
        ("standard_nc96ads_a100_v4", "4"),
    ]
    assert not errors(engine.validate(telling.loaded().at("dev")).diagnostics)
    job = next(step for step in telling.plan().steps if step.key.kind == "job")
    telling.data |= {"model": {"name": "Phi-4", "version": "8"}, "component": {"version": "0.0.82"}}
    assert next(step for step in telling.plan().steps if step.key.kind == "job").key == job.key, (
        "the same job, however it is said"
    )
    assert lock.find(telling.folder).targets == _as_read(made.targets)


def test_the_file_is_a_round_trip_of_every_fact(tmp_path: Path) -> None:
    known = snapshot.load()
    pins = Pins(
        {f"azureml/{fact.name}:{fact.version}": fact for fact in known.models.values()},
        {f"azureml/{fact.name}:{fact.version}": fact for fact in known.components.values()},
        {"hf://owner/rows": COMMIT},
        {"standard_nc24ads_a100_v4": 1},
    )
    written = Lock(tmp_path / names.LOCK_FILE, {"dev": pins, "empty": Pins()})
    lock.write(written)
    text = written.path.read_bytes()
    read = lock.find(tmp_path)
    assert read.targets == _as_read({"dev": pins, "empty": Pins()})
    lock.write(read)
    assert written.path.read_bytes() == text
    assert b"None" not in text and b"null" not in text and b"origin" not in text, "defaults are left out"


def _as_read(targets: Any) -> dict[str, Pins]:
    """Where a fact was read from, and what its parser could not read, is in no file."""
    return {
        name: replace(
            pins,
            models={key: replace(pin, origin="the lock file", notes=(), twin=False) for key, pin in pins.models.items()},
            components={key: replace(pin, origin="the lock file") for key, pin in pins.components.items()},
        )
        for name, pins in targets.items()
    }


def test_locking_again_moves_nothing_and_asks_nothing(telling: Telling) -> None:
    locked(telling)
    before = (telling.folder / names.LOCK_FILE).read_bytes()
    reads = ("read_model", "read_component", "read_sizes")
    telling.gateway = answering(telling.gateway, **{name: lambda *_: pytest.fail("was asked") for name in reads})  # type: ignore[assignment]
    assert locked(telling)[1] == []
    assert (telling.folder / names.LOCK_FILE).read_bytes() == before


def test_a_changed_default_upstream_trains_nothing_again(telling: Telling) -> None:
    """A registry edits what a version says of itself: here the world is now what it is, and the file tells of another day."""
    locked(telling)
    edit(telling, lambda pins: pins["models"]["azureml/Phi-4:latest"]["defaults"].update(lora_dropout="0.25"))
    edit(telling, lambda pins: pins["components"]["azureml/chat_completion_pipeline:latest"]["inputs"]["seed"].update(default=7))
    telling.apply()
    made = telling.plan()
    assert {step.action for step in made.steps} == {Action.NOOP}
    values = single.plan(telling.loaded(), telling.gateway).parameters
    assert (values["lora_dropout"].value, values["seed"].value) == (0.25, 7)
    told = notes(made.diagnostics)
    assert len(told) == 2 and "`lora_dropout` was 0.25" in told[0] and "`seed` was 7, is 42" in told[1]

    assert {key for key, _ in locked(telling, "models")[1]} == {"azureml/Phi-4:latest"}
    assert "seed" in str(notes(telling.plan().diagnostics)) and len(notes(telling.plan().diagnostics)) == 1
    assert any(step.action is Action.NEW_VERSION and step.key.kind == "job" for step in telling.plan().steps)


def test_a_newer_version_upstream_is_a_note(telling: Telling) -> None:
    locked(telling)

    def older(pins: Any) -> None:
        pins["models"]["azureml/Phi-4:latest"]["version"] = "7"
        pins["components"]["azureml/chat_completion_pipeline:latest"]["version"] = "0.0.65"

    edit(telling, older)
    loaded = telling.loaded()
    told = pinning.ask_for_newer(loaded.at("dev"), telling.gateway, lambda _: LATER)()
    assert [diagnostic.message for diagnostic in told] == [
        "`Phi-4` is pinned at 7; the latest version is 8",
        "`chat_completion_pipeline` is pinned at 0.0.65; the latest version is 0.0.82",
    ]
    assert dict(locked(telling, "all")[1])["azureml/Phi-4:latest"] == "8"
    loaded = telling.loaded()
    assert not pinning.ask_for_newer(loaded.at("dev"), telling.gateway, lambda _: LATER)()


@pytest.mark.parametrize(
    ("word", "moved"),
    [
        ("all", {"models", "components", "sizes"}),
        ("model", {"models"}),
        ("components", {"components"}),
        ("phi-4", {"models"}),
        ("Standard_NC96ads_A100_v4", {"sizes"}),
    ],
)
def test_what_is_upgraded(telling: Telling, word: str, moved: set[str]) -> None:
    locked(telling)

    def older(pins: Any) -> None:
        pins["models"]["azureml/Phi-4:latest"]["version"] = "7"
        pins["components"]["azureml/chat_completion_pipeline:latest"]["version"] = "0.0.65"
        pins["sizes"]["standard_nc96ads_a100_v4"]["gpus"] = 2

    edit(telling, older)
    loaded = telling.loaded()
    _, moves = engine.lock([loaded], telling.gateway, [word])
    assert {move.kind for move in moves} == moved


def test_a_name_that_nothing_here_has_upgrades_nothing_and_says_so(telling: Telling) -> None:
    with pytest.raises(FineforgeError) as refused:
        locked(telling, "Phi-5")
    (problem,) = refused.value.diagnostics
    assert (problem.code, problem.message) == ("FF002", "`--upgrade=Phi-5` matches no pin of these specs")
    assert "did you mean `Phi-4`?" in problem.hint


def test_datasets_are_pinned_by_what_their_source_answers(telling: Telling) -> None:
    asked: list[str] = []

    def resolve(source: str) -> str:
        asked.append(source)
        return LATER

    telling.data["dataset"] = {
        "splits": {
            "train": {"source": "hf://owner/rows", "percent": 5},
            "validation": {"source": f"hf://owner/rows@{COMMIT}"},
            "test": {"source": "https://example.org/rows.jsonl"},
        }
    }
    wanted = telling.loaded().at("dev")
    pins, _ = pinning.pin([wanted], Pins(datasets={"hf://owner/rows": COMMIT}), telling.gateway, resolve)
    assert asked == ["https://example.org/rows.jsonl"], "a commit needs no pin, and a pin stays"
    assert pins.datasets == {"hf://owner/rows": COMMIT, "https://example.org/rows.jsonl": LATER}
    told = [diagnostic.message for diagnostic in pinning.ask_for_newer(replace(wanted, pins=pins), telling.gateway, resolve)()]
    assert told == [f"`hf://owner/rows` is pinned at {COMMIT}; the latest version is {LATER}"]


def test_a_source_that_does_not_answer_is_no_trouble_for_a_plan(telling: Telling) -> None:
    def unreachable(source: str) -> str:
        raise FineforgeError(Diagnostic("FF624", "the hub cannot be reached"))

    telling.data["dataset"]["source"] = "hf://owner/rows"
    spec = replace(telling.loaded().at("dev"), pins=Pins(datasets={"hf://owner/rows": COMMIT}))
    assert pinning.ask_for_newer(spec, telling.gateway, unreachable)() == []


def test_what_cannot_be_read_is_said_all_at_once(telling: Telling) -> None:
    telling.data["model"] = {"name": "Phi-44"}
    telling.data["compute"]["size"] = "Standard_NC1"
    with pytest.raises(FineforgeError) as caught:
        locked(telling)
    assert sorted(diagnostic.code for diagnostic in caught.value.diagnostics) == ["FF146", "FF150"]
    assert not (telling.folder / names.LOCK_FILE).exists()


COMPONENT = "version: 1\ntargets: {dev: {components: {'r/c:1': {id: a, name: c, version: '1', registry: r, outputs: {}, %s}}}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 2\ntargets: {}\n", "has format 2"),
        ("targets: {}\n", "is damaged: it has no `version`"),
        ("version: 1\ntargets: {dev: {sizes: {a: many}}}\n", "is damaged"),
        ("version: 1\ntargets: {dev: {models: {a: {label: 1}}}}\n", "is damaged"),
        ("version: 1\ntargets: [dev]\n", "is damaged"),
        ("version: 1\ntargets: {dev: {sizes: {a: {gpus: []}}}}\n", "is damaged"),
        (COMPONENT % "inputs: {}, label: 1", "is damaged"),
        (COMPONENT % "inputs: {a: {type: string, optional: perhaps}}", "is damaged"),
        ("version: 1\ntargets: {dev: {datasets: {'hf://a/b': 'main?x=/../../../../b'}}}\n", "is damaged"),
        ("version: 1\ntargets: {dev: {datasets: {'https://a/b': 'sha256:../b'}}}\n", "is damaged"),
    ],
)
def test_a_file_that_is_no_lock(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / names.LOCK_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(FineforgeError) as caught:
        lock.find(tmp_path)
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code == "FF170" and words in diagnostic.message and diagnostic.hint
    assert "Error" not in diagnostic.message  # no words of Python's


def test_the_component_of_the_wrong_files_is_right_otherwise(tmp_path: Path) -> None:
    (tmp_path / names.LOCK_FILE).write_text(COMPONENT % "inputs: {a: {type: string, optional: true}}", encoding="utf-8")
    assert lock.find(tmp_path).at("dev").components["r/c:1"].inputs["a"].optional


def test_a_lock_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FineforgeError) as caught:
        lock.write(Lock(tmp_path / "nowhere" / names.LOCK_FILE))
    assert caught.value.diagnostics[0].code == "FF007"


def test_specs_of_two_projects_are_not_locked_together(telling: Telling, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "spec.yaml").write_text(yaml.safe_dump(telling.data), encoding="utf-8")
    with pytest.raises(FineforgeError) as caught:
        engine.lock([telling.loaded(), single.load(other / "spec.yaml")], telling.gateway)
    assert caught.value.diagnostics[0].code == "FF172"


def test_a_pinned_component_that_no_snapshot_knows_is_validated_offline(telling: Telling) -> None:
    locked(telling)
    text = (telling.folder / names.LOCK_FILE).read_text(encoding="utf-8").replace("0.0.82", "0.0.99")
    (telling.folder / names.LOCK_FILE).write_text(text, encoding="utf-8")
    assert not errors(engine.validate(telling.loaded().at("dev")).diagnostics)
    telling.data["training"]["num_train_epoch"] = 1
    assert [d.code for d in errors(engine.validate(telling.loaded().at("dev")).diagnostics)] == ["FF131"]


def pinned(path: Path, source: str, target: str = "dev") -> Lock:
    return Lock(path, {target: Pins(datasets={source: COMMIT})})


def test_pins_that_another_process_wrote_meanwhile_stay(tmp_path: Path) -> None:
    """Both read an empty file; each saves a pin of its own."""
    path = tmp_path / names.LOCK_FILE
    before = lock.find(tmp_path)
    lock.save(pinned(path, "hf://a/one"), before)
    lock.save(pinned(path, "hf://a/two"), before)
    lock.save(pinned(path, "hf://a/three", "prod"), before)
    found = lock.find(tmp_path)
    assert set(found.at("dev").datasets) == {"hf://a/one", "hf://a/two"} and set(found.at("prod").datasets) == {"hf://a/three"}


def test_a_pin_that_was_not_changed_takes_nothing_back(tmp_path: Path) -> None:
    """Another process upgraded it after it was read."""
    path = tmp_path / names.LOCK_FILE
    lock.write(pinned(path, "hf://a/one"))
    before = lock.find(tmp_path)
    lock.save(Lock(path, {"dev": Pins(datasets={"hf://a/one": LATER})}), before)
    lock.save(Lock(path, {"dev": Pins({}, {}, {"hf://a/one": COMMIT, "hf://a/two": COMMIT})}), before)
    assert lock.find(tmp_path).at("dev").datasets == {"hf://a/one": LATER, "hf://a/two": COMMIT}


def test_many_that_save_at_once(tmp_path: Path) -> None:
    before, begin = lock.find(tmp_path), threading.Barrier(8)

    def save(number: int) -> None:
        begin.wait(60)
        lock.save(pinned(tmp_path / names.LOCK_FILE, f"hf://a/{number}"), before)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(8)))
    assert len(lock.find(tmp_path).at("dev").datasets) == 8
