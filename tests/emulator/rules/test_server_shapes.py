"""What the server adds, expands and respells. `recorded` means recordings of azure-sdk-for-python's tests."""

from __future__ import annotations

from typing import Any

import pytest

from fineforge.catalog.parse import parse_model
from fineforge.emulator.rules import Cloud, Settings


def test_compute_comes_back_upper_cased_with_tags_null_then_empty(world: Any) -> None:
    """Recorded: compute create and get of 2022-08-30."""
    answer = world.compute().body
    found = world.cloud.get("compute", ("gpu",)).body
    assert answer["tags"] is None
    assert found["tags"] == {}
    assert found["properties"]["properties"]["vmSize"] == "STANDARD_NC24ADS_A100_V4"
    assert answer["properties"]["provisioningState"] == "Creating"
    assert answer["properties"]["properties"]["nodeStateCounts"] is None
    assert found["properties"]["provisioningState"] == "Succeeded"
    assert found["properties"]["properties"]["nodeStateCounts"]["idleNodeCount"] == 0
    assert found["properties"]["properties"]["propertyBag"] == {}


def test_data_uri_is_expanded_with_lower_case_resource_groups(world: Any) -> None:
    """Recorded: data version PUT of 2022-09-16."""
    body = world.data().body
    assert body["name"] == "1"
    assert body["properties"]["dataUri"] == (
        "azureml://subscriptions/00000000-0000-4000-8000-000000000001/resourcegroups/fineforge-local/workspaces/local"
        "/datastores/workspaceblobstore/paths/up/train.jsonl"
    )


def test_data_can_change_tags_description_and_archive_only(world: Any) -> None:
    """GUIDE 9; the expanded form that a GET gave counts as the same uri."""
    world.data()
    body = world.cloud.get("data", ("train", "1")).body
    body["properties"] |= {"tags": {"a": "b"}, "description": "new", "isArchived": True}
    assert world.cloud.put("data", ("train", "1"), body).status == 200
    found = world.cloud.get("data", ("train", "1")).body["properties"]
    assert (found["tags"], found["description"], found["isArchived"]) == ({"a": "b"}, "new", True)


def test_archived_versions_leave_lists_and_latest_but_not_the_point_get(world: Any) -> None:
    """azure-docs: an archived asset is hidden from list queries; it can be referenced still."""
    for version in ("1", "2"):
        world.cloud.put("data", ("train", version), world.data_body())
    world.cloud.put("data", ("train", "2"), world.data_body(isArchived=True))
    names = {
        view: [body["name"] for body in world.cloud.list("data", ("train",), view).body["value"]]
        for view in ("ActiveOnly", "ArchivedOnly", "All")
    }
    assert names == {"ActiveOnly": ["1"], "ArchivedOnly": ["2"], "All": ["2", "1"]}
    assert world.cloud.get("data", ("train",)).body["properties"]["latestVersion"] == "1"
    assert world.cloud.get("data", ("train", "2")).status == 200


def test_a_container_shows_latest_and_next_and_can_be_archived(world: Any) -> None:
    """The SDK resolves `@latest` by the container's latestVersion (seen with azure-ai-ml 1.35.2)."""
    world.data()
    body = world.cloud.get("data", ("train",)).body
    assert (body["name"], body["properties"]["latestVersion"], body["properties"]["nextVersion"]) == ("train", "1", "2")
    body["properties"]["isArchived"] = True
    world.cloud.put("data", ("train",), body)
    assert world.cloud.list("data").body["value"] == []
    assert len(world.cloud.list("data", (), "ArchivedOnly").body["value"]) == 1


def test_model_of_a_job_output_becomes_its_path(world: Any) -> None:
    """Inferred from a recorded model: the datastore path; `flavors` never null, which the SDK needs."""
    properties = world.model().body["properties"]
    assert properties["modelUri"].endswith("/workspaces/local/datastores/workspaceblobstore/paths/azureml/done/trained_model")
    assert properties["flavors"] == {}
    assert properties["jobName"] == "done"


def test_registering_does_not_look_whether_a_path_has_bytes(world: Any) -> None:
    """FIELD GOTCHAS 10."""
    uri = "azureml://datastores/workspaceblobstore/paths/nothing/here"
    assert world.cloud.put("model", ("empty", "1"), world.model_body(uri)).status == 201


def test_a_job_gets_modes_and_keeps_both_spellings(world: Any) -> None:
    """Recorded 2022-11: 201 at once and Preparing; jobInputType at the top, job_input_type inside; the server adds `mode`."""
    world.data()
    given = world.job_body()
    given["properties"]["inputs"] = {"a": {"jobInputType": "uri_file", "uri": "azureml:train:1"}}
    reply = world.cloud.put("job", ("new",), given)
    properties = reply.body["properties"]
    assert (reply.status, reply.operation, properties["status"]) == (201, None, "Preparing")
    assert properties["inputs"]["a"]["mode"] == "ReadOnlyMount"
    assert properties["outputs"]["trained_model"] == {
        "description": None,
        "uri": None,
        "mode": "ReadWriteMount",
        "jobOutputType": "mlflow_model",
    }
    assert properties["jobs"]["ft"]["inputs"]["num_train_epochs"] == {"job_input_type": "literal", "value": "1"}
    assert properties["services"]["Studio"]["endpoint"].startswith("https://ml.azure.com/runs/new")


def test_endpoint_has_no_address_until_it_is_done(world: Any) -> None:
    """Recorded 2022-10-28."""
    answer, found = world.endpoint().body, world.cloud.get("endpoint", ("answers",)).body
    assert (answer["properties"]["provisioningState"], answer["properties"]["scoringUri"]) == ("Creating", None)
    assert found["properties"]["scoringUri"] == "https://answers.eastus.inference.ml.azure.com/score"
    assert found["properties"]["publicNetworkAccess"] == "Enabled"
    assert found["properties"]["properties"]["azureml.onlineendpointid"].endswith("/workspaces/local/onlineendpoints/answers")
    assert "mfeOperationsStatus/oe:" in found["properties"]["properties"]["AzureAsyncOperationUri"]
    assert found["identity"]["type"] == "SystemAssigned"


def test_deployment_is_updating_at_first_and_gets_defaults_when_done(world: Any) -> None:
    """Recorded 2022-10-28."""
    answer, found = world.deployed().body, world.cloud.get("deployment", ("answers", "blue")).body
    before, done = answer["properties"], found["properties"]
    assert (before["provisioningState"], before["requestSettings"]["requestTimeout"]) == ("Updating", "PT0S")
    assert (before["livenessProbe"], before["readinessProbe"]) == (None, None)
    assert done["requestSettings"] == {"maxQueueWait": "PT0S", "requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1}
    assert done["livenessProbe"] == {
        "failureThreshold": 30,
        "successThreshold": 1,
        "timeout": "PT2S",
        "period": "PT10S",
        "initialDelay": "PT10S",
    }
    assert done["scaleSettings"] == {"scaleType": "Default"}
    assert done["egressPublicNetworkAccess"] == "Enabled"
    assert found["sku"] == {"name": "Default", "tier": "Standard", "capacity": 1}


def test_given_probes_are_completed_not_replaced(world: Any) -> None:
    """The tutorial gives only initialDelay (600 s) and a request timeout of 90 s."""
    world.model()
    world.endpoint()
    body = world.deployment_body(livenessProbe={"initialDelay": "PT600S"}, requestSettings={"requestTimeout": "PT90S"})
    world.cloud.put("deployment", ("answers", "blue"), body)
    done = world.cloud.get("deployment", ("answers", "blue")).body["properties"]
    assert (done["livenessProbe"]["initialDelay"], done["livenessProbe"]["period"]) == ("PT600S", "PT10S")
    assert done["requestSettings"]["requestTimeout"] == "PT90S"


def test_a_put_of_what_was_read_changes_nothing(world: Any) -> None:
    """Read-modify-write is how updates are made: the GET body must be accepted and come back the same."""
    world.compute()
    world.deployed(traffic=100)
    objects = [
        ("compute", ("gpu",)),
        ("data", ("train", "1")),
        ("job", ("done",)),
        ("model", ("tuned", "1")),
        ("endpoint", ("answers",)),
        ("deployment", ("answers", "blue")),
    ]
    for kind, path in objects:
        before = world.cloud.get(kind, path).body
        assert world.cloud.put(kind, path, before).status == 200
        assert unstamped(world.cloud.get(kind, path).body) == unstamped(before), kind


def test_zero_traffic_entries_stay_and_a_put_replaces_the_map(world: Any) -> None:
    """FIELD GOTCHAS 13; a deployment that is deleted takes its entry along (assumed)."""
    world.deployed()
    world.cloud.put("deployment", ("answers", "green"), world.deployment_body())
    world.traffic({"blue": 100, "green": 0})
    assert world.cloud.get("endpoint", ("answers",)).body["properties"]["traffic"] == {"blue": 100, "green": 0}
    world.traffic({"blue": 100})
    assert world.cloud.get("endpoint", ("answers",)).body["properties"]["traffic"] == {"blue": 100}
    world.traffic({"blue": 0, "green": 100})
    world.cloud.delete("deployment", ("answers", "blue"))
    assert world.cloud.get("endpoint", ("answers",)).body["properties"]["traffic"] == {"green": 100}


def test_what_the_sdk_adds_to_endpoint_properties_is_let_through(world: Any) -> None:
    """Measured with azure-ai-ml 1.35.2: a get then put adds createdBy, createdAt and lastModifiedAt inside `properties`."""
    world.endpoint()
    body = world.cloud.get("endpoint", ("answers",)).body
    body["properties"]["properties"] |= {"createdBy": "somebody", "createdAt": "now", "lastModifiedAt": "now"}
    assert world.cloud.put("endpoint", ("answers",), body).status == 200


@pytest.mark.parametrize("era", ["A", "B"])
def test_registry_models_are_twins_in_both_eras(tmp_path: Any, world: Any, era: str) -> None:
    """A registry model's `name` is the model's, a component's is its version (recorded)."""
    cloud = Cloud(tmp_path, world.runner, world.cloud._context.store, world.cloud._context.lifecycle, Settings(metadata_era=era))
    body = cloud.get("registry_model", ("azureml", "Phi-4", "8")).body
    fact = parse_model(body, "azureml", "live")
    assert (body["name"], body["type"], body["properties"]["flavors"] is None) == ("Phi-4", "models", False)
    assert fact.twin
    assert fact.era == {"A": "tags", "B": "system_metadata"}[era]
    assert fact.finetune_sizes
    component = cloud.get("registry_component", ("azureml", "chat_completion_pipeline", "0.0.82")).body
    assert component["name"] == "0.0.82"
    assert component["properties"]["componentSpec"]["inputs"]["num_nodes_finetune"]["optional"] == "True"


def test_registry_lists_hide_archived_models_and_show_the_newest_first(world: Any) -> None:
    """Expected from the REST documentation: by label an archived model is not found, by version it is."""
    phi3 = ("azureml", "Phi-3-mini-4k-instruct")
    assert world.cloud.list("registry_model", phi3).body["value"] == []
    assert len(world.cloud.list("registry_model", phi3, "All").body["value"]) == 1
    assert world.cloud.get("registry_model", (*phi3, "15")).body["properties"]["isArchived"] is True
    components = world.cloud.list("registry_component", ("azureml", "chat_completion_pipeline")).body["value"]
    assert [body["name"] for body in components] == ["0.0.82", "0.0.65"]


def test_datastores_with_a_key_and_with_identity_only(world: Any) -> None:
    """Recorded: the default datastore's body; an identity-only store has nothing to give away."""
    default = world.cloud.get("datastore", ("workspaceblobstore",)).body["properties"]
    assert default["isDefault"] is True
    assert world.cloud.post("datastore", ("workspaceblobstore",), "listSecrets").body["secretsType"] == "AccountKey"
    assert world.cloud.post("datastore", ("identityblobstore",), "listSecrets").body == {"secretsType": "None"}


def test_sizes_say_what_they_are_for(world: Any) -> None:
    """Official example: AmlCompute for clusters, MIR for endpoints."""
    types = {body["name"]: body["supportedComputeTypes"] for body in world.cloud.get("vm_sizes").body["value"]}
    assert "AmlCompute" in types["Standard_NC24ads_A100_v4"]
    assert types["Standard_NC6s_v3"] == ["MIR"]
    assert "MIR" not in types["Standard_ND96isr_H200_v5"]


def unstamped(body: dict[str, Any]) -> dict[str, Any]:
    """Without what every write changes."""
    properties = dict(body["properties"])
    for stamp in ("modifiedOn", "allocationStateTransitionTime"):
        properties.pop(stamp, None)
    if isinstance(properties.get("properties"), dict):
        properties["properties"] = {
            key: value for key, value in properties["properties"].items() if key != "AzureAsyncOperationUri"
        }
    return {**body, "properties": properties, "systemData": None}
