"""Jobs from submission to their end: what changes afterwards, what stops them, what they leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fineforge.emulator.lifecycle import SECONDS, Progression
from fineforge.emulator.storage.blobs import ARTIFACTS, log_name


def test_a_job_runs_through_its_states(make_world: Callable[..., Any]) -> None:
    """States of azure-ai-ml 1.35.2; a pipeline starts as Preparing (recorded)."""
    world = make_world(Progression.TIMED)
    world.job()
    seen = [world.state("job", "done")]
    for stage in ("job.start", "job.finish"):
        world.clock.now += SECONDS[stage]
        seen.append(world.state("job", "done"))
    assert seen == ["Preparing", "Finalizing", "Completed"]


def test_a_completed_job_leaves_output_log_and_metrics(world: Any) -> None:
    world.job()
    body = world.cloud.get("job", ("done",)).body["properties"]
    assert body["outputs"]["trained_model"]["uri"] == "azureml://datastores/workspaceblobstore/paths/azureml/done/trained_model/"
    folder = world.cloud.blobs.path(world.settings.container, "azureml/done/trained_model")
    assert {entry.name for entry in folder.iterdir()} == {"MLmodel", "answers.json"}
    assert "loss" in world.cloud.blobs.path(ARTIFACTS, log_name("done")).read_text()
    losses = [entry["value"] for entry in world.cloud.list("metric", ("done",)).body["value"] if entry["name"] == "loss"]
    assert len(losses) >= 3
    assert losses == sorted(losses, reverse=True)


def test_run_history_names_the_log_that_the_sdk_prints(world: Any) -> None:
    """azure-ai-ml 1.35.2: of a pipeline's files exactly logs/azureml/executionlogs.txt; the map is never null."""
    world.job()
    details = world.cloud.get("run", ("done",)).body
    assert details["status"] == "Completed"
    assert list(details["logFiles"]) == ["logs/azureml/executionlogs.txt"]
    assert "error" not in details


def test_the_same_job_again_is_fine_and_starts_nothing(world: Any) -> None:
    """azure-docs#122250: description, tags, displayName, properties, isArchived can be updated; the run stays the one it was."""
    world.job()
    before = world.cloud.get("run", ("done",)).body
    body = world.job_body(tags={"team": "y"}, displayName="other", description="d", properties={"p": "q"}, isArchived=True)
    assert world.cloud.put("job", ("done",), body).status == 200
    found = world.cloud.get("job", ("done",)).body["properties"]
    assert (found["tags"], found["displayName"], found["isArchived"]) == ({"team": "y"}, "other", True)
    assert found["properties"]["p"] == "q"
    assert found["properties"]["azureml.DevPlatv2"] == "true"
    assert world.cloud.get("run", ("done",)).body["startTimeUtc"] == before["startTimeUtc"]
    assert world.cloud.list("job").body["value"] == []


def test_jobs_are_listed_newest_first(world: Any) -> None:
    world.job("first")
    world.job("second")
    assert [body["name"] for body in world.cloud.list("job").body["value"]] == ["second", "first"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (
            {"precision": "99"},
            "Input 'precision' of component chat_completion_pipeline:0.0.82 has the value '99': it is not one of",
        ),
        ({"num_nodes_finetune": "0"}, "it is less than the minimum 1"),
        ({"max_steps": "abc"}, "it is not of type integer"),
        ({"num_train_epochs": "1.5"}, "it is not of type integer"),
        ({"apply_lora": "True"}, "it is not one of true, false"),
        (
            {"instance_type_finetune": "Standard_Nothing"},
            "Instance type Standard_Nothing, given as instance_type_finetune, is not",
        ),
        ({"compute_finetune": "nothing"}, "Compute target nothing, given as compute_finetune, was not found"),
    ],
)
def test_wrong_values_fail_the_job_not_the_submission(world: Any, inputs: dict[str, str], words: str) -> None:
    """Assumed; that submission takes nearly anything was seen with azure-ai-ml 1.35.2, which checks names at most."""
    world.data()
    assert world.cloud.put("job", ("bad",), world.job_body(inputs)).status == 201
    assert world.state("job", "bad") == "Failed"
    error = world.cloud.get("run", ("bad",)).body["error"]["error"]
    assert error["code"] == "UserError"
    assert words in error["message"]


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("train_file_path", "azureml:train:2", "Found no resources for the input provided: 'azureml:train:2'"),
        ("train_file_path", "azureml://datastores/workspaceblobstore/paths/none", "Found no resources"),
        ("train_file_path", "azureml://datastores/workspaceblobstore/paths/../../state.sqlite", "Found no resources"),
        ("mlflow_model_path", "azureml://registries/azureml/models/Phi-4/versions/99", "Could not find asset with ID"),
        ("mlflow_model_path", "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/labels/latest", "Could not find asset"),
    ],
)
def test_missing_inputs_fail_the_job(world: Any, name: str, given: str, words: str) -> None:
    """Assumed words of the service's data access; recorded words of a missing asset."""
    world.data()
    body = world.job_body()
    body["properties"]["jobs"]["ft"]["inputs"][name]["uri"] = given
    world.cloud.put("job", ("bad",), body)
    assert world.state("job", "bad") == "Failed"
    assert words in world.cloud.get("run", ("bad",)).body["error"]["error"]["message"]


@pytest.mark.parametrize(
    "given",
    [
        "azureml:train:1",
        "azureml:train@latest",
        "azureml://datastores/workspaceblobstore/paths/up/train.jsonl",
        "azureml://datastores/identityblobstore/paths/up/train.jsonl",
        "https://fineforgelocal.blob.core.windows.net/azureml-blobstore-55555555-5555-4555-8555-555555555555/up/train.jsonl",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/data/train/versions/1",
    ],
)
def test_every_way_to_name_a_file_works(world: Any, given: str) -> None:
    world.data()
    body = world.job_body()
    body["properties"]["jobs"]["ft"]["inputs"]["train_file_path"]["uri"] = given
    world.cloud.put("job", ("good",), body)
    assert world.state("job", "good") == "Completed"


def test_an_archived_base_model_works_by_version(world: Any) -> None:
    """Archived is not gone: only labels and lists do not find it."""
    world.data()
    body = world.job_body()
    base = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15"
    body["properties"]["jobs"]["ft"]["inputs"]["mlflow_model_path"]["uri"] = base
    world.cloud.put("job", ("good",), body)
    assert world.state("job", "good") == "Completed"


def test_top_level_inputs_and_a_bare_component_id_work(world: Any) -> None:
    """Recorded: `componentId` and `jobs: {}` is the shortest pipeline job; a node may bind to the job's inputs."""
    world.data()
    bare = world.job_body()["properties"]
    node = bare["jobs"].pop("ft")
    renamed = {
        name: {("jobInputType" if key == "job_input_type" else key): value for key, value in entry.items()}
        for name, entry in node["inputs"].items()
    }
    bare |= {"componentId": node["componentId"], "inputs": renamed, "outputs": {}}
    world.cloud.put("job", ("bare",), {"properties": bare})
    bound = world.job_body()
    bound["properties"]["inputs"] = {"data": {"jobInputType": "uri_file", "uri": "azureml:train:1"}}
    bound["properties"]["jobs"]["ft"]["inputs"]["train_file_path"] = {
        "job_input_type": "literal",
        "value": "${{parent.inputs.data}}",
    }
    world.cloud.put("job", ("bound",), bound)
    assert (world.state("job", "bare"), world.state("job", "bound")) == ("Completed", "Completed")


def test_cancel_before_the_start_and_after_the_end(make_world: Callable[..., Any]) -> None:
    """A job that is over stays what it was (assumed)."""
    world = make_world(Progression.TIMED)
    world.job()
    assert world.cloud.post("job", ("done",), "cancel").status == 200
    assert world.state("job", "done") == "Canceled"
    assert world.cloud.post("job", ("done",), "cancel").status == 200
    world.clock.now += 100
    assert world.state("job", "done") == "Canceled"


def test_cancel_of_a_running_job_waits_for_the_runner(make_world: Callable[..., Any]) -> None:
    """CancelRequested until the runner says so; a metric or log that comes late does no harm."""
    world = make_world(Progression.TIMED)
    asked: list[str] = []
    world.runner.submit = lambda job: world.cloud.job_started(job.name)
    world.runner.cancel = asked.append
    world.job()
    world.clock.now += SECONDS["job.start"]
    assert world.state("job", "done") == "Running"
    world.cloud.post("job", ("done",), "cancel")
    assert (world.state("job", "done"), asked) == ("CancelRequested", ["done"])
    world.cloud.job_started("done")
    world.cloud.job_finished("done", "Canceled")
    world.cloud.job_finished("done", "Completed")
    assert world.state("job", "done") == "Canceled"


def test_a_failed_job_tells_why_in_run_history_only(make_world: Callable[..., Any]) -> None:
    """A failed job has no error in the ARM body (azure-ai-ml 1.35.2 reads run history)."""
    world = make_world()
    world.runner.submit = lambda job: world.cloud.job_finished(
        job.name, "Failed", {"code": "UserError", "message": "loss is nan"}
    )
    world.job()
    assert world.state("job", "done") == "Failed"
    assert "loss is nan" not in str(world.cloud.get("job", ("done",)).body)
    assert world.cloud.get("run", ("done",)).body["error"] == {"error": {"code": "UserError", "message": "loss is nan"}}
