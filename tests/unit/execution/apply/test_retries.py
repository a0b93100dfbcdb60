"""`job.retries`: for what the platform did to a job, not for what is wrong with it."""

from __future__ import annotations

import pytest

from fineforge.core.diagnostics import errors
from fineforge.core.plan import WRITES
from tests.scenarios.stories.telling import Telling
from tests.support.azure_bodies import path_of

PREEMPTED = ("PreemptionError", "Nodes of this job got pre-empted")
OWN_FAULT = ("UserError", "Execution failed. User process exited with status code 1")


def fail(told: Telling, code: str, message: str) -> str:
    """Applies once, and the job fails; its name."""
    made = told.plan()
    job = next(entry for entry in made.steps if entry.key.kind == "job" and entry.action in WRITES)
    told.gateway.cloud.planted.failure("job", path_of(job.key), code, message)
    assert job.id in told.carry_out(made).failed
    return job.key.name


def test_a_preempted_job_is_submitted_again_as_often_as_the_spec_says(told: Telling) -> None:
    told.data["job"] = {"retries": 2}
    first = fail(told, *PREEMPTED)
    assert fail(told, *PREEMPTED) == f"{first}-r2"
    assert fail(told, *PREEMPTED) == f"{first}-r3"
    made = told.plan()
    assert {found.code for found in errors(made.diagnostics)} == {"FF305"}
    assert told.gateway.submitted == [first, f"{first}-r2", f"{first}-r3"]


@pytest.mark.parametrize(("retries", "why"), [(0, PREEMPTED), (2, OWN_FAULT)])
def test_no_other_job_is(retries: int, why: tuple[str, str], told: Telling) -> None:
    told.data["job"] = {"retries": retries}
    first = fail(told, *why)
    made = told.plan()
    assert {found.code for found in errors(made.diagnostics)} == {"FF305"}
    assert not any(entry.key.kind == "job" and entry.action in WRITES for entry in made.steps)
    assert told.gateway.submitted == [first]
