"""The shortest story, so that a fault of the gateway itself shows here and not in a random one."""

from __future__ import annotations

from pathlib import Path

from fineforge.core.plan import Mode
from tests.scenarios.stories.telling import Telling


def test_apply_destroy_apply(tmp_path: Path) -> None:
    told = Telling(tmp_path)
    plan = told.apply()
    assert [step.action.value for step in plan.writes].count("create") == len(plan.writes) - 1 == 7
    assert len(told.gateway.writes) == len(plan.writes)
    assert told.pending() == []
    assert told.apply(Mode.DESTROY).writes
    assert told.pending(Mode.DESTROY) == []
    before = len(told.gateway.submitted)
    told.apply()
    assert told.pending() == []
    assert len(told.gateway.submitted) == before == 1, "nothing is trained again"
