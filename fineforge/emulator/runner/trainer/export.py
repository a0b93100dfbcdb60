"""The trained model as an MLflow folder: code, tokenizer, weights. No pickle: loading it runs only code that can be read."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

CODE = Path(__file__).with_name("chat_model.py")
MLFLOW, PYTORCH = "mlflow_model_folder", "pytorch_model_folder"
"""The component's outputs: the same weights, as MLflow and as transformers want them."""
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
"""Of MLflow, before it is imported: it sends nothing, and draws no bars."""
_WEIGHTS, _NEEDS, _ADAPTER = "weights", "needs.txt", "adapter"


def export(model: Any, tokenizer: Any, base: Path, target: Path, merge: bool, metadata: dict[str, str]) -> None:
    """Writes both outputs below `target`. With `merge` the adapter becomes part of the weights; else it lies beside them."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        weights = Path(scratch) / _WEIGHTS
        adapted = hasattr(model, "merge_and_unload")
        if adapted and not merge:
            shutil.copytree(base, weights)
            model.save_pretrained(weights / _ADAPTER)
        else:
            (model.merge_and_unload() if adapted else model).save_pretrained(weights)
        tokenizer.save_pretrained(weights)
        (weights / _NEEDS).write_text(_ADAPTER if adapted and not merge else _WEIGHTS, encoding="utf-8")
        _save(weights, target / MLFLOW, metadata)
        weights.rename(target / PYTORCH)


def untuned(twin: Path) -> Path:
    """The MLflow folder of a twin as it is, made on first use beside it."""
    target = twin.with_name(f"{twin.name}-untuned")
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=twin.parent, prefix=".part-") as scratch:
            weights = Path(scratch) / _WEIGHTS
            shutil.copytree(twin, weights)
            (weights / _NEEDS).write_text(_WEIGHTS, encoding="utf-8")
            _save(weights, Path(scratch) / MLFLOW, {"twin": "true"})
            try:
                (Path(scratch) / MLFLOW).rename(target)
            except OSError:
                if not target.exists():  # Somebody else was quicker: theirs is the same.
                    raise
    return target


def plain(model: Path, scratch: Path) -> Path:
    """A folder that transformers can load, of a model that was exported before: its adapter becomes part of its weights."""
    weights = model / "artifacts" / _WEIGHTS if (model / "MLmodel").is_file() else model
    if not (weights / "config.json").is_file():
        raise ValueError("the base model's folder holds no weights that the emulator can train")
    if not (weights / _ADAPTER).is_dir():
        return weights
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    merged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(weights), weights / _ADAPTER).merge_and_unload()
    merged.save_pretrained(scratch)
    AutoTokenizer.from_pretrained(weights).save_pretrained(scratch)
    return scratch


def _save(weights: Path, target: Path, metadata: dict[str, str]) -> None:
    """The weights' folder has a fixed name, for MLflow keeps it."""
    os.environ |= QUIET
    import mlflow.pyfunc

    mlflow.pyfunc.save_model(
        str(target),
        python_model=str(CODE),
        artifacts={_WEIGHTS: str(weights)},
        pip_requirements=["torch", "transformers", "peft"],
        metadata=metadata,
    )
