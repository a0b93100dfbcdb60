"""Two applies without a lease: the one whose write comes second ends with 5, and the next run finds nothing left to do."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from fineforge import engine
from fineforge.core.objects import ResourceKey
from fineforge.execution.lease import Terms
from tests.scenarios.invariants.client import Client
from tests.support import single

NO_LEASE = Terms(wanted=False)


class Overtaken:
    """A gateway before each create of which another client creates the same object."""

    def __init__(self, gateway: Any, kind: str) -> None:
        self._gateway, self._kind = gateway, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    def create(self, key: ResourceKey, text: str) -> None:
        if key.kind == self._kind:
            self._gateway.create(key, text)
        self._gateway.create(key, text)


@pytest.mark.parametrize("kind", ["compute", "endpoint"])
def test_the_loser_of_a_create(kind: str, client: Client) -> None:
    made = client.plan()
    key = next(step.key for step in made.steps if step.key.kind == kind)
    client.emulator.plant("stall", kind, [key.name], 3)
    loaded = single.load(client.spec)
    with engine.connect(loaded, "local") as gateway:
        overtaken: Any = Overtaken(gateway, kind)
        outcome = single.apply(made, loaded, overtaken, lambda _: None, threading.Event(), lease=NO_LEASE)
    assert engine.outcome_exit_code(outcome) == 5, outcome
    (moved,) = outcome.moved.values()
    assert moved.code == "FF501" and "by another process at the same time" in moved.message
    client.apply()
    assert client.pending() == []
