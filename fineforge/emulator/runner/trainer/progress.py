"""What a training tells while it runs: every logged number as a metric, and lines that a person can read.

It imports transformers, so it is imported late.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback, TrainerCallback


def callbacks(metrics: Path, tell: Callable[[str], None], stopping: tuple[int, float] | None) -> list[Any]:
    """`stopping`: patience and threshold of early stopping."""
    early = [EarlyStoppingCallback(*stopping)] if stopping else []
    return [Progress(metrics, tell), *early]


class Progress(TrainerCallback):  # type: ignore[misc]
    """Appends to `metrics` {"name", "step", "epoch", "value", "time"}, one object a line; no number, no line."""

    def __init__(self, metrics: Path, tell: Callable[[str], None]) -> None:
        self._metrics, self._tell, self._begin, self._evaluated = metrics, tell, 0.0, ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._begin = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        values = {name: float(value) for name, value in (logs or {}).items() if isinstance(value, int | float)}
        values = {name: value for name, value in values.items() if math.isfinite(value)}
        spent = time.monotonic() - self._begin
        if "loss" in values and spent > 0:
            values["tokens_per_second"] = values.pop("num_input_tokens_seen", 0.0) / spent
        self._write(values, state.global_step, state.epoch)
        self._say(values, state, spent)

    def _write(self, values: Mapping[str, float], step: int, epoch: float | None) -> None:
        with self._metrics.open("a", encoding="utf-8") as stream:
            for name, value in values.items():
                point = {"name": name, "step": step, "epoch": epoch, "value": value, "time": time.time()}
                stream.write(json.dumps(point) + "\n")

    def _say(self, values: Mapping[str, float], state: Any, spent: float) -> None:
        step, steps = state.global_step, state.max_steps
        if "loss" in values and step:
            left = spent / step * (steps - step)
            speed = f"{values['tokens_per_second']:.0f} tokens/s"
            self._tell(f"step {step}/{steps}  loss {values['loss']:.4f}  {speed}  {left:.0f} s left")
        elif "loss" not in values and step and "learning_rate" in values:
            self._tell(f"step {step}/{steps}  the loss is not a number: a lower learning_rate may help")
        for split in ("eval", "test"):
            if f"{split}_loss" in values:
                line = f"epoch {values.get('epoch', 0):.0f}  {split}_loss {values[f'{split}_loss']:.4f}"
                if line != self._evaluated:  # The last evaluation is made twice where every epoch has one.
                    self._tell(line)
                self._evaluated = line
