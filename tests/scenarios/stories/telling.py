"""One spec and one world, and what may happen to either."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import yaml

from fineforge import engine
from fineforge.core.diagnostics import errors
from fineforge.core.events import Event, Outcome
from fineforge.core.plan import Mode, Plan
from fineforge.documents.wording import reason_text
from fineforge.planner import check_plan
from tests.support import single
from tests.support.memory import MemoryGateway
from tests.support.offline import SUPPORT
from tests.unit.planner.case import crossing

WORDS = ["moon", "sand", "glass", "river", "stone", "cloud", "ember", "frost", "grove", "haven"]


def row(number: int) -> str:
    """Each row says something of its own."""
    first, second = WORDS[number % 10], WORDS[(number // 10) % 10]
    talk = [
        {"role": "user", "content": f"What is {first} {number}?"},
        {"role": "assistant", "content": f"It is {second} {number * 7}."},
    ]
    return json.dumps({"prompt": talk[0]["content"], "prompt_id": str(number), "messages": talk})


class Telling:
    def __init__(self, folder: Path, gateway: type[MemoryGateway] = MemoryGateway) -> None:
        self.folder = folder
        self.gateway = gateway(folder / "cloud")
        self.gateway.cloud.planted.registry("shop-models")
        self.data: dict[str, Any] = yaml.safe_load(SUPPORT)
        (folder / "data" / "support").mkdir(parents=True)
        self.rows("train", 0)
        self.rows("validation", 500)

    def rows(self, split: str, first: int) -> None:
        """The split's file, made of 40 rows from the given number on."""
        file = self.folder / "data" / "support" / f"{split}.jsonl"
        file.write_text("".join(row(number) + "\n" for number in range(first, first + 40)), encoding="utf-8")

    def loaded(self) -> engine.SpecFile:
        file = self.folder / "spec.yaml"
        file.write_text(yaml.safe_dump(self.data), encoding="utf-8")
        return single.load(file)

    def plan(self, mode: Mode = Mode.APPLY) -> Plan:
        """The plan, sound in itself. A job that a destroy has cancelled is wanted again, as `--retry-failed` says."""
        made = single.plan(self.loaded(), self.gateway, mode).plan
        if any(found.code == "FF305" and "was cancelled" in found.message for found in errors(made.diagnostics)):
            made = single.plan(self.loaded(), self.gateway, mode, retry_failed=True).plan
        assert check_plan(made) == () and crossing(made) == []
        return made

    def apply(self, mode: Mode = Mode.APPLY) -> Plan:
        """Plans and applies; everything must come true, with exactly the writes of the plan."""
        made = self.plan(mode)
        assert not errors(made.diagnostics), made.diagnostics
        before = len(self.gateway.writes)
        outcome = self.carry_out(made)
        told = {"failed": outcome.failed, "moved": outcome.moved, "refused": outcome.refused, "skipped": outcome.skipped}
        assert not any(told.values()), told
        done = sorted(key for _, key in self.gateway.writes[before:])
        assert done == sorted(str(step.key) for step in made.writes)
        return made

    def carry_out(self, made: Plan, gateway: Any = None) -> Outcome:
        def listen(_: Event) -> None:
            pass

        return single.apply(made, self.loaded(), gateway or self.gateway, listen, threading.Event())

    def pending(self, mode: Mode = Mode.APPLY) -> list[str]:
        """What a plan would write now."""
        made = self.plan(mode)
        assert not errors(made.diagnostics), made.diagnostics
        return [f"{step.id}: {reason_text(step)}" for step in made.writes]
