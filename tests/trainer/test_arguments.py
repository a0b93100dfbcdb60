"""Every input of the trained component means something here, or says why it does not."""

from __future__ import annotations

import pytest

from fineforge.catalog import snapshot
from fineforge.emulator.trainer.arguments import ROWS, translate

COMPONENT = snapshot.load().components["chat_completion_pipeline", "0.0.82"]
ASSETS = ("uri_file", "uri_folder", "mltable", "mlflow_model", "custom_model")


def test_every_input_has_a_row() -> None:
    parameters = {name for name, fact in COMPONENT.inputs.items() if fact.type not in ASSETS}
    assert len(parameters) == 58
    assert parameters <= set(ROWS)
    assert set(ROWS) <= set(COMPONENT.inputs)


def test_a_row_without_use_says_why() -> None:
    unused = {name: row for name, row in ROWS.items() if row.use == "none"}
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


def test_what_has_no_effect_is_named() -> None:
    assert set(translate({"apply_deepspeed": "true", "deepspeed_stage": "3"}).unused) == {"apply_deepspeed", "deepspeed_stage"}


def test_a_word_where_a_number_belongs() -> None:
    with pytest.raises(ValueError, match="num_train_epochs is many"):
        translate({"num_train_epochs": "many"})


def test_the_defaults_translate() -> None:
    settings = translate({name: str(fact.default) for name, fact in COMPONENT.inputs.items() if fact.default is not None})
    assert settings.own["apply_lora"] is False
    assert settings.trainer["optim"] == "adamw_torch"
