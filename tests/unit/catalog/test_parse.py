"""Registry answers to facts: both eras of metadata, mixed encodings, and whatever else a registry may send."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fineforge.catalog import snapshot
from fineforge.catalog.facts import ModelFact
from fineforge.catalog.parse import parse_component, parse_model, parse_sizes, typed

BODIES = {era: {body["name"]: body for body in snapshot.model_bodies(era)} for era in "AB"}


def model(era: str, name: str) -> ModelFact:
    return parse_model(BODIES[era][name], "azureml", "live")


@pytest.mark.parametrize("name", sorted(BODIES["A"]))
def test_both_eras_say_the_same(name: str) -> None:
    old, new = model("A", name), model("B", name)
    assert (old.era, new.era) == ("tags", "system_metadata")
    assert not old.notes and not new.notes
    assert old.finetune_sizes and old.inference_sizes and old.tasks
    # All that the migration changed in these fourteen.
    sizes = {"mistralai-Mixtral-8x7B-v01": ("Standard_ND96amsr_A100_v4", "Standard_ND96asr_v4")}.get(name, old.inference_sizes)
    assert replace(old, era="system_metadata", inference_sizes=sizes) == new


def test_the_models_are_all_there() -> None:
    assert len(BODIES["A"]) == len(BODIES["B"]) == 14


def test_a_model_in_full() -> None:
    fact = model("B", "Phi-3-mini-4k-instruct")
    assert fact.id == "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15"
    assert (fact.name, fact.version, fact.registry, fact.type) == ("Phi-3-mini-4k-instruct", "15", "azureml", "mlflow_model")
    assert fact.archived and not fact.twin
    assert (fact.finetune_deprecation, fact.finetune_retirement) == ("2025-06-30", "2025-08-30")
    assert fact.inference_retirement == "2025-08-30"
    assert fact.context_length == 4096
    assert fact.defaults["learning_rate_max"] == 5e-05 and fact.defaults["apply_lora"] == "true"


def body(tags: Any = None, system: Any = None, properties: Any = None, **more: Any) -> dict[str, Any]:
    inner = {"tags": tags or {}, "systemMetadata": system or {}, "properties": properties or {}, **more}
    return {"id": "azureml://registries/r/models/m/versions/3", "name": "m", "properties": inner}


@pytest.mark.parametrize(
    ("tag", "sizes"),
    [
        ("['Standard_A', 'Standard_B']", ("Standard_A", "Standard_B")),
        ('["Standard_A", "Standard_B"]', ("Standard_A", "Standard_B")),
        ("Standard_A, Standard_B", ("Standard_A", "Standard_B")),
        (["Standard_A"], ("Standard_A",)),
        ("[]", ()),
        ("", None),
        (None, None),
    ],
)
def test_lists_in_every_encoding(tag: Any, sizes: tuple[str, ...] | None) -> None:
    assert parse_model(body({"finetune_compute_allow_list": tag}), "r", "live").finetune_sizes == sizes
    assert parse_model(body({"computes_allow_list": tag}), "r", "live").finetune_sizes == sizes


def test_no_list_at_all() -> None:
    fact = parse_model(body(), "r", "live")
    assert (fact.era, fact.finetune_sizes, fact.inference_sizes, fact.defaults, fact.notes) == ("none", None, None, {}, ())


@pytest.mark.parametrize("text", ['{"precision": 16, "apply_lora": "true"}', "{'precision': 16, 'apply_lora': 'true'}"])
def test_defaults_in_both_encodings(text: str) -> None:
    assert parse_model(body({"model_specific_defaults": text}), "r", "live").defaults == {"precision": 16, "apply_lora": "true"}


def test_what_cannot_be_read_is_noted() -> None:
    odd = {"model_specific_defaults": "[1, 2", "FinetuneRetirementDate": "soon"}
    fact = parse_model(body(odd, {"supportedComputes": "{"}), "r", "live")
    assert fact.finetune_retirement is None and fact.defaults == {}
    assert fact.notes == (
        "`supportedComputes` is not a mapping",
        "`model_specific_defaults` is not a mapping",
        "`finetuneRetirementDate` is not a date: soon",
    )


@pytest.mark.parametrize(("value", "twin"), [("true", True), ("True", True), ("", True), ("false", False), (None, False)])
def test_an_empty_tag_is_a_set_one(value: Any, twin: bool) -> None:
    assert parse_model(body(properties={"fineforge-twin": value}), "r", "live").twin is twin


def test_component_inputs_are_typed() -> None:
    fact = snapshot.load().components["chat_completion_pipeline", "0.0.82"]
    assert fact.id == "azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.82"
    rate, precision, epochs, task = (fact.inputs[n] for n in ("learning_rate", "precision", "num_train_epochs", "task_name"))
    assert (rate.type, rate.default, rate.optional) == ("number", 2e-05, True)
    assert (precision.type, precision.default, precision.enum) == ("string", "32", ("32", "16"))
    assert (epochs.type, epochs.default, epochs.minimum) == ("integer", 1, 1.0)
    assert (task.optional, task.enum, task.used) == (False, ("ChatCompletion",), False)
    assert fact.outputs["mlflow_model_folder"] == "mlflow_model"


def test_every_scalar_of_a_component_is_text_on_the_wire() -> None:
    """As recorded: `"optional": "False"` is truthy, so nothing may ask it for its truth."""

    def scalars(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [leaf for entry in value.values() for leaf in scalars(entry)]
        return [leaf for entry in value for leaf in scalars(entry)] if isinstance(value, list) else [value]

    for entry in snapshot.component_bodies():
        leaves = scalars(entry["properties"]["componentSpec"])
        assert len(leaves) > 200
        assert all(isinstance(leaf, str) for leaf in leaves)
        fact = parse_component(entry, "azureml", "live")
        assert {name for name, found in fact.inputs.items() if not found.optional} == {
            name for name, sent in entry["properties"]["componentSpec"]["inputs"].items() if sent["optional"] == "False"
        }


def test_what_is_execution_only() -> None:
    inputs = snapshot.load().components["chat_completion_pipeline", "0.0.82"].inputs.values()
    assert {entry.name for entry in inputs if entry.affects == "execution"} == {
        "instance_type_model_import", "instance_type_preprocess", "instance_type_finetune", "instance_type_model_evaluation",
        "compute_model_import", "compute_preprocess", "compute_finetune", "compute_model_evaluation",
        "shm_size_finetune", "dataloader_num_workers", "logging_strategy", "logging_steps", "task_name",
        "evaluation_config", "evaluation_config_params",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "kind", "meant"),
    [
        ("1", "integer", 1), ("1.0", "integer", 1), ("1.5", "integer", 1.5), (True, "integer", True), ("x", "integer", "x"),
        ("5e-6", "number", 5e-06), ("nan", "number", "nan"), (10**400, "number", 10**400), ("1e999", "number", "1e999"),
        ("True", "boolean", True), ("false", "boolean", False), ("maybe", "boolean", "maybe"),
        (True, "string", "true"), (16, "string", "16"), (None, "string", None), (None, "integer", None),
    ],
)  # fmt: skip
def test_typed(value: Any, kind: str, meant: Any) -> None:
    assert typed(value, kind) == meant
    assert type(typed(value, kind)) is type(meant)


def test_sizes_of_a_region() -> None:
    a100 = {"name": "STANDARD_NC24ADS_A100_V4", "vCPUs": 24, "gpus": 1, "memoryGB": 220.0}
    new = {"name": "Standard_New_v9", "vCPUs": 8, "gpus": 2, "memoryGB": 64.0, "supportedComputeTypes": ["MIR"]}
    answer = {"value": [a100 | {"supportedComputeTypes": ["AmlCompute", "MIR"]}, new, {"vCPUs": 8}]}
    found = parse_sizes(answer, snapshot.sizes())
    assert set(found) == {"standard_nc24ads_a100_v4", "standard_new_v9"}
    known, other = found["standard_nc24ads_a100_v4"], found["standard_new_v9"]
    assert (known.name, known.gpu_model, known.skip_reserve) == ("Standard_NC24ads_A100_v4", "A100 PCIe 80GB", True)
    assert (other.gpus, other.training, other.endpoint, other.origin) == (2, False, True, "live")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("'\"[]{}:,\\nx0 T", max_size=12) | st.just("['en']"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
_FIELDS = st.sampled_from(
    [
        *("finetune_compute_allow_list", "model_specific_defaults", "FinetuneRetirementDate", "textContextWindow"),
        *("supportedComputes", "tasks", "deprecation", "fineforge-twin", "finetuning-tasks"),
    ]
)


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(_FIELDS, _JSON | _JSON.map(json.dumps) | _JSON.map(repr)), _JSON, st.booleans())
def test_no_answer_breaks_the_model_parser(fields: dict[str, Any], odd: Any, flat: bool) -> None:
    answer = body(fields, fields, fields, isArchived=odd, modelType=odd)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing may reach the terminal either
        fact = parse_model(odd if flat else answer, "r", "live")
    assert isinstance(fact.tasks, tuple) and isinstance(fact.archived, bool)


@settings(max_examples=250, deadline=None)
@given(_JSON, _JSON, _JSON)
def test_no_answer_breaks_the_other_parsers(first: Any, second: Any, third: Any) -> None:
    spec = {
        "name": first,
        "inputs": {"a": {"type": second, "default": third, "min": first, "enum": second, "optional": third}, "b": first},
    }
    fact = parse_component({"id": first, "properties": {"componentSpec": spec}}, "r", "live")
    assert set(fact.inputs) == {"a", "b"}
    parse_component(first, "r", "live")
    row = {"name": "n", "gpus": first, "vCPUs": second, "memoryGB": third, "supportedComputeTypes": first, "family": second}
    assert set(parse_sizes({"value": [row, first, second]}, {})) >= {"n"}
    parse_sizes(first, {})
