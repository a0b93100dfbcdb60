"""Long operations and the life of objects: instant, timed, stepped; queues, conflicts, failures, deletes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fineforge.emulator.lifecycle import SECONDS, Progression
from fineforge.emulator.rules import AzureError


def status(world: Any, operation: Any) -> str:
    return str(world.cloud.get("operation", (operation.id,)).body["status"])


def test_instant_is_done_before_the_next_request(world: Any) -> None:
    reply = world.endpoint()
    assert reply.body["properties"]["provisioningState"] == "Creating"
    assert status(world, reply.operation) == "Succeeded"


def test_stepped_is_done_after_so_many_reads(make_world: Callable[..., Any]) -> None:
    """Reads of the object and of its operation count alike."""
    world = make_world(Progression.STEPPED)
    operation = world.endpoint().operation
    assert world.state("endpoint", "answers") == "Creating"
    assert status(world, operation) == "Updating"
    assert world.cloud.get("endpoint", ("answers",)).body["properties"]["provisioningState"] == "Succeeded"
    assert status(world, operation) == "Succeeded"


def test_timed_follows_the_injected_clock(make_world: Callable[..., Any]) -> None:
    world = make_world(Progression.TIMED)
    operation = world.compute().operation
    world.clock.now += SECONDS["compute.create"] - 0.1
    assert status(world, operation) == "InProgress"
    world.clock.now += 0.2
    assert status(world, operation) == "Succeeded"


def test_the_two_families_of_status_bodies(make_world: Callable[..., Any]) -> None:
    """Recorded: compute has InProgress and no id; managementfrontend says `Updating`, with id, name and startTime."""
    world = make_world(Progression.STEPPED)
    compute, endpoint = world.compute().operation, world.endpoint().operation
    assert world.cloud.get("operation", (compute.id,)).body == {"status": "InProgress", "percentComplete": 0.0}
    body = world.cloud.get("operation", (endpoint.id,)).body
    assert (body["status"], body["name"], body["percentComplete"]) == ("Updating", endpoint.id, 0.0)
    assert "computeOperationsStatus" in world.settings.operation_url(compute)
    assert "mfeOperationsStatus/oe:" in world.settings.operation_url(endpoint)


def test_a_failed_operation_answers_in_a_body_not_by_status(world: Any) -> None:
    """Composed from azureml-examples' deploy-rest.sh: 200, status Failed, error with code and message."""
    world.model()
    world.endpoint()
    world.cloud.planted.failure("deployment", ("answers", "blue"), "ImageBuildFailure", "the build log under ...")
    operation = world.cloud.put("deployment", ("answers", "blue"), world.deployment_body()).operation
    reply = world.cloud.get("operation", (operation.id,))
    assert (reply.status, reply.body["status"]) == (200, "Failed")
    assert reply.body["error"] == {"code": "ImageBuildFailure", "message": "the build log under ..."}
    assert world.state("endpoint", "answers") == "Succeeded"  # the endpoint knows nothing of it
    assert world.state("deployment", "answers", "blue") == "Failed"


def test_failed_first_provisioning_is_cured_by_delete_and_create(world: Any) -> None:
    """Reported: `Delete and re-create`; the failed one holds its cores until then (FIELD 5.1)."""
    world.model()
    world.endpoint()
    world.cloud.planted.failure("deployment", ("answers", "blue"), "OutOfQuota", "none left")
    world.cloud.put("deployment", ("answers", "blue"), world.deployment_body())
    assert used(world) == 8
    world.cloud.delete("deployment", ("answers", "blue"))
    assert used(world) == 0
    assert world.cloud.put("deployment", ("answers", "blue"), world.deployment_body()).status == 201
    assert world.state("deployment", "answers", "blue") == "Succeeded"


def test_a_failed_update_of_a_healthy_deployment_can_be_updated_again(world: Any) -> None:
    """Assumed: not evidenced anywhere."""
    world.deployed(traffic=100)
    world.cloud.planted.failure("deployment", ("answers", "blue"), "ResourceNotReady", "crashed")
    change = {"environmentVariables": {"A": "1"}}
    world.cloud.put("deployment", ("answers", "blue"), world.deployment_body(**change))
    assert world.state("deployment", "answers", "blue") == "Failed"
    world.cloud.put("deployment", ("answers", "blue"), world.deployment_body(**change))
    assert world.state("deployment", "answers", "blue") == "Succeeded"


def test_deployment_of_a_model_without_bytes_fails_by_itself(world: Any) -> None:
    """TSG ResourceNotReady; registering did not look (FIELD GOTCHAS 10)."""
    world.endpoint()
    world.cloud.put("model", ("tuned", "1"), world.model_body("azureml://datastores/workspaceblobstore/paths/nothing"))
    operation = world.cloud.put("deployment", ("answers", "blue"), world.deployment_body()).operation
    assert world.cloud.get("operation", (operation.id,)).body["error"]["code"] == "ResourceNotReady"


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda world: world.endpoint(), "An operation is already in progress on this endpoint"),
        (
            lambda world: world.cloud.put("deployment", ("answers", "blue"), world.deployment_body()),
            "An operation is already in progress on this endpoint",  # azure-sdk-for-net#36961
        ),
        (lambda world: world.cloud.patch("endpoint", ("answers",), {"tags": {}}), "An operation is already in progress"),
        (
            lambda world: world.compute(),
            "Conflict of operation, another operation on same entity is already running in workspace",
        ),
    ],
)
def test_a_busy_object_answers_409(make_world: Callable[..., Any], act: Any, words: str) -> None:
    world = make_world(Progression.TIMED)
    world.endpoint()
    world.compute()
    with pytest.raises(AzureError, match=words) as caught:
        act(world)
    assert (caught.value.status, caught.value.code) == (409, "Conflict")


def test_a_delete_queues_behind_a_running_create(make_world: Callable[..., Any]) -> None:
    """FIELD 13: measured, 34 of 40 minutes. Logs cannot be read meanwhile (FIELD 14.1)."""
    world = make_world(Progression.TIMED)
    ready(world)
    create = world.cloud.put("deployment", ("answers", "blue"), world.deployment_body()).operation
    delete = world.cloud.delete("deployment", ("answers", "blue")).operation
    with pytest.raises(AzureError, match="Conflict of operation"):
        world.cloud.put("deployment", ("answers", "blue"), world.deployment_body())
    world.clock.now += SECONDS["deployment.create"]
    assert (status(world, create), status(world, delete)) == ("Succeeded", "Updating")
    assert world.state("deployment", "answers", "blue") == "Deleting"
    with pytest.raises(AzureError, match=r"deleting or creating state so logs can't be retrieved"):
        world.cloud.post("deployment", ("answers", "blue"), "getLogs")
    world.clock.now += SECONDS["deployment.delete"]
    assert status(world, delete) == "Succeeded"
    assert world.state("deployment", "answers", "blue") == "absent"


def test_the_log_of_a_container_that_is_not_here(world: Any) -> None:
    """The scorer's own log must not pass for that of the container that fetches the model."""
    ready(world)
    world.cloud.put("deployment", ("answers", "blue"), world.deployment_body())
    none = {"content": "There are no logs for this deployment at the moment."}
    assert world.cloud.post("deployment", ("answers", "blue"), "getLogs", {"containerType": "InferenceServer"}).body == none
    with pytest.raises(AzureError, match="no logs of the container StorageInitializer"):
        world.cloud.post("deployment", ("answers", "blue"), "getLogs", {"containerType": "StorageInitializer"})


def test_quota_comes_back_when_the_delete_finishes(make_world: Callable[..., Any]) -> None:
    """Reported: not when it is accepted."""
    world = make_world(Progression.TIMED)
    ready(world)
    world.cloud.put("deployment", ("answers", "blue"), world.deployment_body())
    world.clock.now += SECONDS["deployment.create"]
    world.cloud.delete("deployment", ("answers", "blue"))
    assert used(world) == 8
    world.clock.now += SECONDS["deployment.delete"]
    assert used(world) == 0


def test_an_endpoint_takes_its_deployments_along_and_frees_its_name(world: Any) -> None:
    """Recorded: endpoint delete `deletes its deployments too`, with live traffic or without."""
    world.deployed(traffic=100)
    reply = world.cloud.delete("endpoint", ("answers",))
    assert (reply.status, reply.body) == (202, None)
    assert world.state("endpoint", "answers") == "absent"
    assert used(world) == 0
    assert world.endpoint().status == 201
    assert world.cloud.list("deployment", ("answers",)).body["value"] == []


@pytest.mark.parametrize(
    ("kind", "path"), [("compute", ("x",)), ("endpoint", ("x",)), ("deployment", ("x", "y")), ("job", ("x",))]
)
def test_deleting_what_is_not_there_is_204(world: Any, kind: str, path: tuple[str, ...]) -> None:
    """ARM's rule for DELETE."""
    assert world.cloud.delete(kind, path).status == 204


def test_a_running_job_is_not_deleted(make_world: Callable[..., Any]) -> None:
    """Assumed."""
    world = make_world(Progression.TIMED)
    world.job()
    with pytest.raises(AzureError, match="still Preparing"):
        world.cloud.delete("job", ("done",))


def ready(world: Any) -> None:
    """A model and an endpoint, in a timed world."""
    world.job()
    world.endpoint()
    for _ in range(2):
        world.clock.now += 10
        world.cloud.get("job", ("done",))
    world.cloud.put("model", ("tuned", "1"), world.model_body())


def used(world: Any) -> int:
    rows = world.cloud.get("usages").body["value"]
    return int(next(row["currentValue"] for row in rows if row["type"].endswith("/dedicatedCores/usages")))
