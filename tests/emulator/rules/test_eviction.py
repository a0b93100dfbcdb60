"""Low-priority nodes that are taken away, and jobs that need no cluster at all."""

from __future__ import annotations

from typing import Any

import pytest

from fineforge.emulator.rules.runner import BaseModel, JobToRun, Reports

WORDS = "AzureMLCompute job failed. PreemptionError: Nodes of this job got pre-empted."


class Endless:
    """Starts jobs and never ends them by itself."""

    def attach(self, reports: Reports) -> None:
        self.reports = reports
        self.cancelled: list[str] = []

    def submit(self, job: JobToRun) -> None:
        self.reports.job_started(job.name)

    def cancel(self, job: str) -> None:
        self.cancelled.append(job)
        self.reports.job_finished(job, "Canceled")

    def deploy(self, endpoint: str, deployment: str, model: BaseModel | Any) -> None: ...

    def undeploy(self, endpoint: str, deployment: str) -> None: ...


def on_cluster(world: Any, name: str, priority: str = "LowPriority") -> None:
    if world.state("compute", "gpu") == "absent":
        world.compute(vmPriority=priority)
    world.data()
    world.cloud.put("job", (name,), world.job_body(inputs={"compute_finetune": "gpu"}))


def error(world: Any, name: str) -> dict[str, str]:
    found: dict[str, str] = world.cloud.get("run", (name,)).body["error"]["error"]
    return found


def test_the_next_job_on_an_evicted_cluster_fails_once(world: Any) -> None:
    """azure-docs#66288: users see the failure, whatever the documentation says of a restart."""
    world.compute(vmPriority="LowPriority")
    world.cloud.planted.eviction("gpu")
    on_cluster(world, "first")
    on_cluster(world, "second")
    assert (world.state("job", "first"), world.state("job", "second")) == ("Failed", "Completed")
    assert error(world, "first") == {"code": "PreemptionError", "message": WORDS}


def test_a_running_job_is_evicted_and_its_process_ended(make_world: Any) -> None:
    world = make_world(runner=Endless())
    on_cluster(world, "long")
    assert world.state("job", "long") == "Running"
    world.cloud.planted.eviction("gpu")
    assert world.state("job", "long") == "Failed"
    assert error(world, "long")["code"] == "PreemptionError"
    assert world.runner.cancelled == ["long"]


def test_dedicated_nodes_are_not_evicted(world: Any) -> None:
    world.compute()
    with pytest.raises(ValueError, match="no low-priority cluster"):
        world.cloud.planted.eviction("gpu")


@pytest.mark.parametrize("text", ["serverless", "azureml:serverless"])
def test_a_job_needs_no_cluster(world: Any, text: str) -> None:
    """The component's own default is serverless, with an instance type of its own for each step."""
    world.data()
    body = world.job_body(inputs={"compute_finetune": text, "instance_type_finetune": "Standard_NC24ads_A100_v4"})
    body["properties"]["settings"]["default_compute"] = text
    world.cloud.put("job", ("free",), body)
    assert world.state("job", "free") == "Completed"


def test_resources_of_a_step_name_a_size(world: Any) -> None:
    world.data()
    for name, size in (("known", "Standard_NC24ads_A100_v4"), ("unknown", "Standard_Nothing")):
        body = world.job_body()
        body["properties"]["jobs"]["ft"]["resources"] = {"instance_type": size, "instance_count": 1}
        world.cloud.put("job", (name,), body)
    assert world.state("job", "known") == "Completed"
    assert "Instance type Standard_Nothing, given as resources.instance_type" in error(world, "unknown")["message"]
