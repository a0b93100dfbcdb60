"""Every refusal of the table of words, made to happen. Sources of the words and rules: `fineforge.emulator.rules.errors`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from fineforge.emulator.rules import AzureError
from fineforge.emulator.rules.errors import WORDS

Act = Callable[[Any], object]


def put(kind: str, *path: str, **changes: Any) -> Act:
    """A PUT of the right body with something changed."""
    return lambda world: world.cloud.put(kind, path, getattr(world, f"{kind}_body")(**changes))


def after(*steps: str | Act) -> Act:
    """Steps that work (methods of the world, or acts), then the one that is refused."""

    def act(world: Any) -> None:
        for step in steps:
            getattr(world, step)() if isinstance(step, str) else step(world)

    return act


def verb(name: str, *arguments: Any) -> Act:
    return lambda world: getattr(world.cloud, name)(*arguments)


def changed(kind: str, path: tuple[str, ...], *keys: str, value: Any) -> Act:
    """Read, change one field, PUT."""

    def act(world: Any) -> None:
        body = world.cloud.get(kind, path).body
        place = body
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        world.cloud.put(kind, path, body)

    return act


def traffic(**percents: Any) -> Act:
    return lambda world: world.traffic(percents)


def quota(name: str, limit: int | None) -> Act:
    return lambda world: world.cloud.planted.quota(name, limit)


IDENTIFIED = {"properties": {"computeType": "AmlCompute", "properties": {"vmSize": "Standard_DS3_v2"}}}


def registry(world: Any) -> None:
    world.cloud.planted.registry("shop")


def published(world: Any) -> None:
    world.model()
    where = f"azureml://locations/eastus/workspaces/{world.settings.workspace_id}/models/tuned/versions/1"
    properties = {"sourceAssetId": where, "destinationName": "m", "destinationVersion": "1"}
    world.cloud.post("registry_model", ("shop",), "import", {"properties": properties})


def many_deployments(world: Any) -> None:
    for number in range(20):
        world.cloud.put("deployment", ("answers", f"d-{number:02d}"), world.deployment_body())


def failed_first(world: Any) -> None:
    world.cloud.planted.failure("deployment", ("answers", "blue"), "ImageBuildFailure", "no image")
    put("deployment", "answers", "blue")(world)


def failed_endpoint(world: Any) -> None:
    world.cloud.planted.failure("endpoint", ("answers",), "InternalServerError", "no")
    world.endpoint()


def job_input(**inputs: str) -> Act:
    return put("job", "new", inputs=inputs)


def node(**changes: Any) -> Act:
    def act(world: Any) -> None:
        body = world.job_body()
        body["properties"]["jobs"]["ft"] |= changes
        world.cloud.put("job", ("new",), body)

    return act


def summarization(world: Any) -> None:
    node(componentId="azureml://registries/azureml/components/summarization_pipeline/versions/0.0.80")(world)


def two_steps(world: Any) -> None:
    body = world.job_body()
    body["properties"]["jobs"]["second"] = body["properties"]["jobs"]["ft"]
    world.cloud.put("job", ("new",), body)


TAG = "tags"
CASES: list[tuple[str, Act]] = [
    ("asset_missing", verb("get", "data", ("nothing", "1"))),
    ("asset_missing", verb("get", "data", ("nothing",))),
    ("asset_missing", verb("get", "model", ("nothing", "1"))),
    ("asset_missing", verb("get", "job", ("nothing",))),
    ("asset_missing", verb("get", "registry_model", ("azureml", "Phi-4", "99"))),
    ("asset_missing", verb("get", "registry_component", ("azureml", "nothing", "1"))),
    ("asset_unknown", node(componentId="azureml://registries/azureml/components/chat_completion_pipeline/versions/9.9.9")),
    ("asset_unknown", node(componentId="azureml:mine:1")),
    ("compute_missing", verb("get", "compute", ("nothing",))),
    ("resource_missing", verb("get", "endpoint", ("nothing",))),
    ("resource_missing", verb("list", "deployment", ("nothing",))),
    ("resource_missing", put("deployment", "nothing", "blue")),
    ("resource_missing", verb("get", "datastore", ("nothing",))),
    ("operation_missing", verb("get", "operation", ("nothing",))),
    ("asset_name", put("data", "phi-3.5", "1")),
    ("asset_name", put("model", "phi-3.5", "1")),
    ("compute_name", put("compute", "9gpu")),
    ("compute_name", put("compute", "a" * 25)),
    ("endpoint_name", put("endpoint", "ab")),
    ("endpoint_name", put("endpoint", "a" * 33)),
    ("endpoint_name", put("endpoint", "1abc")),
    ("endpoint_name", put("endpoint", "a--b")),
    ("endpoint_name", put("endpoint", "abc-")),
    ("endpoint_name", put("endpoint", "a_b_c")),
    ("endpoint_name", after("model", "endpoint", put("deployment", "answers", "b--e"))),
    ("endpoint_name_taken", after(lambda world: world.cloud.planted.name_taken("Answers"), "endpoint")),
    ("not_allowed", after("data", verb("delete", "data", ("train", "1")))),
    ("not_allowed", after("model", verb("delete", "model", ("tuned", "1")))),
    ("tags", put("data", "train", "1", tags={"a/b": "c"})),
    ("tags", put("data", "train", "1", tags={"a": "c" * 257})),
    ("tags", put("data", "train", "1", tags={str(number): "" for number in range(51)})),
    ("tags", put("data", "train", "1", tags={"Team": "x", "team": "y"})),
    ("vm_size", put("compute", "gpu", vmSize="Standard_Unknown")),
    ("vm_size", put("compute", "gpu", vmSize="Standard_NC24rs_v3")),  # retired 2025-09-30, the component's own default
    (
        "vm_size_fixed",
        after("compute", changed("compute", ("gpu",), "properties", "properties", "vmSize", value="Standard_DS3_v2")),
    ),
    (
        "vm_size_fixed",
        after("compute", changed("compute", ("gpu",), "properties", "properties", "vmPriority", value="LowPriority")),
    ),
    ("scale", put("compute", "gpu", scaleSettings={"minNodeCount": 3, "maxNodeCount": 2})),
    ("scale", put("compute", "gpu", scaleSettings={"maxNodeCount": 2, "nodeIdleTimeBeforeScaleDown": "120"})),
    ("data_immutable", after("data", put("data", "train", "1", uri="azureml://datastores/workspaceblobstore/paths/other"))),
    ("data_immutable", after("data", put("data", "train", "1", dataType="uri_folder"))),
    ("asset_path", after("model", put("model", "tuned", "1", uri="azureml://datastores/workspaceblobstore/paths/other"))),
    ("model_version", put("model", "tuned", "0")),
    ("model_version", put("model", "tuned", "1.0")),
    ("model_version", put("model", "tuned", "0a1b")),
    ("no_artifacts", put("model", "tuned", "1")),
    ("no_artifacts", after("job", put("model", "tuned", "1", uri="azureml://jobs/done/outputs/other"))),
    ("field_missing", verb("put", "data", ("train", "1"), {})),
    ("field_missing", put("data", "train", "1", uri="")),
    ("field_value", put("data", "train", "1", dataType="csv")),
    ("field_value", put("endpoint", "answers", authMode="Password")),
    ("field_value", put("compute", "gpu", vmPriority="Spot")),
    ("job_exists", after("job", put("job", "done", inputs={"num_train_epochs": "2"}))),
    ("job_exists", after("job", put("job", "done", settings={"force_rerun": False}))),
    ("job_exists", after("job", verb("delete", "job", ("done",)), put("job", "done"))),
    ("job_input_unknown", job_input(learning_rate_min="1e-6")),  # metadata that is no input
    ("job_input_missing", summarization),
    ("job_empty", put("job", "new", jobs={})),
    ("job_steps", two_steps),
    ("job_type", put("job", "new", jobType="Command")),
    ("compute_unknown", put("job", "new", computeId="azureml:nothing")),
    ("compute_unknown", put("job", "new", settings={"default_compute": "/subscriptions/s/computes/nothing"})),
    ("traffic_at_create", put("endpoint", "answers", traffic={"blue": 100})),
    ("traffic_total", after("deployed", traffic(blue=99))),
    ("traffic_unknown", after("deployed", traffic(green=100))),
    ("traffic_unknown", after("deployed", traffic(blue=100, green=0))),
    ("traffic_unknown", after("model", "endpoint", failed_first, traffic(blue=100))),
    ("traffic_value", after("deployed", traffic(blue=-1))),
    ("traffic_value", after("deployed", traffic(blue="100"))),
    ("mirror", after("deployed", changed("endpoint", ("answers",), "properties", "mirrorTraffic", value={"blue": 51}))),
    ("patch_properties", after("endpoint", verb("patch", "endpoint", ("answers",), {"properties": {"traffic": {}}}))),
    ("endpoint_properties", after("endpoint", changed("endpoint", ("answers",), "properties", "properties", "team", value="x"))),
    ("endpoint_quota", after(quota("endpoints", 0), "endpoint")),
    ("endpoint_failed", after(failed_endpoint, "endpoint")),
    ("endpoint_failed", after(failed_endpoint, "model", put("deployment", "answers", "blue"))),
    (
        "keys_of_token_endpoint",
        after(put("endpoint", "answers", authMode="AMLToken"), verb("post", "endpoint", ("answers",), "listKeys")),
    ),
    ("token_of_key_endpoint", after("endpoint", verb("post", "endpoint", ("answers",), "token"))),
    ("unrecoverable", after("model", "endpoint", failed_first, put("deployment", "answers", "blue"))),
    ("live_traffic", after("deployed", traffic(blue=100), verb("delete", "deployment", ("answers", "blue")))),
    ("deployment_count", after("model", "endpoint", many_deployments, put("deployment", "answers", "one-more"))),
    ("deployment_quota", after(quota("deployments", 0), "deployed")),
    ("instance_count", after("model", "endpoint", put("deployment", "answers", "blue", instances=0))),
    ("instance_count", after("model", "endpoint", put("deployment", "answers", "blue", instances=51))),
    ("model_of_deployment", after("model", "endpoint", put("deployment", "answers", "blue", model="azureml:tuned:2"))),
    ("model_of_deployment", after("endpoint", put("deployment", "answers", "blue", model=None))),
    ("instance_type", after("model", "endpoint", put("deployment", "answers", "blue", instanceType="Standard_NC24rs_v3"))),
    ("instance_type", after("model", "endpoint", put("deployment", "answers", "blue", instanceType="Standard_ND96isr_H200_v5"))),
    (
        "request_timeout",
        after("model", "endpoint", put("deployment", "answers", "blue", requestSettings={"requestTimeout": "PT3M1S"})),
    ),
    ("family_quota", after(quota("standardDSv2Family", 4), "deployed")),
    ("total_quota", after(quota("total", 4), "deployed")),
    ("no_quota_entry", after(quota("standardDSv2Family", None), "deployed")),
    ("registry_forbidden", verb("put", "registry_model", ("azureml", "mine", "1"), {"properties": {}})),
    ("registry_upload", after(registry, verb("put", "registry_model", ("shop", "m", "1"), {"properties": {"modelUri": "x"}}))),
    ("registry_version_exists", after(registry, published, verb("post", "registry_model", ("shop", "m", "1"), "upload"))),
    ("identity", after(verb("put", "compute", ("gpu",), {**IDENTIFIED, "identity": {"type": "UserAssigned"}}))),
    ("endpoint_identity", after("endpoint", changed("endpoint", ("answers",), "identity", "type", value="None"))),
    ("registry_name", verb("put", "registry_resource", ("a.b",), {"properties": {}})),
    ("registry_name_taken", verb("put", "registry_resource", ("AzureML",), {"properties": {}})),
    ("score_key", after("deployed", verb("route", "answers", "wrong", "blue", 0.0))),
]

SHOWN_ELSEWHERE = {
    "busy": "test_operations",
    "endpoint_busy": "test_operations",
    "logs_busy": "test_operations",
    "logs_container": "test_operations",
    "job_child": "tests/emulator/test_routes",
    "job_running": "test_operations",
    "cluster_quota": "test_quota",
    "job_input_value": "test_jobs",
    "job_compute": "test_jobs",
    "job_model": "test_jobs",
    "job_data": "test_jobs",
    "job_size": "test_jobs",
    "job_preempted": "test_eviction",
    "score_no_traffic": "test_scoring",
}


@pytest.mark.parametrize(("row", "act"), CASES, ids=[f"{number}-{row}" for number, (row, _) in enumerate(CASES)])
def test_refused_in_the_words_of_the_service(world: Any, row: str, act: Act) -> None:
    with pytest.raises(AzureError) as caught:
        act(world)
    words, error = WORDS[row], caught.value
    assert (error.status, error.code) == (words.status, words.code)
    assert re.search(pattern(words.text), said(error)), said(error)


def test_every_row_is_shown() -> None:
    shown = {row for row, _ in CASES}
    assert shown | SHOWN_ELSEWHERE.keys() == WORDS.keys()
    assert not shown & SHOWN_ELSEWHERE.keys()
    assert len(CASES) >= 80


def test_a_missing_asset_is_a_user_error_with_not_found_inside(world: Any) -> None:
    """Recorded: only the status and additionalInfo tell that nothing is there."""
    with pytest.raises(AzureError) as caught:
        world.cloud.get("registry_model", ("azureml", "Phi-4", "99"))
    error = caught.value.body()["error"]
    info = {entry["type"]: entry["info"]["value"] for entry in error["additionalInfo"]}
    assert error["code"] == "UserError"
    assert error["message"] == "Could not find asset with ID: azureml://registries/azureml/models/Phi-4/versions/99"
    assert info["InnerError"]["code"] == "NotFoundError"
    assert (info["ComponentName"], info["Environment"]) == ("managementfrontend", "eastus")


def test_quota_of_a_deployment_is_a_bad_request_with_json_inside(world: Any) -> None:
    """Reported, mslearn-azure-ml#30: the reason is JSON text within a message, the code does not say quota."""
    world.cloud.planted.quota("standardFSv2Family", 6)
    world.model()
    world.endpoint()
    with pytest.raises(AzureError) as caught:
        world.cloud.put("deployment", ("answers", "blue"), world.deployment_body(instanceType="Standard_F4s_v2"))
    error = caught.value.body()["error"]
    detail = error["details"][0]
    assert (error["code"], detail["code"]) == ("BadRequest", "InferencingClientCreateDeploymentFailed")
    reason = json.loads(detail["message"].partition("error detail: ")[2])
    assert "Current usage/limit: 0/6. Additional needed: 8" in reason["errors"]["VmSize"][0]
    assert reason["status"] == 400


def test_nothing_is_changed_by_a_refusal(world: Any) -> None:
    """A refused PUT leaves no trace: no record, no name taken, no operation."""
    with pytest.raises(AzureError):
        world.cloud.put("endpoint", ("answers",), world.endpoint_body(traffic={"blue": 100}))
    assert world.cloud.list("endpoint").body["value"] == []
    assert world.endpoint().status == 201


def pattern(template: str) -> str:
    return ".*".join(re.escape(part) for part in re.split(r"\{\w+\}", template))


def said(error: AzureError) -> str:
    """All texts of an error, JSON within JSON undone."""
    parts = [error.message]
    for detail in error.details:
        text = detail["message"].partition("error detail: ")[2] or detail["message"]
        parts += [reason for reasons in json.loads(text)["errors"].values() for reason in reasons]
    return "\n".join(parts)
