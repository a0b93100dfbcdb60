"""The component's inputs on a laptop: what each becomes, and in words what it does not become. One row per input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NOT_HERE = "decides where the job runs on Azure; here it is this machine"
_UNUSED = "no step of the pipeline reads it"


@dataclass(frozen=True, slots=True)
class Row:
    """`use`: `trainer` (a field of TrainingArguments), `lora`, `own` (this package), or `none` with the reason in `why`."""

    use: str
    target: str = ""
    type: str = "text"
    """`int`, `float`, `bool` or `text`."""
    why: str = ""


ROWS: dict[str, Row] = {
    "num_train_epochs": Row("trainer", "num_train_epochs", "int"),
    "max_steps": Row("trainer", "max_steps", "int"),
    "per_device_train_batch_size": Row("trainer", "per_device_train_batch_size", "int"),
    "per_device_eval_batch_size": Row("trainer", "per_device_eval_batch_size", "int"),
    "auto_find_batch_size": Row("trainer", "auto_find_batch_size", "bool"),
    "optim": Row("trainer", "optim"),
    "learning_rate": Row("trainer", "learning_rate", "float"),
    "warmup_steps": Row("trainer", "warmup_steps", "int"),
    "weight_decay": Row("trainer", "weight_decay", "float"),
    "adam_beta1": Row("trainer", "adam_beta1", "float"),
    "adam_beta2": Row("trainer", "adam_beta2", "float"),
    "adam_epsilon": Row("trainer", "adam_epsilon", "float"),
    "gradient_accumulation_steps": Row("trainer", "gradient_accumulation_steps", "int"),
    "eval_accumulation_steps": Row("own", "eval_accumulation_steps", "int"),
    "lr_scheduler_type": Row("trainer", "lr_scheduler_type"),
    "seed": Row("trainer", "seed", "int"),
    "max_grad_norm": Row("trainer", "max_grad_norm", "float"),
    "logging_strategy": Row("trainer", "logging_strategy"),
    "logging_steps": Row("trainer", "logging_steps", "int"),
    "eval_steps": Row("trainer", "eval_steps", "int"),
    "evaluation_strategy": Row("own", "evaluation_strategy"),
    "evaluation_steps_interval": Row("own", "evaluation_steps_interval", "float"),
    "precision": Row("own", "precision"),
    "enable_full_determinism": Row("own", "enable_full_determinism", "bool"),
    "apply_lora": Row("own", "apply_lora", "bool"),
    "merge_lora_weights": Row("own", "merge_lora_weights", "bool"),
    "lora_r": Row("lora", "r", "int"),
    "lora_alpha": Row("lora", "lora_alpha", "int"),
    "lora_dropout": Row("lora", "lora_dropout", "float"),
    "max_seq_length": Row("own", "max_seq_length", "int"),
    "pad_to_max_length": Row("own", "pad_to_max_length", "bool"),
    "apply_early_stopping": Row("own", "apply_early_stopping", "bool"),
    "early_stopping_patience": Row("own", "early_stopping_patience", "int"),
    "early_stopping_threshold": Row("own", "early_stopping_threshold", "float"),
    "metric_for_best_model": Row("own", "metric_for_best_model"),
    "apply_deepspeed": Row("none", type="bool", why="DeepSpeed shards over GPUs; there are none here"),
    "deepspeed": Row("none", why="DeepSpeed shards over GPUs; there are none here"),
    "deepspeed_stage": Row("none", why="DeepSpeed shards over GPUs; there are none here"),
    "apply_ort": Row("none", type="bool", why="ONNX Runtime training needs a GPU"),
    "number_of_gpu_to_use_finetuning": Row("none", type="int", why="there is no GPU; the batch size is that of one"),
    "num_nodes_finetune": Row("none", type="int", why="one process trains here; the batch size is that of one node"),
    "save_total_limit": Row("none", type="int", why="a twin's checkpoints are not kept, only its best or last state"),
    "resume_from_checkpoint": Row("none", type="bool", why="a twin is trained from its start in seconds"),
    "dataloader_num_workers": Row("none", type="int", why="rows fit into memory; the main process reads them"),
    "batch_size": Row("none", type="int", why="rows are tokenized one by one"),
    "ignore_mismatched_sizes": Row("none", type="bool", why="a twin's weights always fit"),
    "trust_remote_code": Row("none", type="bool", why="no code of a model repository is ever run here"),
    "huggingface_id": Row("none", why="nothing is downloaded; the twin of the base model is used"),
    "shm_size_finetune": Row("none", why=NOT_HERE),
    "task_name": Row("none", why=_UNUSED),
    "evaluation_config": Row("none", why=_UNUSED),
    "evaluation_config_params": Row("none", why=_UNUSED),
    **{
        f"{prefix}_{step}": Row("none", why=NOT_HERE)
        for prefix in ("compute", "instance_type")
        for step in ("model_import", "preprocess", "finetune", "model_evaluation")
    },
}


@dataclass(frozen=True, slots=True)
class Settings:
    trainer: dict[str, Any] = field(default_factory=dict)
    lora: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    """Input -> why it has no effect here. Only those that were given another value than `off`."""


def translate(inputs: Mapping[str, Any]) -> Settings:
    """Settings from the text of a job's inputs. Raises ValueError that names an input whose text is not of its type."""
    settings = Settings()
    for name, value in inputs.items():
        row = ROWS.get(name)
        if row is None or isinstance(value, Mapping):
            continue
        typed = _typed(name, str(value), row.type)
        match row.use:
            case "trainer":
                settings.trainer[row.target] = typed
            case "lora":
                settings.lora[row.target] = typed
            case "own":
                settings.own[row.target] = typed
            case _:
                if typed not in (False, "", None):
                    settings.unused[name] = row.why
    return settings


def _typed(name: str, text: str, kind: str) -> Any:
    try:
        match kind:
            case "int":
                return int(float(text))
            case "float":
                return float(text)
            case "bool":
                return text.lower() == "true"
            case _:
                return text
    except ValueError:
        raise ValueError(f"the input {name} is {text}, which is not a number") from None
