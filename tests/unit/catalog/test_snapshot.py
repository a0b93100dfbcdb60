"""The offline catalog: what it holds, and that it holds it as the registry would send it."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files

import pytest

from fineforge.catalog import snapshot


def test_what_it_holds() -> None:
    catalog = snapshot.load()
    assert (len(catalog.models), len(catalog.components), len(catalog.sizes)) == (14, 5, 36)
    assert {version for name, version in catalog.components if name == "chat_completion_pipeline"} == {"0.0.82", "0.0.65"}
    assert set(snapshot.TASK_COMPONENTS.values()) == {name for name, _ in catalog.components}
    origins = {fact.origin for facts in (catalog.models, catalog.components) for fact in facts.values()}
    assert origins == {f"snapshot {catalog.date}"}


def test_every_entry_names_its_source() -> None:
    folder = files("fineforge.catalog").joinpath("data")
    models = json.loads(folder.joinpath("models.json").read_text(encoding="utf-8"))["models"]
    components = json.loads(folder.joinpath("components.json").read_text(encoding="utf-8"))["components"]
    sources = [era["source"] for entry in models for era in entry["eras"].values()] + [entry["source"] for entry in components]
    assert len(sources) == 33
    for source in sources:
        assert source["repo"] == "Azure/azureml-assets" and len(source["commit"]) == 40 and source["commit_date"]


def test_no_licence_texts_and_nothing_long() -> None:
    for name in ("models.json", "components.json", "sizes.json"):
        text = files("fineforge.catalog").joinpath("data", name).read_text(encoding="utf-8")
        assert "licenseDescription" not in text and "<contents of" not in text
        assert max(len(line) for line in text.splitlines()) < 4000


def test_phi_4_is_the_only_chat_model_left() -> None:
    chat = [model for model in snapshot.load().models.values() if "chat-completion" in model.tasks]
    assert len(chat) == 6
    assert [model.name for model in chat if not (model.finetune_retirement or "9999") <= "2026-11-24"] == ["Phi-4"]


def test_sizes() -> None:
    sizes = snapshot.load().sizes
    assert all(name == size.name.lower() for name, size in sizes.items())
    uses = Counter((size.training, size.endpoint) for size in sizes.values() if not size.retired)
    assert uses[False, True] == 6  # A10 serves only
    nd96 = sizes["standard_nd96asr_v4"]
    assert (nd96.gpus, nd96.skip_reserve, nd96.family) == (8, True, "standard NDASv4_A100 Family")
    assert sizes["standard_nc24rs_v3"].retired == "2025-09-30"


@pytest.mark.parametrize(
    ("name", "near"),
    [("phi4", "Phi-4"), ("PHI-4", "Phi-4"), ("mistral-7b", "mistralai-Mistral-7B-v01"), ("GPT-2", "gpt2"), ("qqqq", None)],
)
def test_near_names(name: str, near: str | None) -> None:
    found = snapshot.near_names(name, {known for known, _ in snapshot.load().models})
    assert (found[0] if found else None) == near


def test_components_take_what_their_tasks_default_to() -> None:
    for task, defaults in snapshot.TASK_DEFAULTS.items():
        inputs = [fact.inputs for (name, _), fact in snapshot.load().components.items() if name == snapshot.TASK_COMPONENTS[task]]
        assert inputs
        assert all(set(defaults) <= set(entry) for entry in inputs)
