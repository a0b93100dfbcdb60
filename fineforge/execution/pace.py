"""How fast a training goes and how long it still takes, as far as its steps, its log and its inputs tell. Pure.

Where the number of all steps is not known, nothing is said of the time that is left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TOTAL = re.compile(r"\bstep \d+/(\d+)\b|Total optimization steps\s*=\s*([\d,]+)")
"""What the emulator's trainer writes, and what `transformers.Trainer` logs when it begins."""


class Pace:
    def __init__(self) -> None:
        self._total = 0
        self._epochs = 0.0
        self._begin: tuple[int, float] | None = None

    def read_line(self, line: str) -> None:
        """A line of the log may tell how many steps there are."""
        if found := _TOTAL.search(line):
            self._total = int((found[1] or found[2]).replace(",", ""))

    def read_inputs(self, raw: Mapping[str, Any]) -> None:
        """The job's body: `max_steps` where it is given, else the epochs, from which the steps follow once one is logged."""
        inputs = dict(_literals(raw))
        most, epochs = _number(inputs.get("max_steps")), _number(inputs.get("num_train_epochs"))
        if not self._total and most > 0:
            self._total = int(most)
        self._epochs = epochs

    def at(self, step: int, now: float, epoch: float | None = None) -> dict[str, float]:
        """Where the training is at a step, `now` in seconds: `percent`, `steps_per_second`, `seconds_left`, where known.

        The speed is that since the first step that was seen: who looks at a running job does not know when it began.
        """
        total = self._total or (round(step * self._epochs / epoch) if epoch and self._epochs else 0)
        found = {"percent": min(100.0, 100 * step / total)} if total else {}
        if self._begin is None:
            self._begin = (step, now)
        done, spent = step - self._begin[0], now - self._begin[1]
        if done > 0 and spent > 0:
            found["steps_per_second"] = done / spent
            if total:
                found["seconds_left"] = max(0, total - step) * spent / done
        return found


def _literals(raw: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Literal inputs of every step of a pipeline job, as the service answers them."""
    nodes = ((raw.get("properties") or {}).get("jobs") or {}).values()
    entries = [entry for node in nodes for entry in (node.get("inputs") or {}).items()]
    return [(name, entry.get("value")) for name, entry in entries if isinstance(entry, Mapping)]


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return 0.0
