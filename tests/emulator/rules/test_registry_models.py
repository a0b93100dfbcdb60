"""Models in registries of the user's own: copied or uploaded once, then as they are; deployed and trained on as any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fineforge.emulator.lifecycle import Progression
from fineforge.emulator.rules import AzureError

PATH = ("shop", "answers", "2")
ID = "azureml://registries/shop/models/answers/versions/2"


def reference(world: Any, source: str = "tuned", version: str = "1", to: str = "answers", number: str = "2") -> dict[str, Any]:
    """What `models.share` of azure-ai-ml 1.35.2 sends."""
    where = world.settings
    asset = f"azureml://locations/{where.location}/workspaces/{where.workspace_id}/models/{source}/versions/{version}"
    names = {"destinationName": to, "destinationVersion": number}
    return {"properties": {"referenceType": "Id", "sourceAssetId": asset, **names}}


def shared(world: Any, **changes: str) -> Any:
    return world.cloud.post("registry_model", ("shop",), "import", reference(world, **changes))


def uploaded(world: Any, version: str = "3") -> dict[str, Any]:
    """A body whose files are where a registry wants them."""
    container = world.cloud.post("registry_model", ("shop", "answers", version), "upload").body["container"]
    folder = world.cloud.blobs.path(container, "model")
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    uri = f"https://{world.settings.storage_account}.blob.core.windows.net/{container}/model"
    return {"properties": {"modelType": "mlflow_model", "modelUri": uri, "tags": {"a": "b"}}}


def test_a_copy_says_where_it_is_from_and_survives_its_source(world: Any) -> None:
    """Recorded (promote_model): tags are kept, `originAssetId` names the source, `name` is the model's."""
    world.cloud.planted.registry("Shop")
    world.job()
    world.cloud.put("model", ("tuned", "1"), {"properties": world.model_body()["properties"] | {"tags": {"k": "v"}}})
    shared(world)
    body = world.cloud.get("registry_model", PATH).body
    assert (body["id"], body["name"], body["type"]) == (ID.replace("/shop/", "/Shop/"), "answers", "models")
    assert body["properties"]["tags"] == {"k": "v"}
    assert body["properties"]["originAssetId"] == reference(world)["properties"]["sourceAssetId"]
    folder = world.cloud.blobs.path(world.settings.container, "azureml/done/trained_model")
    for file in folder.iterdir():
        file.unlink()
    world.endpoint()
    world.cloud.put("deployment", ("answers", "blue"), world.deployment_body(model=ID))
    assert world.state("deployment", "answers", "blue") == "Succeeded"


def test_what_is_published_appears_when_its_operation_is_over(make_world: Callable[..., Any]) -> None:
    world = make_world(Progression.TIMED)
    world.cloud.planted.registry("shop")
    container = world.cloud.post("registry_model", PATH, "upload").body["container"]
    target = world.cloud.blobs.path(container, "model/MLmodel")
    target.parent.mkdir(parents=True)
    target.write_text("flavors: {}\n")
    uri = f"https://{world.settings.storage_account}.blob.core.windows.net/{container}/model?sig=x"
    world.cloud.put("registry_model", PATH, {"properties": {"modelUri": uri}})
    with pytest.raises(AzureError, match="Could not find asset"):
        world.cloud.get("registry_model", PATH)
    world.clock.now += 60
    body = world.cloud.get("registry_model", PATH).body["properties"]
    assert (body["modelUri"], body["modelType"]) == (uri.partition("?")[0], "custom_model")


def test_a_version_keeps_its_files_and_changes_its_tags(world: Any) -> None:
    world.cloud.planted.registry("shop")
    body = uploaded(world)
    world.cloud.put("registry_model", ("shop", "answers", "3"), body)
    body["properties"] |= {"tags": {"a": "c"}, "isArchived": True}
    world.cloud.put("registry_model", ("shop", "answers", "3"), body)
    assert world.cloud.get("registry_model", ("shop", "answers", "3")).body["properties"]["tags"] == {"a": "c"}
    assert world.cloud.list("registry_model", ("shop", "answers")).body["value"] == []
    body["properties"]["modelUri"] += "-other"
    with pytest.raises(AzureError, match="already exists in registry"):
        world.cloud.put("registry_model", ("shop", "answers", "3"), body)


def test_the_container_numbers_the_next_version(world: Any) -> None:
    world.cloud.planted.registry("shop")
    world.cloud.put("registry_model", ("shop", "answers", "3"), uploaded(world))
    properties = world.cloud.get("registry_model", ("shop", "answers")).body["properties"]
    assert (properties["latestVersion"], properties["nextVersion"]) == ("3", "4")


def test_training_goes_on_from_a_published_model(world: Any) -> None:
    world.cloud.planted.registry("shop")
    world.model()
    shared(world)
    body = world.job_body()
    body["properties"]["jobs"]["ft"]["inputs"]["mlflow_model_path"]["uri"] = ID
    world.cloud.put("job", ("further",), body)
    assert world.state("job", "further") == "Completed"


def test_a_failed_copy_leaves_nothing(world: Any) -> None:
    world.cloud.planted.registry("shop")
    world.model()
    world.cloud.planted.failure("registry_model", PATH, "InternalServerError", "no")
    operation = shared(world).operation
    assert world.cloud.get("operation", (operation.id,)).body["error"]["code"] == "InternalServerError"
    with pytest.raises(AzureError, match="Could not find asset"):
        world.cloud.get("registry_model", PATH)
    assert shared(world).status == 202


def test_a_copy_of_what_is_not_there_or_elsewhere_is_refused(world: Any) -> None:
    world.cloud.planted.registry("shop")
    with pytest.raises(AzureError, match="Could not find asset with ID"):
        shared(world, source="nothing")
    world.model()
    body = reference(world)
    body["properties"]["sourceAssetId"] = body["properties"]["sourceAssetId"].replace(world.settings.workspace_id, "other")
    with pytest.raises(AzureError, match="Could not find asset with ID"):
        world.cloud.post("registry_model", ("shop",), "import", body)


def test_names_are_checked_as_in_a_workspace(world: Any) -> None:
    world.cloud.planted.registry("shop")
    world.model()
    with pytest.raises(AzureError, match="Resource name can only contain"):
        shared(world, to="Phi-3.5")
    with pytest.raises(AzureError, match="must be a positive integer"):
        shared(world, number="v2")


def test_a_registry_is_a_resource(world: Any) -> None:
    body = {"location": "eastus", "properties": {"regionDetails": [{"location": "eastus"}]}, "tags": {"team": "x"}}
    assert world.cloud.put("registry_resource", ("Shop",), body).status == 202
    found = world.cloud.get("registry_resource", ("shop",)).body
    assert (found["name"], found["tags"], found["properties"]["provisioningState"]) == ("Shop", {"team": "x"}, "Succeeded")
    world.model()
    shared(world)
    assert world.cloud.delete("registry_resource", ("Shop",)).status == 202
    assert world.cloud.delete("registry_resource", ("Shop",)).status == 204
    for kind, path in (("registry_resource", ("Shop",)), ("registry", ("shop",)), ("registry_model", PATH)):
        with pytest.raises(AzureError) as caught:
            world.cloud.get(kind, path)
        assert caught.value.status == 404
