"""Components that the emulator does not train, also such that nobody has ever seen: accepted, run, and failed in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from fineforge.emulator.rules import AzureError
from fineforge.emulator.storage.blobs import ARTIFACTS, log_name

OWN = "azureml://registries/shop/components/tailor/versions/3.1"
INPUTS = {
    "rows_path": {"type": "uri_file"},
    "width": {"type": "integer", "default": 3, "min": 1},
    "colour": {"type": "string", "optional": True, "enum": ["red", "blue"]},
}


def job(world: Any, component: str, **inputs: str) -> Any:
    """A job of a component, its first file input filled."""
    world.data()
    body = world.job_body()
    node = body["properties"]["jobs"]["ft"]
    node["componentId"] = component
    node["inputs"] = {name: {"job_input_type": "literal", "value": value} for name, value in inputs.items() if value}
    where = "rows_path" if component == OWN else "train_file_path"
    node["inputs"][where] = {"job_input_type": "uri_file", "uri": "azureml:train:1"}
    if component != OWN:
        base = "azureml://registries/azureml/models/Phi-4/versions/8"
        node["inputs"]["mlflow_model_path"] = {"job_input_type": "mlflow_model", "uri": base}
    node["outputs"] = {}
    body["properties"]["outputs"] = {}
    return world.cloud.put("job", ("other",), body)


def planted(world: Any) -> None:
    world.cloud.planted.component("shop", "tailor", "3.1", INPUTS, {"made": {"type": "uri_folder"}})


@pytest.mark.parametrize(
    ("task", "required"),
    [
        ("text_generation", {"text_key": "text"}),
        ("text_classification", {"sentence1_key": "text", "label_key": "label"}),
        ("summarization", {"document_key": "text", "summary_key": "short"}),
    ],
)
def test_other_tasks_are_accepted_and_fail_in_plain_words(world: Any, task: str, required: dict[str, str]) -> None:
    name = f"{task}_pipeline"
    body = world.cloud.get("registry_component", ("azureml", name, "0.0.80")).body
    given = body["properties"]["componentSpec"]["inputs"]
    assert {key for key, entry in given.items() if key in required and entry["optional"] == "False"} == required.keys()
    assert job(world, body["id"], **required).status == 201
    assert world.state("job", "other") == "Failed"
    error = world.cloud.get("run", ("other",)).body["error"]["error"]
    assert error["code"] == "UserError"
    assert error["message"] == f"the local emulator trains chat_completion_pipeline only, not {name}; on Azure this job would run"
    assert error["message"] in world.cloud.blobs.path(ARTIFACTS, log_name("other")).read_text()


def test_a_component_without_its_own_required_input_is_refused(world: Any) -> None:
    with pytest.raises(AzureError, match=r"Required input 'label_key' of component text_classification_pipeline:0\.0\.80"):
        job(world, "azureml://registries/azureml/components/text_classification_pipeline/versions/0.0.80", sentence1_key="text")


def test_a_planted_component_reads_as_the_registry_writes(world: Any) -> None:
    """Recorded: every scalar of a componentSpec is text; `name` is the version."""
    planted(world)
    body = world.cloud.get("registry_component", ("shop", "tailor", "3.1")).body
    assert (body["id"], body["name"]) == (OWN, "3.1")
    assert body["properties"]["componentSpec"]["inputs"]["width"] == {"type": "integer", "default": "3", "min": "1"}
    assert world.cloud.get("registry", ("shop",)).body["registryName"] == "shop"
    assert world.cloud.list("registry_component", ("shop", "tailor")).body["value"] == [body]


def test_a_planted_component_takes_its_own_inputs_and_no_others(world: Any) -> None:
    planted(world)
    with pytest.raises(AzureError, match=r"Unknown input 'height' of component tailor:3\.1"):
        job(world, OWN, height="2")
    assert job(world, OWN, width="5", colour="red").status == 201
    assert (
        world.cloud.get("run", ("other",)).body["error"]["error"]["message"].endswith("not tailor; on Azure this job would run")
    )


def test_a_planted_component_checks_its_own_values(world: Any) -> None:
    planted(world)
    job(world, OWN, width="0")
    error = world.cloud.get("run", ("other",)).body["error"]["error"]
    assert "Input 'width' of component tailor:3.1 has the value '0': it is less than the minimum 1" in error["message"]


def test_the_catalog_is_not_planted_over(world: Any) -> None:
    with pytest.raises(ValueError, match="is in the catalog"):
        world.cloud.planted.component("azureml", "chat_completion_pipeline", "0.0.82", {}, {})
    world.cloud.planted.component("azureml", "chat_completion_pipeline", "9.0.0", INPUTS, {})
    newest = world.cloud.list("registry_component", ("azureml", "chat_completion_pipeline")).body["value"][0]
    assert newest["name"] == "9.0.0"
