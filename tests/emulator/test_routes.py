"""The front over HTTPS: every route answers, what is not supported is named, errors have the envelopes of the recordings."""

from __future__ import annotations

import base64
import json
from itertools import chain
from typing import Any

import pytest

from fineforge.emulator.http.app import ROUTES, _find
from tests.emulator import wire
from tests.emulator.wire import BODIES
from tests.support.running_emulator import RunningEmulator

LOGIN, LOCATION = "https://login.microsoftonline.com", "providers/Microsoft.MachineLearningServices/locations/eastus"
ANSWERS = "onlineEndpoints/answers"


def arm_error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def inner(answer: Any) -> str:
    """What kind of UserError it is: only this tells."""
    info = {entry["type"]: entry["info"]["value"] for entry in answer.json()["error"]["additionalInfo"]}
    assert info["ComponentName"] == "managementfrontend" and info["Location"] == "eastus" and info["Time"]
    return str(info["InnerError"]["code"])


def test_every_route_answers(emulator: RunningEmulator) -> None:
    """In an order in which a project would need them; the table has no route that is not asked for here."""
    emulator.tokens.clear()
    keys = wire.deployed(emulator, blue=100)
    subscription = f"/subscriptions/{emulator.facts['subscription_id']}/{LOCATION}"
    tenant, key = emulator.facts["tenant_id"], {"Authorization": f"Bearer {keys['primaryKey']}"}
    created = emulator.send("PUT", "computes/gpu", BODIES.compute_body())
    operation = created.headers["Azure-AsyncOperation"]
    metric = f"https://eastus.api.azureml.ms/mlflow/v1.0{emulator.workspace}/api/2.0/mlflow"
    container = wire.blob(emulator, "")[:-1]
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"{LOGIN}/{tenant}/v2.0/.well-known/openid-configuration", None),
        ("GET", f"{LOGIN}/common/discovery/instance?api-version=1.1&authorization_endpoint=x", None),
        ("GET", emulator.workspace, None), ("GET", "computes", None), ("GET", "computes/gpu", None),
        ("GET", f"{subscription}/vmSizes", None), ("GET", f"{subscription}/usages", None),
        ("GET", operation, None), ("GET", operation.replace("OperationsStatus", "OperationResults"), None),
        ("GET", "datastores?isDefault=true&count=30", None), ("GET", "datastores/workspaceblobstore", None),
        ("POST", "datastores/workspaceblobstore/listSecrets", {"expirableSecret": True, "expireAfterHours": 1}),
        ("GET", "data", None), ("GET", "data/train", None), ("GET", "data/train/versions", None),
        ("GET", "data/train/versions/1", None), ("GET", "models", None), ("GET", "models/tuned", None),
        ("GET", "models/tuned/versions?$orderBy=createdtime desc&$top=1", None), ("GET", "models/tuned/versions/1", None),
        ("GET", "jobs?listViewType=All&jobType=Pipeline&tag=team", None), ("GET", "jobs/done", None),
        ("POST", "jobs/done/cancel", None),
        ("GET", "onlineEndpoints", None), ("GET", ANSWERS, None), ("POST", f"{ANSWERS}/regenerateKeys", {"keyType": "Secondary"}),
        ("GET", f"{ANSWERS}/deployments", None), ("GET", f"{ANSWERS}/deployments/blue", None),
        ("POST", f"{ANSWERS}/deployments/blue/getLogs", {"containerType": "InferenceServer", "tail": 9}),
        ("GET", "https://eastus.api.azureml.ms/registrymanagement/v1.0/registries/azureml/discovery", None),
        ("GET", wire.registry("models/Phi-4/versions?$orderBy=createdtime desc&$top=1"), None),
        ("GET", wire.registry("models/Phi-4/versions/8"), None), ("GET", wire.registry("models/Phi-4/labels/latest"), None),
        ("GET", wire.registry("components/chat_completion_pipeline/versions/0.0.82"), None),
        ("GET", "https://eastus.api.azureml.ms/discovery", None), ("GET", wire.history(emulator, "runs/done/details"), None),
        ("GET", wire.history(emulator, "runs/done/children"), None), ("GET", wire.history(emulator, "runs/done"), None),
        ("POST", wire.history(emulator, "rundata"), {"runId": "done"}),
        ("PATCH", wire.history(emulator, "experiments/tests/runs/done"), {"tags": {"seen": "1"}}),
        ("GET", f"{metric}/runs/get?run_id=done", None),
        ("POST", f"{metric}/runs/search", {"filter": "tags.mlflow.rootRunId='done'"}),
        ("GET", f"{metric}/experiments/get-by-name?experiment_name=tests", None),
        ("GET", f"{metric}/metrics/get-history?run_id=done&metric_key=loss", None),
        ("GET", f"{container}?restype=container&comp=list&prefix=up", None), ("GET", wire.blob(emulator, "up/train.jsonl"), None),
    ]  # fmt: skip
    asked += published(emulator)
    for method, url, body in asked:
        answer = emulator.send(method, url, body)
        assert answer.status_code == 200, f"{method} {url}: {answer.status_code} {answer.text}"
    host = "https://answers.eastus.inference.ml.azure.com"
    assert emulator.send("GET", f"{host}/swagger.json", headers=key, token=None).json()["paths"]["/score"]
    assert wire.score(emulator, keys["primaryKey"]).json() == {"output": wire.ANSWER}
    assert arm_error(emulator.send("POST", f"{ANSWERS}/token"))[0] == 400, "keys and tokens exclude each other"
    reached = {
        id(_find(entry["method"], entry["host"], entry["path"])[0]) for entry in emulator.requests() if entry["status"] < 500
    }
    assert [route.path for route in ROUTES if id(route) not in reached] == []
    assert len(ROUTES) > 40


def published(emulator: RunningEmulator) -> list[tuple[str, str, Any]]:
    """A model copied into a registry that is new; what is there to read of it."""
    group = emulator.workspace.rpartition("/workspaces/")[0]
    made = emulator.send("PUT", f"{group}/registries/shop", {"location": "eastus", "properties": {}})
    assert made.status_code == 202
    source = f"azureml://locations/eastus/workspaces/{BODIES.settings.workspace_id}/models/tuned/versions/1"
    copied = emulator.send("POST", wire.registry("import", "shop"), {"properties": {"sourceAssetId": source}})
    assert (copied.status_code, copied.text) == (202, "null"), "recorded: the body is the text null"
    assert emulator.send("GET", copied.headers["Location"]).status_code == 204, "recorded: a copy ends with 204"
    return [
        ("GET", f"{group}/registries", None), ("GET", f"{group}/registries/shop", None),
        ("GET", made.headers["Azure-AsyncOperation"], None), ("GET", wire.registry("models", "shop"), None),
        ("GET", wire.registry("models/tuned", "shop"), None), ("GET", wire.registry("components", "azureml"), None),
        ("PUT", wire.registry("tempdatarefs/tuned/versions/2", "shop"), {}),
        ("POST", wire.registry("datarefs/tuned/versions/1", "shop"), {"blobUri": "https://x.blob.core.windows.net/c/m"}),
    ]  # fmt: skip


def test_tests_plant_components_and_evictions(emulator: RunningEmulator) -> None:
    """Through the control route, so that a client meets a component that it cannot know, and nodes that go away."""
    emulator.plant("component", "shop", "tailor", "3.1", {"width": {"type": "integer", "optional": True}}, {})
    where = "https://eastus.api.azureml.ms/registrymanagement/v1.0/registries/shop/discovery"
    assert emulator.send("GET", where).json()["registryName"] == "shop"
    found = emulator.send("GET", wire.registry("components/tailor/labels/latest", "shop")).json()
    assert found["properties"]["componentSpec"]["inputs"] == {"width": {"type": "integer", "optional": "True"}}
    wire.upload(emulator)
    wire.put(emulator, "data/train/versions/1", BODIES.data_body())
    emulator.send("PUT", "computes/gpu", BODIES.compute_body(vmPriority="LowPriority"))
    emulator.plant("eviction", "gpu")
    wire.put(emulator, "jobs/evicted", BODIES.job_body(inputs={"compute_finetune": "gpu"}))
    details = emulator.send("GET", wire.history(emulator, "runs/evicted/details")).json()
    assert (details["status"], details["error"]["error"]["code"]) == ("Failed", "PreemptionError")


@pytest.mark.parametrize(
    ("method", "url", "named"),
    [
        ("GET", "schedules", "the path GET https://management.azure.com/subscriptions/"),
        ("POST", "computes/gpu/start", "the path POST https://management.azure.com/"),
        ("PATCH", "jobs/done", "the method PATCH https://management.azure.com/"),
        ("GET", "jobs?scheduled=true", "the query parameter scheduled"),
        ("GET", "models/m/versions?$orderBy=name", "$orderBy=name"),
        ("GET", "https://ml.azure.com/studio", "the path GET https://ml.azure.com/studio"),
        ("GET", f"{LOGIN}/x/oauth2/v2.0/devicecode", "the path GET https://login.microsoftonline.com/x/oauth2/v2.0/devicecode"),
        ("GET", "https://eastus.api.azureml.ms/artifact/v2.0/x", "the path GET https://eastus.api.azureml.ms/artifact/v2.0/x"),
    ],
)
def test_what_is_not_supported_is_named(emulator: RunningEmulator, method: str, url: str, named: str) -> None:
    answer = emulator.send(method, url, {} if method in ("POST", "PATCH") else None)
    assert arm_error(answer) == (501, "NotImplemented")
    assert named in answer.json()["error"]["message"]


def token(audience: str, expiry: int = 4_102_444_800) -> str:
    """Good until the year 2100: names of tests must not change from process to process."""
    claims = json.dumps({"aud": audience, "exp": expiry}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.x"


@pytest.mark.parametrize(
    ("url", "bearer", "code"),
    [
        ("computes", None, "AuthenticationFailed"),
        ("computes", "nonsense", "InvalidAuthenticationToken"),
        ("computes", token("https://ml.azure.com"), "InvalidAuthenticationTokenAudience"),
        ("computes", token("https://storage.azure.com"), "InvalidAuthenticationTokenAudience"),
        ("computes", token("https://management.azure.com", 1_700_000_000), "ExpiredAuthenticationToken"),
        (wire.registry("models/Phi-4/versions/8"), token("https://vault.azure.net"), "InvalidAuthenticationTokenAudience"),
        ("https://eastus.api.azureml.ms/registrymanagement/v1.0/registries/azureml/discovery", None, "AuthenticationFailed"),
    ],
)
def test_the_wrong_token(emulator: RunningEmulator, url: str, bearer: str | None, code: str) -> None:
    assert arm_error(emulator.send("GET", url, token=bearer)) == (401, code)


@pytest.mark.parametrize("audience", ["https://management.azure.com/", "https://management.core.windows.net/"])
def test_the_right_token(emulator: RunningEmulator, audience: str) -> None:
    assert emulator.send("GET", "computes", token=token(audience)).status_code == 200


def test_signing_in(emulator: RunningEmulator) -> None:
    url = f"{LOGIN}/{emulator.facts['tenant_id']}/oauth2/v2.0/token"
    form = {"grant_type": "client_credentials", "client_id": "x", "scope": "https://ml.azure.com/.default"}
    assert emulator.send("POST", url, token=None, data=form).json()["error"] == "invalid_client"
    assert (
        emulator.send("POST", url, token=None, data=form | {"grant_type": "password"}).json()["error"] == "unsupported_grant_type"
    )
    given = emulator.send("POST", url, token=None, data=form | {"client_assertion": "from GitHub"}).json()
    claims = json.loads(base64.urlsafe_b64decode(given["access_token"].split(".")[1] + "=="))
    assert claims["aud"] == "https://ml.azure.com" and given["expires_in"] == 3600


@pytest.mark.parametrize(
    ("old", "new", "status", "code"),
    [
        ("/workspaces/local", "/workspaces/other", 404, "ResourceNotFound"),
        ("/resourceGroups/fineforge-local", "/resourceGroups/other", 404, "ResourceGroupNotFound"),
        ("/subscriptions/0", "/subscriptions/1", 404, "SubscriptionNotFound"),
        ("/resourceGroups/fineforge-local", "/resourcegroups/FINEFORGE-LOCAL", 200, ""),
    ],
)
def test_another_workspace(emulator: RunningEmulator, old: str, new: str, status: int, code: str) -> None:
    answer = emulator.send("GET", emulator.workspace.replace(old, new))
    assert answer.status_code == status
    assert (answer.json().get("error") or {"code": ""})["code"] == code


def test_malformed_requests(emulator: RunningEmulator) -> None:
    url = f"https://management.azure.com{emulator.workspace}/computes/gpu"
    without = emulator.session.get(
        url, proxies={"https": f"http://127.0.0.1:{emulator.port}"}, verify=str(emulator.ca),
        headers={"Authorization": f"Bearer {token('https://management.azure.com')}"}, timeout=30,
    )  # fmt: skip
    assert arm_error(without) == (400, "MissingApiVersionParameter")
    for content in (b"{", b"[]", b"\xff", b"[" * 100_000):
        assert arm_error(emulator.send("PUT", "computes/gpu", data=content)) == (400, "InvalidRequestContent")
    assert arm_error(emulator.send("GET", "jobs?$skip=-1")) == (400, "BadRequest")
    for part in ("jobs", "inputs", "outputs"):
        body = {"properties": {"jobType": "Pipeline", part: {"ft": None}}}
        assert arm_error(emulator.send("PUT", "jobs/none", body)) == (400, "InvalidRequestContent"), part


def test_refusals_of_the_rules_reach_the_client(emulator: RunningEmulator) -> None:
    """The envelopes of the recordings; each rule has its own test without HTTP."""
    keys = wire.deployed(emulator, blue=100)
    other = BODIES.job_body({"num_train_epochs": "2"})
    job = emulator.send("PUT", "jobs/done", other)
    assert (arm_error(job), inner(job)) == ((400, "UserError"), "BadRequest")
    assert "A job with this name already exists" in job.json()["error"]["message"]
    model = emulator.send("PUT", "models/tuned/versions/first", BODIES.model_body())
    assert arm_error(model) == (400, "UserError") and "positive integer" in model.json()["error"]["message"]
    live = emulator.send("DELETE", f"{ANSWERS}/deployments/blue")
    assert arm_error(live) == (400, "BadRequest") and "live traffic" in live.json()["error"]["details"][0]["message"]
    for path, body in (("computes/1gpu", BODIES.compute_body()), ("onlineEndpoints/a--b", BODIES.endpoint_body())):
        assert emulator.send("PUT", path, body).status_code == 400
    missing = emulator.send("GET", "models/tuned/versions/9")
    assert (arm_error(missing), inner(missing)) == ((404, "UserError"), "NotFoundError")
    assert wire.score(emulator, "wrong").status_code == 401
    assert wire.score(emulator, keys["primaryKey"], endpoint="nobody").status_code == 404
    assert wire.score(emulator, keys["primaryKey"], **{"azureml-model-deployment": "green"}).status_code == 404
    assert wire.score(emulator, keys["secondaryKey"]).headers["azureml-model-deployment"] == "blue"


def test_scoring_errors(emulator: RunningEmulator) -> None:
    keys = wire.deployed(emulator, endpoint="MyAnswers", blue=0)
    assert wire.score(emulator, keys["primaryKey"], endpoint="MyAnswers").status_code == 404, "no traffic"
    named = {"azureml-model-deployment": "blue", "Authorization": f"Bearer {keys['primaryKey']}"}
    assert wire.score(emulator, keys["primaryKey"], endpoint="MyAnswers", **named).json() == {"output": wire.ANSWER}
    url = "https://myanswers.eastus.inference.ml.azure.com/score"
    failed = emulator.send("POST", url, headers=named, token=None, data=b"no json")
    assert (failed.status_code, failed.headers["ms-azureml-model-error-statuscode"]) == (424, "400")
    assert emulator.send("POST", url, headers=named, token=None, data=b" " * (9 << 20)).status_code == 413


def test_long_operations(emulator: RunningEmulator) -> None:
    endpoint = emulator.send("PUT", ANSWERS, BODIES.endpoint_body())
    operation = endpoint.headers["Azure-AsyncOperation"]
    assert "/mfeOperationsStatus/oe:" in operation and endpoint.headers["Location"].endswith(
        f"{ANSWERS}?api-version=2023-04-01-preview"
    )
    polled = emulator.send("GET", operation)
    assert polled.json()["status"] == "Succeeded" and int(polled.headers["retry-after-ms"]) <= 1000
    deleted = emulator.send("DELETE", ANSWERS)
    assert (deleted.status_code, deleted.text) == (202, "null")
    assert "/mfeOperationResults/oe:" in deleted.headers["Location"]
    assert emulator.send("DELETE", ANSWERS).status_code == 204
    emulator.plant("failure", "compute", ["gpu"], "ClusterCoreQuotaReached", "no cores")
    failing = emulator.send("PUT", "computes/gpu", BODIES.compute_body())
    status = emulator.send("GET", failing.headers["Azure-AsyncOperation"])
    assert (status.status_code, status.json()["status"]) == (200, "Failed"), "a failure comes in a 200"
    assert status.json()["error"] == {"code": "ClusterCoreQuotaReached", "message": "no cores"}
    assert arm_error(emulator.send("GET", operation.replace("oe:", "oe:0"))) == (404, "NotFound")


def test_lists_come_in_pages(emulator: RunningEmulator) -> None:
    wire.upload(emulator)
    for number in range(230):
        body = BODIES.data_body(tags={"half": str(number % 2), "all": ""}, isArchived=number == 0)
        wire.put(emulator, f"data/many/versions/{number}", body)
    pages, url = [], "data/many/versions"
    while url:
        answer = emulator.send("GET", url).json()
        pages.append([int(row["name"]) for row in answer["value"]])
        url = answer.get("nextLink")
    assert [len(rows) for rows in pages] == [100, 100, 29]
    assert list(chain.from_iterable(pages)) == list(range(229, 0, -1)), "newest first, each once, the archived one left out"

    def names(query: str) -> list[str]:
        return [row["name"] for row in emulator.send("GET", f"data/many/versions?{query}").json()["value"]]

    assert names("$orderBy=createdtime desc&$top=1") == ["229"] and names("$orderBy=createdtime asc&$top=2") == ["1", "2"]
    assert names("listViewType=ArchivedOnly") == ["0"] and names("$skip=228") == ["1"]
    assert len(names("tags=half=1,all&listViewType=All&$top=200")) == 115 and names("tags=other") == []
    assert emulator.send("GET", "data/many").json()["properties"]["latestVersion"] == "229"


def test_a_run_and_its_log(emulator: RunningEmulator) -> None:
    wire.trained(emulator)
    details = emulator.send("GET", wire.history(emulator, "runs/done/details")).json()
    (address,) = details["logFiles"].values()
    assert "instant trainer" in emulator.send("GET", address, token=None).text, "the address opens the log, without a token"
    assert emulator.send("PUT", address, token=None, data=b"x").status_code == 403, "it opens it for reading only"
    root = f"https://eastus.api.azureml.ms/mlflow/v1.0{emulator.workspace}/api/2.0/mlflow"
    run = emulator.send("GET", f"{root}/runs/get?run_id=done").json()["run"]
    assert run["info"]["status"] == "FINISHED" and {entry["key"] for entry in run["data"]["metrics"]} == {"loss", "eval_loss"}
    history = emulator.send("GET", f"{root}/metrics/get-history?run_id=done&metric_key=loss").json()["metrics"]
    assert [(entry["step"], entry["value"]) for entry in history] == [(1, 2.0), (2, 1.2), (3, 0.7), (4, 0.4)]
    mine = wire.history(emulator, "experiments/tests/runs/done")
    emulator.send("PATCH", mine, {"tags": {"seen": "1"}, "displayName": "mine", "properties": {"note": "x"}, "hidden": True})
    job = emulator.send("GET", "jobs/done").json()["properties"]
    assert (job["tags"], job["displayName"], job["isArchived"]) == ({"team": "x", "seen": "1"}, "mine", True)
    assert job["properties"]["note"] == "x" and job["properties"]["runType"] == "HTTP", "those of the service stay"
    unknown = emulator.send("PATCH", mine, {"status": "Failed"})
    assert unknown.status_code == 501 and "a change of a run's status" in unknown.text
    assert arm_error(emulator.send("PATCH", mine, {"tags": ["x"]})) == (400, "InvalidRequestContent")
    (step,) = emulator.send("GET", wire.history(emulator, "runs/done/children")).json()["value"]
    assert arm_error(emulator.send("GET", f"jobs/{step['runId']}")) == (501, "NotImplemented"), "Azure has one: no 404"
    assert emulator.send("GET", f"jobs/{step['runId'][::-1]}").status_code == 404
