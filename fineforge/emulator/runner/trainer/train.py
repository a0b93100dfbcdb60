"""The training itself: rows to ids, transformers' Trainer over them, model folders at the end.

What is told while it runs is in `progress`; torch is imported only when the rows have been read and found good.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineforge.emulator.runner.trainer import chat, export, twin
from fineforge.emulator.runner.trainer.arguments import Settings

Tell = Callable[[str], None]

SPLITS = {"train": "training", "validation": "validation", "test": "test"}
"""Split -> its name in words."""


@dataclass(frozen=True, slots=True)
class Work:
    """One job, as its folder describes it."""

    folder: Path
    inputs: Mapping[str, Any]
    base_name: str
    base_folder: Path | None
    """Of a model of the workspace; None: the twin of `base_name` is trained."""
    twins: Path
    settings: Settings
    threads: int = 1

    def file(self, split: str) -> Path | None:
        entry = self.inputs.get(f"{split}_file_path")
        return Path(entry["path"]) if isinstance(entry, Mapping) and entry.get("path") else None


def train(work: Work, tell: Tell) -> dict[str, float]:
    """Trains and exports; the final metrics. Raises BadRow, or whatever the libraries say of bad settings."""
    conversations = _read(work)
    import torch
    from transformers import AutoTokenizer, PrinterCallback, Trainer, logging, set_seed

    from fineforge.emulator.runner.trainer import progress

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(work.threads)
    base = export.plain(work.base_folder, work.folder / "base") if work.base_folder else twin.build(work.base_name, work.twins)
    tokenizer = AutoTokenizer.from_pretrained(base)
    limit = _limit(work.settings)
    encoded = {split: _encode(tokenizer, found, split, limit, tell) for split, found in conversations.items()}
    rows = {split: found for split, found in encoded.items() if found}
    tell(f"rows: {', '.join(f'{len(found)} {split}' for split, found in rows.items())}")
    set_seed(int(work.settings.trainer.get("seed", 42)))
    model = _adapted(base, work.settings, tell)
    trainer = Trainer(
        model=model,
        args=_arguments(work, rows, tell),
        train_dataset=rows["train"],
        eval_dataset=rows.get("validation"),
        data_collator=_Collator(tokenizer.pad_token_id, limit if work.settings.own.get("pad_to_max_length") else None),
        callbacks=progress.callbacks(work.folder / "metrics.jsonl", tell, _stopping(work.settings, rows)),
    )
    trainer.remove_callback(PrinterCallback)
    final = _measured(trainer, rows)
    shutil.rmtree(work.folder / "checkpoints", ignore_errors=True)
    merge = bool(work.settings.own.get("merge_lora_weights", True))
    export.export(
        trainer.model, tokenizer, base, work.folder / "output", merge, {"base_model_name": work.base_name, "twin": "true"}
    )
    return final


def _read(work: Work) -> dict[str, list[list[dict[str, str]]]]:
    if work.file("train") is None:
        raise chat.BadRow("the job has no train_file_path; the emulator trains on JSON Lines files")
    files = {split: work.file(split) for split in SPLITS}
    return {split: chat.read_rows(file, SPLITS[split], split != "test") for split, file in files.items() if file is not None}


def _encode(
    tokenizer: Any, conversations: list[list[dict[str, str]]], split: str, limit: int, tell: Tell
) -> list[dict[str, list[int]]]:
    rows = [chat.encode(tokenizer, messages, limit) for messages in conversations]
    useful = [row for row in rows if chat.has_answer(row)]
    if not useful and split != "test":  # nothing trains on that one: without it, less is measured
        raise chat.BadRow(f"no row of the {SPLITS[split]} file has an answer within its first {limit} tokens")
    if len(useful) < len(rows):
        tell(f"{len(rows) - len(useful)} {SPLITS[split]} rows are left out: no answer within their first {limit} tokens")
    return useful


def _limit(settings: Settings) -> int:
    asked = int(settings.own.get("max_seq_length", -1))
    return min(asked, twin.CONTEXT) if asked > 0 else twin.CONTEXT


def _adapted(base: Path, settings: Settings, tell: Tell) -> Any:
    """LoRA on every linear layer. A random base learns nothing (measured) unless its embeddings and head are trained as well."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    if not settings.own.get("apply_lora"):
        tell("full fine-tuning: every weight is trained")
        return model
    from peft import LoraConfig, get_peft_model

    ends = [_name(model, model.get_input_embeddings()), _name(model, model.get_output_embeddings())]
    config = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", modules_to_save=ends, **settings.lora)
    adapted = get_peft_model(model, config)
    trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    tell(f"LoRA rank {config.r}: {trained:,} of {sum(p.numel() for p in adapted.parameters()):,} weights are trained")
    tell("twin: embeddings and head are trained beside the adapter, for its base is random; on Azure they are not")
    return adapted


def _name(model: Any, module: Any) -> str:
    """`embed_tokens`, `wte` ...: architectures differ in what they call their ends."""
    return next(str(name).rsplit(".", 1)[-1] for name, found in model.named_modules() if found is module)


def _stopping(settings: Settings, rows: Mapping[str, Any]) -> tuple[int, float] | None:
    """Patience and threshold of early stopping, where it can happen."""
    own = settings.own
    if not own.get("apply_early_stopping") or _strategy(settings, rows) == "no":
        return None
    return int(own.get("early_stopping_patience", 1)), float(own.get("early_stopping_threshold", 0.0))


def _strategy(settings: Settings, rows: Mapping[str, Any]) -> str:
    return str(settings.own.get("evaluation_strategy", "epoch")) if "validation" in rows else "no"


def _arguments(work: Work, rows: Mapping[str, list[Any]], tell: Tell) -> Any:
    from transformers import TrainingArguments

    own = work.settings.own
    strategy, stops = _strategy(work.settings, rows), _stopping(work.settings, rows) is not None
    accumulation = int(own.get("eval_accumulation_steps", -1))
    half = own.get("precision") == "16"
    if half:
        tell("precision 16: bf16 autocast")
    if own.get("metric_for_best_model", "loss") != "loss":
        tell(f"metric_for_best_model {own['metric_for_best_model']}: the validation loss decides here")
    tell("twin: rows of similar length share a batch" + ("" if stops else ", and the last state is exported, not the best"))
    return TrainingArguments(
        output_dir=str(work.folder / "checkpoints"),
        eval_strategy=strategy,
        eval_steps=_evaluation_steps(work.settings, len(rows["train"])) if strategy == "steps" else None,
        save_strategy=strategy if stops else "no",
        save_steps=_evaluation_steps(work.settings, len(rows["train"])) if strategy == "steps" else 500,
        save_total_limit=1,
        load_best_model_at_end=stops,
        metric_for_best_model="loss" if stops else None,
        eval_accumulation_steps=accumulation if accumulation > 0 else None,
        bf16=half,
        full_determinism=bool(own.get("enable_full_determinism")),
        include_num_input_tokens_seen="non_padding",
        train_sampling_strategy="group_by_length",
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        logging_first_step=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        **work.settings.trainer,
    )


def _evaluation_steps(settings: Settings, rows: int) -> int:
    """`evaluation_steps_interval` is a fraction of an epoch and wins over `eval_steps`."""
    given = settings.trainer
    batch = int(given.get("per_device_train_batch_size", 1)) * int(given.get("gradient_accumulation_steps", 1))
    interval = float(settings.own.get("evaluation_steps_interval", 0))
    return max(1, round(interval * math.ceil(rows / batch))) if interval > 0 else int(settings.own.get("eval_steps", 500))


def _measured(trainer: Any, rows: Mapping[str, Any]) -> dict[str, float]:
    """Trains, then measures; what is not a number is left out."""
    result = trainer.train()
    final = {"train_loss": float(result.training_loss), "train_runtime": float(result.metrics["train_runtime"])}
    if "validation" in rows:
        final["eval_loss"] = float(trainer.evaluate()["eval_loss"])
    if "test" in rows:
        final["test_loss"] = float(trainer.evaluate(rows["test"], metric_key_prefix="test")["test_loss"])
    return {name: value for name, value in final.items() if math.isfinite(value)}


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
