"""The training itself: rows to ids, transformers' Trainer over them, progress told while it runs, a model folder at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineforge.emulator.trainer import chat, export, twin
from fineforge.emulator.trainer.arguments import Settings

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Work:
    """One job, as its folder describes it."""

    folder: Path
    inputs: Mapping[str, Any]
    base_name: str
    base_folder: Path
    settings: Settings

    def file(self, split: str) -> Path | None:
        entry = self.inputs.get(f"{split}_file_path")
        return Path(entry["path"]) if isinstance(entry, Mapping) and entry.get("path") else None


def train(work: Work, tell: Tell) -> dict[str, float]:
    """Trains and exports; the final metrics. Raises BadRow or ValueError in words for the user."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, Trainer, set_seed

    train_file = work.file("train")
    if train_file is None:
        raise ValueError("the job has no train_file_path; the emulator trains on JSON Lines files")
    tokenizer = AutoTokenizer.from_pretrained(work.base_folder)
    limit = _limit(work.settings)
    rows = {"train": _encoded(tokenizer, train_file, "training", limit)}
    for split in ("validation", "test"):
        file = work.file(split)
        if file is not None:
            rows[split] = _encoded(tokenizer, file, split, limit)
    tell(f"rows: {', '.join(f'{len(found)} {split}' for split, found in rows.items())}")
    set_seed(int(work.settings.trainer.get("seed", 42)))
    model = _adapted(AutoModelForCausalLM.from_pretrained(work.base_folder), work, tell)
    trainer = Trainer(
        model=model,
        args=_arguments(work, "validation" in rows),
        train_dataset=rows["train"],
        eval_dataset=rows.get("validation"),
        data_collator=_Collator(tokenizer.pad_token_id, limit if work.settings.own.get("pad_to_max_length") else None),
        callbacks=_callbacks(work, tell),
    )
    trainer.remove_callback(PrinterCallback)
    result = trainer.train()
    final = {"train_loss": float(result.training_loss), "train_runtime": float(result.metrics["train_runtime"])}
    if "validation" in rows:
        final["eval_loss"] = float(trainer.evaluate()["eval_loss"])
    if "test" in rows:
        final["test_loss"] = float(trainer.evaluate(rows["test"], metric_key_prefix="test")["test_loss"])
    target = work.folder / "output" / "mlflow_model_folder"
    target.parent.mkdir(parents=True, exist_ok=True)
    merge = bool(work.settings.own.get("merge_lora_weights", True))
    export.export(trainer.model, tokenizer, work.base_folder, target, merge, {"base_model_name": work.base_name, "twin": "true"})
    return final


def _encoded(tokenizer: Any, file: Path, what: str, limit: int) -> list[dict[str, list[int]]]:
    return [chat.encode(tokenizer, messages, limit) for messages in chat.read_rows(file, what)]


def _limit(settings: Settings) -> int:
    asked = int(settings.own.get("max_seq_length", -1))
    return min(asked, twin.CONTEXT) if asked > 0 else twin.CONTEXT


def _adapted(model: Any, work: Work, tell: Tell) -> Any:
    """LoRA on every linear layer; on a random base embeddings and head are trained as well, or nothing could be learned (measured)."""
    if not work.settings.own.get("apply_lora"):
        tell("full fine-tuning: every weight is trained")
        return model
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        task_type="CAUSAL_LM", target_modules="all-linear", modules_to_save=["embed_tokens", "lm_head"], **work.settings.lora
    )
    adapted = get_peft_model(model, config)
    trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    tell(f"LoRA rank {config.r}: {trained:,} of {sum(p.numel() for p in adapted.parameters()):,} weights are trained")
    tell("twin: embeddings and head are trained beside the adapter, for its base is random; on Azure they are not")
    return adapted


def _arguments(work: Work, has_validation: bool) -> Any:
    from transformers import TrainingArguments

    own, given = work.settings.own, dict(work.settings.trainer)
    strategy = {"disable": "no"}.get(str(own.get("evaluation_strategy", "epoch")), str(own.get("evaluation_strategy", "epoch")))
    strategy = strategy if has_validation else "no"
    stopping = bool(own.get("apply_early_stopping")) and strategy != "no"
    if strategy == "steps" and float(own.get("evaluation_steps_interval", 0)) > 0:
        given["eval_steps"] = float(own["evaluation_steps_interval"]) / max(1, int(given.get("num_train_epochs", 1)))
    if strategy != "steps":
        given.pop("eval_steps", None)
    accumulation = int(own.get("eval_accumulation_steps", -1))
    return TrainingArguments(
        output_dir=str(work.folder / "checkpoints"),
        eval_strategy=strategy,
        save_strategy=strategy if stopping else "no",
        load_best_model_at_end=stopping,
        metric_for_best_model="loss" if stopping else None,
        eval_accumulation_steps=accumulation if accumulation > 0 else None,
        bf16=own.get("precision") == "16",
        full_determinism=bool(own.get("enable_full_determinism")),
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        logging_first_step=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        **given,
    )


class _Collator:
    """Pads a batch on the right, to its longest row or to a fixed length."""

    def __init__(self, pad: int, length: int | None) -> None:
        self._pad, self._length = pad, length

    def __call__(self, rows: list[dict[str, list[int]]]) -> dict[str, Any]:
        import torch

        length = self._length or max(len(row["input_ids"]) for row in rows)

        def padded(name: str, fill: int) -> Any:
            return torch.tensor([row[name] + [fill] * (length - len(row[name])) for row in rows])

        mask = [[1] * len(row["input_ids"]) + [0] * (length - len(row["input_ids"])) for row in rows]
        return {
            "input_ids": padded("input_ids", self._pad),
            "labels": padded("labels", chat.IGNORED),
            "attention_mask": torch.tensor(mask),
        }


def _callbacks(work: Work, tell: Tell) -> list[Any]:
    from transformers import EarlyStoppingCallback, TrainerCallback

    metrics = work.folder / "metrics.jsonl"

    class Progress(TrainerCallback):  # type: ignore[misc]
        """Every logged value into `metrics.jsonl`, and a line that a person can read into the log."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.begin = time.monotonic()

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
            values = {name: float(value) for name, value in (logs or {}).items() if isinstance(value, int | float)}
            with metrics.open("a", encoding="utf-8") as stream:
                for name, value in values.items():
                    point = {"name": name, "step": state.global_step, "epoch": state.epoch, "value": value, "time": time.time()}
                    stream.write(json.dumps(point) + "\n")
            if "loss" in values and state.global_step:
                spent = time.monotonic() - self.begin
                left = spent / state.global_step * (state.max_steps - state.global_step)
                tell(f"step {state.global_step}/{state.max_steps}  loss {values['loss']:.4f}  {left:.0f} s left")
            elif "eval_loss" in values:
                tell(f"epoch {values.get('epoch', 0):.0f}  eval_loss {values['eval_loss']:.4f}")

    own = work.settings.own
    stopping: list[Any] = []
    if own.get("apply_early_stopping") and work.file("validation") is not None:
        stopping = [
            EarlyStoppingCallback(int(own.get("early_stopping_patience", 1)), float(own.get("early_stopping_threshold", 0.0)))
        ]
    return [Progress(), *stopping]
