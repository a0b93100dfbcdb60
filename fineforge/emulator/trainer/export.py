"""The trained model as an MLflow folder: code, tokenizer, weights; no pickle, so that loading it runs only code that can be read."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

CODE = Path(__file__).with_name("chat_model.py")


def export(model: Any, tokenizer: Any, base: Path, target: Path, merge: bool, metadata: dict[str, str]) -> None:
    """Writes `target`. With `merge` the adapter becomes part of the weights; else it lies beside the base model's."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow.pyfunc

    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        weights = Path(scratch) / "weights"
        adapted = hasattr(model, "merge_and_unload")
        if adapted and not merge:
            shutil.copytree(base, weights)
            model.save_pretrained(weights / "adapter")
        else:
            whole = model.merge_and_unload() if adapted else model
            whole.save_pretrained(weights)
        tokenizer.save_pretrained(weights)
        (weights / "needs.txt").write_text("adapter" if adapted and not merge else "weights")
        mlflow.pyfunc.save_model(
            str(target),
            python_model=str(CODE),
            artifacts={"weights": str(weights)},
            pip_requirements=["torch", "transformers", "peft"],
            metadata=metadata,
        )
