"""Every input of the trained component means something here, or says why it does not."""

from __future__ import annotations

from dataclasses import fields

import pytest
from transformers import TrainingArguments

from fineforge.catalog import snapshot
from fineforge.emulator.runner.trainer.arguments import READ_AS_FILES, ROWS, Use, translate

COMPONENTS = snapshot.load().components
VERSIONS = {"0.0.82": 69, "0.0.65": 67}


@pytest.mark.parametrize(("version", "count"), VERSIONS.items())
def test_every_input_has_a_row(version: str, count: int) -> None:
    inputs = set(COMPONENTS["chat_completion_pipeline", version].inputs)
    assert len(inputs) == count
    assert inputs <= {*ROWS, *READ_AS_FILES}


def test_every_row_is_an_input() -> None:
    assert {*ROWS, *READ_AS_FILES} == set(COMPONENTS["chat_completion_pipeline", "0.0.82"].inputs)


def test_what_goes_to_the_library_exists_there() -> None:
    targets = [row.target for row in ROWS.values() if row.use is Use.TRAINER]
    assert len(targets) >= 15
    assert set(targets) <= {field.name for field in fields(TrainingArguments)}


def test_a_row_without_use_says_why() -> None:
    unused = {name: row for name, row in ROWS.items() if row.use is Use.NONE}
    assert len(unused) >= 15
    assert all(row.why for row in unused.values())


def test_text_becomes_typed() -> None:
    settings = translate(
        {"learning_rate": "5e-06", "num_train_epochs": "3", "apply_lora": "true", "lora_r": "8", "apply_ort": "false"}
    )
    assert settings.trainer == {"learning_rate": 5e-06, "num_train_epochs": 3}
    assert settings.own == {"apply_lora": True}
    assert settings.lora == {"r": 8}
    assert settings.unused == {}


def test_an_optimizer_that_is_gone_has_a_successor() -> None:
    assert translate({"optim": "adamw_hf"}).trainer == {"optim": "adamw_torch"}


def test_what_has_no_effect_is_named() -> None:
    asked = {"apply_deepspeed": "true", "deepspeed_stage": "3", "num_nodes_finetune": "2", "train_mltable_path": {"path": "t"}}
    assert set(translate({**asked, "an_input_of_tomorrow": "1"}).unused) == {*asked, "an_input_of_tomorrow"}


def test_words_where_numbers_belong_are_all_named() -> None:
    with pytest.raises(ValueError, match=r"num_train_epochs is many, .*; the input learning_rate is fast, which is not a number"):
        translate({"num_train_epochs": "many", "learning_rate": "fast"})


@pytest.mark.parametrize("version", VERSIONS)
def test_the_defaults_ask_for_nothing_that_is_not_here(version: str) -> None:
    inputs = COMPONENTS["chat_completion_pipeline", version].inputs
    settings = translate({name: str(fact.default) for name, fact in inputs.items() if fact.default is not None})
    assert settings.own["apply_lora"] is False
    assert settings.trainer["optim"] == "adamw_torch"
    expected = {name for name in inputs if name.startswith(("compute_", "instance_type_", "shm_size_"))} | {"task_name"}
    assert set(settings.unused) == expected
