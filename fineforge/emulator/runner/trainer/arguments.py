"""The component's inputs on a laptop: what each becomes, and in words what it does not become. One row per input.

What is a legal value is the component's matter and is checked before a job reaches the trainer; here text becomes typed values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, assert_never

_ELSEWHERE = "decides where the job runs on Azure; here it is this machine"
_UNUSED = "no step of the pipeline reads it"
_NO_GPU = "DeepSpeed shards over GPUs; there are none here"
_FILES = "the emulator trains on JSON Lines files, given as ..._file_path"


class Use(StrEnum):
    TRAINER = "trainer"
    """A field of transformers' TrainingArguments."""
    LORA = "lora"
    """A field of peft's LoraConfig."""
    OWN = "own"
    """Read by `train` itself."""
    NONE = "none"
    """Without effect here; `Row.why` says why."""


@dataclass(frozen=True, slots=True)
class Row:
    use: Use
    target: str = ""
    type: str = "text"
    """`int`, `float`, `bool` or `text`."""
    why: str = ""
    instead: Mapping[str, str] = field(default_factory=dict)
    """Values that have another name here."""
    idle: Any = ""
    """The value with which an input without effect asks for nothing, so that the log need not name it."""


ROWS: dict[str, Row] = {
    "num_train_epochs": Row(Use.TRAINER, "num_train_epochs", "int"),
    "max_steps": Row(Use.TRAINER, "max_steps", "int"),
    "per_device_train_batch_size": Row(Use.TRAINER, "per_device_train_batch_size", "int"),
    "per_device_eval_batch_size": Row(Use.TRAINER, "per_device_eval_batch_size", "int"),
    "auto_find_batch_size": Row(Use.TRAINER, "auto_find_batch_size", "bool"),
    "optim": Row(Use.TRAINER, "optim", instead={"adamw_hf": "adamw_torch"}),
    "learning_rate": Row(Use.TRAINER, "learning_rate", "float"),
    "warmup_steps": Row(Use.TRAINER, "warmup_steps", "int"),
    "weight_decay": Row(Use.TRAINER, "weight_decay", "float"),
    "adam_beta1": Row(Use.TRAINER, "adam_beta1", "float"),
    "adam_beta2": Row(Use.TRAINER, "adam_beta2", "float"),
    "adam_epsilon": Row(Use.TRAINER, "adam_epsilon", "float"),
    "gradient_accumulation_steps": Row(Use.TRAINER, "gradient_accumulation_steps", "int"),
    "eval_accumulation_steps": Row(Use.OWN, "eval_accumulation_steps", "int"),
    "lr_scheduler_type": Row(Use.TRAINER, "lr_scheduler_type"),
    "seed": Row(Use.TRAINER, "seed", "int"),
    "max_grad_norm": Row(Use.TRAINER, "max_grad_norm", "float"),
    "logging_strategy": Row(Use.TRAINER, "logging_strategy"),
    "logging_steps": Row(Use.TRAINER, "logging_steps", "int"),
    "eval_steps": Row(Use.OWN, "eval_steps", "int"),
    "evaluation_strategy": Row(Use.OWN, "evaluation_strategy", instead={"disable": "no"}),
    "evaluation_steps_interval": Row(Use.OWN, "evaluation_steps_interval", "float"),
    "precision": Row(Use.OWN, "precision"),
    "enable_full_determinism": Row(Use.OWN, "enable_full_determinism", "bool"),
    "apply_lora": Row(Use.OWN, "apply_lora", "bool"),
    "merge_lora_weights": Row(Use.OWN, "merge_lora_weights", "bool"),
    "lora_r": Row(Use.LORA, "r", "int"),
    "lora_alpha": Row(Use.LORA, "lora_alpha", "int"),
    "lora_dropout": Row(Use.LORA, "lora_dropout", "float"),
    "max_seq_length": Row(Use.OWN, "max_seq_length", "int"),
    "pad_to_max_length": Row(Use.OWN, "pad_to_max_length", "bool"),
    "apply_early_stopping": Row(Use.OWN, "apply_early_stopping", "bool"),
    "early_stopping_patience": Row(Use.OWN, "early_stopping_patience", "int"),
    "early_stopping_threshold": Row(Use.OWN, "early_stopping_threshold", "float"),
    "metric_for_best_model": Row(Use.OWN, "metric_for_best_model"),
    "apply_deepspeed": Row(Use.NONE, type="bool", why=_NO_GPU),
    "deepspeed": Row(Use.NONE, why=_NO_GPU),
    "deepspeed_stage": Row(Use.NONE, idle="2", why=_NO_GPU),
    "apply_ort": Row(Use.NONE, type="bool", why="ONNX Runtime training needs a GPU"),
    "number_of_gpu_to_use_finetuning": Row(Use.NONE, type="int", idle=1, why="there is no GPU; the batch size is that of one"),
    "num_nodes_finetune": Row(Use.NONE, type="int", idle=1, why="one process trains here; the batch size is that of one node"),
    "save_total_limit": Row(Use.NONE, type="int", idle=-1, why="a twin's checkpoints are not kept, only its best or last state"),
    "resume_from_checkpoint": Row(Use.NONE, type="bool", why="a twin is trained from its start in seconds"),
    "dataloader_num_workers": Row(Use.NONE, type="int", idle=0, why="rows fit into memory; the main process reads them"),
    "batch_size": Row(Use.NONE, type="int", idle=1000, why="rows are tokenized one by one"),
    "ignore_mismatched_sizes": Row(Use.NONE, type="bool", why="a twin's weights always fit"),
    "trust_remote_code": Row(Use.NONE, type="bool", why="no code of a model repository is ever run here"),
    "huggingface_id": Row(Use.NONE, why="nothing is downloaded; the twin of the base model is used"),
    "shm_size_finetune": Row(Use.NONE, why=_ELSEWHERE),
    "finetune_config_path": Row(Use.NONE, why="the twin's own configuration is used"),
    "train_mltable_path": Row(Use.NONE, why=_FILES),
    "validation_mltable_path": Row(Use.NONE, why=_FILES),
    "test_mltable_path": Row(Use.NONE, why=_FILES),
    "task_name": Row(Use.NONE, why=_UNUSED),
    "evaluation_config": Row(Use.NONE, why=_UNUSED),
    "evaluation_config_params": Row(Use.NONE, why=_UNUSED),
    **{
        f"{prefix}_{step}": Row(Use.NONE, why=_ELSEWHERE)
        for prefix in ("compute", "instance_type")
        for step in ("model_import", "preprocess", "finetune", "model_evaluation")
    },
}


READ_AS_FILES = ("train_file_path", "validation_file_path", "test_file_path", "mlflow_model_path", "pytorch_model_path")
"""Inputs that are no parameters: the rows and the base model."""


@dataclass(frozen=True, slots=True)
class Settings:
    trainer: dict[str, Any] = field(default_factory=dict)
    lora: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    """Input -> why it has no effect here. Only those whose value asks for something."""


def translate(inputs: Mapping[str, Any]) -> Settings:
    """Settings from the text of a job's inputs. Raises ValueError that names every input whose text is not of its type."""
    settings, wrong = Settings(), []
    for name, value in inputs.items():
        if name in READ_AS_FILES:
            continue
        row = ROWS.get(name, _UNKNOWN)
        try:
            _sort(settings, name, row, _typed(value, row))
        except ValueError:
            wrong.append(f"the input {name} is {value}, which is not a number")
    if wrong:
        raise ValueError("; ".join(wrong))
    return settings


_UNKNOWN = Row(Use.NONE, why="the emulator's trainer does not know this input")


def _sort(settings: Settings, name: str, row: Row, value: Any) -> None:
    match row.use:
        case Use.TRAINER:
            settings.trainer[row.target] = value
        case Use.LORA:
            settings.lora[row.target] = value
        case Use.OWN:
            settings.own[row.target] = value
        case Use.NONE:
            if value not in (row.idle, "", "None") and value is not False:
                settings.unused[name] = row.why
        case _:
            assert_never(row.use)


def _typed(value: Any, row: Row) -> Any:
    text = "given" if isinstance(value, Mapping) else str(value)
    match row.type:
        case "int":
            return int(float(text))
        case "float":
            return float(text)
        case "bool":
            return text.lower() == "true"
        case _:
            return row.instead.get(text, text)
