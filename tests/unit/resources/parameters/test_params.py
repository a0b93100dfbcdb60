"""Which value of a parameter wins, where it came from, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fineforge.catalog import snapshot
from fineforge.catalog.facts import InputFact
from fineforge.catalog.parse import typed
from fineforge.config import source, spec
from fineforge.core.diagnostics import Diagnostic, Severity
from fineforge.core.facts import Facts
from fineforge.resources import parameters

CATALOG = snapshot.load()
CHAT = CATALOG.components["chat_completion_pipeline", "0.0.82"]
PHI4 = CATALOG.models["Phi-4", "8"]

SPEC = """\
version: 1
name: support
component: {version: "0.0.82"}
model: {name: Phi-4, version: "8"}
dataset: {source: data, splits: {train: {}}}
compute: {name: gpu-a100, size: Standard_NC96ads_A100_v4}
register: {name: support}
"""

Resolved = tuple[dict[str, parameters.Parameter], tuple[Diagnostic, ...]]


def read(more: str = "", compute: str | None = None) -> spec.Spec:
    text = SPEC if compute is None else SPEC.replace("compute: {name: gpu-a100, size: Standard_NC96ads_A100_v4}", compute)
    return spec.parse(source.load((text + more).encode(), "s.yaml"))


def resolve(
    more: str = "",
    *,
    compute: str | None = None,
    project: dict[str, Any] | None = None,
    sets: dict[str, Any] | None = None,
    component: Any = CHAT,
    model: Any = PHI4,
) -> Resolved:
    facts = Facts("", "", "2026-11-24", model, component, CATALOG.sizes)
    return parameters.resolve(read(more, compute), facts, project, sets)


def test_each_layer_wins_over_those_below() -> None:
    """component < task < model < project < spec < --set, for one parameter that they all may name."""
    name = "save_total_limit"  # the component's default is -1, the task's 1
    gpt2 = CATALOG.models["gpt2", "18"]
    assert name not in gpt2.defaults
    model = replace(PHI4, defaults={name: 2})
    layers: list[tuple[Resolved, Any, str]] = [
        (resolve(model=gpt2), 1, "task default"),
        (resolve(model=model), 2, "model default"),
        (resolve(model=model, project={name: 3}), 3, "project"),
        (resolve(f"training: {{{name}: 4}}\n", model=model, project={name: 3}), 4, "spec"),
        (resolve(f"training: {{{name}: 4}}\n", model=model, project={name: 3}, sets={name: "5"}), 5, "--set"),
    ]
    for (found, _), value, origin in layers:
        assert (found[name].value, found[name].origin) == (value, origin)
    top = layers[-1][0][0][name]
    assert top.overridden == (("task default", 1), ("model default", 2), ("project", 3), ("spec", 4))
    untouched = layers[-1][0][0]["warmup_steps"]
    assert (untouched.value, untouched.origin, untouched.overridden) == (0, "component default", ())


def test_overriding_the_model_is_said() -> None:
    _, found = resolve("training: {learning_rate: 5e-5, per_device_train_batch_size: 1, warmup_steps: 9}\n")
    [note] = found  # an equal value overrides nothing, nor does one that the model says nothing about
    assert (note.code, note.severity, note.path) == ("FF136", Severity.NOTE, ("training", "learning_rate"))
    _, found = resolve(sets={"learning_rate": "1e-5"})
    assert [(d.code, d.path) for d in found] == [("FF136", ())]
    assert found[0].message == "`learning_rate: 1e-05` (--set) overrides the model's own default, `5e-06`"


@pytest.mark.parametrize(
    ("written", "wire"),
    [
        ("optimization: {apply_lora: true}", ("apply_lora", "true")),
        ('optimization: {apply_lora: "True"}', ("apply_lora", "true")),
        ("optimization: {precision: 16}", ("precision", "16")),
        ("optimization: {deepspeed_stage: 2}", ("deepspeed_stage", "2")),
        ("training: {learning_rate: 5e-6}", ("learning_rate", "5e-06")),
        ("training: {learning_rate: 0.000005}", ("learning_rate", "5e-06")),
        ('training: {learning_rate: "5e-6"}', ("learning_rate", "5e-06")),
        ("training: {weight_decay: 0}", ("weight_decay", "0.0")),  # equal wishes have equal digests
        ("training: {weight_decay: 0.0}", ("weight_decay", "0.0")),
        ("training: {num_train_epochs: 3}", ("num_train_epochs", "3")),
        ("training: {num_train_epochs: 3.0}", ("num_train_epochs", "3")),
        ("training: {lr_scheduler_type: Cosine}", ("lr_scheduler_type", "cosine")),
    ],
)
def test_text_on_the_wire(written: str, wire: tuple[str, str]) -> None:
    found, problems = resolve(written + "\n")
    assert found[wire[0]].wire == wire[1]
    assert not [problem for problem in problems if problem.severity is Severity.ERROR]


def test_where_the_job_runs_follows_from_compute() -> None:
    found, _ = resolve()
    names = {name: found[name].value for name in parameters.COMPUTE_INPUTS}
    assert set(names.values()) == {"gpu-a100"} and len(names) == 4
    gpus = found["number_of_gpu_to_use_finetuning"]
    assert (gpus.value, gpus.origin) == (4, "compute")
    assert found["num_nodes_finetune"].origin == "component default"


def test_fewer_gpus_than_the_node_has() -> None:
    found, problems = resolve("optimization: {number_of_gpu_to_use_finetuning: 2}\n")
    gpus = found["number_of_gpu_to_use_finetuning"]
    assert (gpus.value, gpus.origin, gpus.overridden) == (2, "spec", (("compute", 4),))
    assert not problems


def test_serverless() -> None:
    found, _ = resolve("job: {nodes: 2}\n", compute="compute: {serverless: true, size: Standard_NC96ads_A100_v4}")
    assert {found[name].value for name in parameters.COMPUTE_INPUTS} == {"serverless"}
    assert {found[name].value for name in parameters.SERVERLESS_INPUTS} == {"Standard_NC96ads_A100_v4"}
    assert found["num_nodes_finetune"].value == 2


def test_an_existing_cluster_of_unknown_size() -> None:
    found, _ = resolve(compute="compute: {name: shared, existing: true}")
    assert found["compute_finetune"].value == "shared"
    assert found["number_of_gpu_to_use_finetuning"].origin == "component default"


def test_a_model_default_that_the_component_refuses() -> None:
    """Three models of the registry say `precision: "4"`; it is said, and the next lower default counts."""
    model = replace(PHI4, defaults={"precision": "4", "max_seq_length": "4096"})
    found, [warning] = resolve(model=model)
    assert (warning.code, warning.severity) == ("FF135", Severity.WARNING)
    assert (found["precision"].value, found["precision"].origin) == ("32", "component default")
    assert (found["max_seq_length"].value, found["max_seq_length"].origin) == (4096, "model default")


def test_bounds_are_no_inputs() -> None:
    model = replace(PHI4, defaults={"learning_rate_min": 1e-6, "learning_rate_max": 5e-5, "colour": "red"})
    found, problems = resolve(model=model)
    assert not problems and "learning_rate_min" not in found and "colour" not in found
    for value, wrong in (("1e-7", True), ("1e-6", False), ("5e-5", False), ("6e-5", True)):
        _, problems = resolve(f"training: {{learning_rate: {value}}}\n", model=model)
        assert [d.code for d in problems] == ["FF132"] * wrong


def test_a_required_input_without_a_value() -> None:
    needed = InputFact("text_key", "string", optional=False, description="Column of the text")
    component = replace(CHAT, inputs={**CHAT.inputs, "text_key": needed})
    found, [problem] = resolve(component=component)
    assert "text_key" not in found
    assert (problem.code, problem.hint) == ("FF133", "the component wants it: column of the text")
    assert not resolve("training: {text_key: prompt}\n", component=component)[1]


def test_boolean_and_limited_inputs() -> None:
    flag = InputFact("flag", "boolean", optional=True, default=False)
    share = InputFact("share", "number", optional=True, minimum=0.0, maximum=1.0)
    component = replace(CHAT, inputs={**CHAT.inputs, "flag": flag, "share": share})
    found, problems = resolve("training: {flag: maybe, share: 1.5}\n", component=component)
    assert {d.path[-1]: d.message for d in problems} == {
        "flag": "`flag: maybe` must be true or false",
        "share": "`share: 1.5` must be 1 or less",
    }
    found, problems = resolve("training: {flag: true, share: 1}\n", component=component)
    assert (found["flag"].wire, found["share"].wire, problems) == ("true", "1.0", ())


def test_problems_outside_the_spec_name_their_place() -> None:
    """They have no place in the spec's file."""
    _, found = resolve(project={"learning_rate": "fast", "colour": 1}, sets={"num_train_epochs": "0", "compute_finetune": "x"})
    assert {(d.code, d.message, d.path) for d in found} == {
        ("FF132", "`learning_rate: fast` (`defaults` of the project file) must be a number", ()),
        ("FF131", "`chat_completion_pipeline` 0.0.82 has no input `colour` (`defaults` of the project file)", ()),
        ("FF132", "`num_train_epochs: 0` (--set) must be 1 or more", ()),
        ("FF134", "`compute_finetune` (--set) is decided by `compute` and `job.nodes`", ()),
    }


def test_what_a_job_names_and_what_its_digest_sees() -> None:
    found, _ = resolve()
    named, seen = parameters.explicit(found), parameters.effective(found)
    assert set(named) == set(PHI4.defaults) | {*parameters.COMPUTE_INPUTS, "number_of_gpu_to_use_finetuning"}
    assert "compute_finetune" not in seen and "logging_steps" not in seen and "task_name" not in seen
    assert seen["learning_rate"] == "5e-06" and seen["number_of_gpu_to_use_finetuning"] == "4"
    assets = ("uri_file", "mltable", "mlflow_model", "custom_model")
    inputs = [fact for fact in CHAT.inputs.values() if fact.type not in assets and fact.default is not None]
    assert set(seen) == {fact.name for fact in inputs if fact.affects == "result"}


def test_the_walkthroughs_parameters() -> None:
    """The official notebook's job for Phi-3-mini: the model's defaults, and nothing else, in the text that it sends."""
    model = CATALOG.models["Phi-3-mini-4k-instruct", "15"]
    found, problems = resolve(model=model, compute="compute: {name: gpu-cluster-big, size: Standard_ND96asr_v4}")
    assert not problems
    assert {name: entry.wire for name, entry in parameters.explicit(found).items()} == {
        "apply_lora": "true", "num_train_epochs": "1", "per_device_train_batch_size": "1", "per_device_eval_batch_size": "1",
        "learning_rate": "5e-06", "gradient_accumulation_steps": "1", "lr_scheduler_type": "cosine", "precision": "16",
        "ignore_mismatched_sizes": "false", "logging_strategy": "steps", "logging_steps": "10", "save_total_limit": "1",
        "apply_deepspeed": "true", "deepspeed_stage": "2", "apply_ort": "false", "number_of_gpu_to_use_finetuning": "8",
        "compute_model_import": "gpu-cluster-big", "compute_preprocess": "gpu-cluster-big",
        "compute_finetune": "gpu-cluster-big", "compute_model_evaluation": "gpu-cluster-big",
    }  # fmt: skip


def test_an_enum_that_shrank() -> None:
    """`optim: adamw_hf` was the default of an old version and is refused by the new one."""
    old = CATALOG.components["chat_completion_pipeline", "0.0.65"]
    assert old.inputs["optim"].default == "adamw_hf"
    assert not resolve("training: {optim: adamw_hf}\n", component=old)[1]
    _, [problem] = resolve("training: {optim: adamw_hf}\n")
    assert (problem.code, problem.hint) == ("FF132", "did you mean `adamw_torch`?")


def test_only_ascii_digits_make_a_parameters_number() -> None:
    assert typed("25", "integer") == 25
    assert typed("\uff12\uff15", "integer") == "\uff12\uff15"
