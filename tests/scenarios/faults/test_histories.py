"""Random histories on the emulator's rules in memory: the spec changes, people change the world, machines lose their power, the
service refuses and cannot be read; whenever an apply gets through, the invariants hold.

hypothesis shortens what breaks them; `make torture` runs 10,000 steps. What may happen outside is what may happen in
tests/scenarios/stories.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from fineforge.core.diagnostics import Diagnostic, FineforgeError, errors
from fineforge.core.objects import Raw, ResourceKey
from fineforge.core.plan import Action, Mode
from tests.scenarios.invariants.client import settled
from tests.scenarios.stories.telling import Telling
from tests.scenarios.stories.test_stories import OUTSIDE, SPEC, choose, outside
from tests.support.azure_bodies import path_of
from tests.support.memory import MemoryGateway

THEIRS: dict[ResourceKey, dict[str, Any]] = {
    ResourceKey("compute", "theirs"): {
        "location": "eastus",
        "properties": {
            "computeType": "AmlCompute",
            "properties": {"vmSize": "Standard_DS3_v2", "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 2}},
        },
    },
    ResourceKey("endpoint", "theirs"): {"location": "eastus", "tags": {"owner": "them"}, "properties": {"authMode": "Key"}},
    ResourceKey("data", "theirs", "1"): {
        "properties": {"dataType": "uri_file", "dataUri": "azureml://datastores/workspaceblobstore/paths/theirs", "tags": {}}
    },
}


class Flaky(MemoryGateway):
    """Refuses one write, before or after its effect, or does not let one kind be read."""

    refuses: tuple[int, bool] | None = None
    unread: str = ""

    def get(self, key: ResourceKey) -> Raw | None:
        self._readable(key.kind)
        return super().get(key)

    def list(self, kind: str, parent: str | None = None) -> Mapping[ResourceKey, Raw]:
        self._readable(kind)
        return super().list(kind, parent)

    def _readable(self, kind: str) -> None:
        if kind == self.unread:
            raise FineforgeError(Diagnostic("FF407", f"503: {kind} cannot be read"))

    def _write_now(self, verb: str, key: ResourceKey, change: Callable[[], Any]) -> None:
        if self.refuses is None:
            return super()._write_now(verb, key, change)
        number, got = self.refuses
        self.refuses = (number - 1, got) if number else None
        if number == 0 and not got:
            raise FineforgeError(Diagnostic("FF407", f"500: {verb} {key}"))
        super()._write_now(verb, key, change)
        if number == 0:
            raise FineforgeError(Diagnostic("FF407", f"500: {verb} {key}"))
        return None


class History(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="fineforge-history-")
        self.told = Telling(Path(self._folder.name), Flaky)
        self.gateway: Any = self.told.gateway
        self.quiet = False
        """Whether nothing has happened since the last apply or destroy that got through."""

    @initialize()
    def somebody_else_is_there(self) -> None:
        for key, body in THEIRS.items():
            self.gateway.cloud.put(key.kind, path_of(key), body)
            self.gateway.wait(key, lambda _: None, lambda: False)
        self.before = {key: settled(self.gateway.get(key)) for key in THEIRS}

    @rule(row=st.sampled_from(SPEC), dice=st.randoms(use_true_random=False))
    def the_spec_changes(self, row: tuple[str, str, list[Any]], dice: random.Random) -> None:
        choose(self.told.data, *row, dice)
        self.quiet = False

    @rule(
        what=st.sampled_from([what for what in OUTSIDE if what not in ("fail", "power cut")]),
        dice=st.randoms(use_true_random=False),
    )
    def somebody_changes_the_world(self, what: str, dice: random.Random) -> None:
        outside(self.told, what, dice)
        self.quiet = False

    @rule(number=st.integers(0, 8), got=st.booleans())
    def an_apply_loses_its_power(self, number: int, got: bool) -> None:
        made = self.told.plan()
        self.gateway.dies = (len(self.gateway.writes) + number, got)
        if not errors(made.diagnostics):
            self.told.carry_out(made)
        self.gateway.dead, self.gateway.dies = False, None
        self.quiet = False

    @rule(number=st.integers(0, 8), got=st.booleans(), mode=st.sampled_from(Mode))
    def the_service_refuses_a_write(self, number: int, got: bool, mode: Mode) -> None:
        made = self.told.plan(mode)
        self.gateway.refuses = (number, got)
        if not errors(made.diagnostics):
            outcome = self.told.carry_out(made)
            assert not outcome.refused and not outcome.moved, outcome
        self.gateway.refuses = None
        self.quiet = False

    @rule(kind=st.sampled_from(["compute", "data", "job", "model", "endpoint", "deployment"]), mode=st.sampled_from(Mode))
    def a_kind_cannot_be_read(self, kind: str, mode: Mode) -> None:
        """It is unread, not absent: nothing of that kind is made anew or deleted, and it is no clean plan."""
        self.gateway.unread = kind
        try:
            made = self.told.plan(mode)
            assert errors(made.diagnostics) or not [step for step in made.writes if step.key.kind == kind]
            assert not [step for step in made.writes if step.key.kind == kind and step.action in (Action.CREATE, Action.DELETE)]
        except FineforgeError as error:
            assert {diagnostic.code for diagnostic in error.diagnostics} == {"FF407"}
        finally:
            self.gateway.unread = ""

    @rule()
    def apply(self) -> None:
        """Everything comes true, with exactly the writes of the plan; afterwards there is nothing to do."""
        made = self.told.apply()
        assert not (
            self.quiet and self.told.gateway.submitted[:-1] and [s for s in made.writes if s.action is Action.NEW_VERSION]
        )
        assert self.told.pending() == []
        self.quiet = True

    @precondition(lambda self: self.quiet)
    @rule()
    def destroy_and_apply_again(self) -> None:
        """Destroying twice is destroying once; applying after it trains nothing."""
        submitted = list(self.gateway.submitted)
        self.told.apply(Mode.DESTROY)
        assert self.told.pending(Mode.DESTROY) == []
        self.told.apply()
        assert self.told.pending() == []
        assert self.gateway.submitted == submitted

    @rule()
    def destroy(self) -> None:
        self.told.apply(Mode.DESTROY)
        assert self.told.pending(Mode.DESTROY) == []
        self.quiet = False

    @invariant()
    def no_job_twice(self) -> None:
        assert len(set(self.gateway.submitted)) == len(self.gateway.submitted)

    @invariant()
    def theirs_is_untouched(self) -> None:
        if hasattr(self, "before"):
            assert {key: settled(self.gateway.get(key)) for key in THEIRS} == self.before
            written = {key for verb, key in self.gateway.writes}
            assert not written & {str(key) for key in THEIRS}

    def teardown(self) -> None:
        self.gateway.close()
        self._folder.cleanup()


def histories(count: int, steps: int, fixed: bool) -> settings:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=count, stateful_step_count=steps, deadline=None, suppress_health_check=checks, derandomize=fixed)


def test_histories() -> None:
    run_state_machine_as_test(History, settings=histories(12, 20, fixed=True))


@pytest.mark.torture
def test_many_histories() -> None:
    run_state_machine_as_test(History, settings=histories(250, 40, fixed=False))
