"""Logs and metrics over HTTPS: of the job and of its steps, page by page, as the tracking server of a workspace gives them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fineforge.azure import AzureGateway, connection, runs
from fineforge.azure.http import Http
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.runs import Last, LogText, Run, deciding
from fineforge.host import emulator as local
from tests.emulator import wire
from tests.support.running_emulator import ML_AUDIENCE, RunningEmulator

LOSSES = ((1, 2.0), (2, 1.2), (3, 0.7), (4, 0.4))
TAGS = {"mlflow.rootRunId": "done", "mlflow.parentRunId": "done"}


def tracking(emulator: RunningEmulator) -> str:
    return f"https://eastus.api.azureml.ms/mlflow/v1.0{emulator.workspace}/api/2.0/mlflow"


def asked(emulator: RunningEmulator, end: str) -> int:
    return len([entry for entry in emulator.requests() if entry["path"].endswith(end)])


def step(name: str, identity: str, **metrics: tuple[float, int]) -> dict[str, Any]:
    """A step's run as the tracking server answers it: values with the time at which they were logged."""
    told = [{"key": key, "value": value, "timestamp": time, "step": 0} for key, (value, time) in metrics.items()]
    tags = [{"key": key, "value": value} for key, value in (TAGS | {"mlflow.runName": name}).items()]
    return {"info": {"run_id": identity, "status": "FINISHED"}, "data": {"metrics": told, "tags": tags}}


def test_metrics_of_the_job_and_which_of_its_steps_has_them_too(gateway: AzureGateway, done: str) -> None:
    found = gateway.read_metrics(done)
    assert set(found) == {"loss", "eval_loss"}
    assert found["loss"].points == LOSSES and found["loss"].last == 0.4
    assert found["loss"].run == Run(done, done)
    assert [run.name for run in found["loss"].also] == ["ft"]


@pytest.fixture
def make_runs(emulator: RunningEmulator) -> Iterator[Callable[..., runs.Runs]]:
    reached = connection.to_emulator(local.workspace(local.Emulator(emulator.facts)), emulator.facts)
    http = Http(reached)
    yield lambda **pages: runs.Runs(http, reached.workspace, "eastus", **pages)
    http.close()


def test_every_page_of_a_metric(make_runs: Callable[..., runs.Runs], done: str, emulator: RunningEmulator) -> None:
    assert make_runs(points_page=3).read_metrics(done)["loss"].points == LOSSES
    assert asked(emulator, "get-history") == 3, "two pages of one metric, one of the other"


def test_every_page_of_runs(make_runs: Callable[..., runs.Runs], done: str, emulator: RunningEmulator) -> None:
    assert [run.name for run in make_runs(runs_page=1).read_metrics(done)["loss"].also] == ["ft"]
    assert asked(emulator, "runs/search") == 2


def test_a_metric_of_a_step_alone(gateway: AzureGateway, done: str, emulator: RunningEmulator) -> None:
    """A step's metric is found however deep it is; of two steps the one that measured last counts."""
    below = [step("train", "r1", accuracy=(0.5, 10)), step("evaluate", "r2", accuracy=(0.75, 20))]
    history = {"metrics": [{"key": "accuracy", "value": 0.75, "timestamp": 20, "step": 0}]}
    emulator.faults(
        {"what": "error", "status": 200, "path": "/runs/search", "nth": 1, "body": {"runs": below[:1], "next_page_token": "2"}},
        {"what": "error", "status": 200, "path": "/runs/search", "nth": 2, "body": {"runs": below[1:]}},
        {"what": "error", "status": 200, "path": "/metrics/get-history", "nth": 3, "body": history},
    )
    found = gateway.read_metrics(done)["accuracy"]
    assert (found.run, found.points, found.also) == (Run("r2", "evaluate"), ((0, 0.75),), (Run("r1", "train"),))


def test_whose_metric_counts() -> None:
    job, train, evaluate = Run("j", "j"), Run("1", "train"), Run("2", "evaluate")
    assert deciding("j", [Last(train, 9), Last(job, 1), Last(evaluate, 5)]).run == job
    assert deciding("j", [Last(train, 9), Last(evaluate, 5)]).run == train


def test_a_number_that_json_cannot_hold(gateway: AzureGateway, done: str, emulator: RunningEmulator) -> None:
    body = {"metrics": [{"key": "loss", "value": "NaN", "timestamp": "7", "step": "3"}]}
    emulator.faults({"what": "error", "status": 200, "path": "/metrics/get-history", "body": body})
    ((number, value),) = gateway.read_metrics(done)["loss"].points
    assert number == 3 and value != value


def test_a_job_that_the_tracking_server_does_not_know(gateway: AzureGateway, done: str) -> None:
    assert gateway.read_metrics("nothing") == {}
    assert gateway.read_log("nothing", {})[0] == []


def test_metrics_that_may_not_be_read_are_not_taken_for_none(gateway: AzureGateway, done: str, emulator: RunningEmulator) -> None:
    """A gate would refuse what it could not see."""
    body = {"error": {"code": "ForbiddenError", "message": "no"}}
    emulator.faults({"what": "error", "status": 403, "path": "/metrics/get-history", "body": body})
    with pytest.raises(FineforgeError) as caught:
        gateway.read_metrics(done)
    assert [found.code for found in caught.value.diagnostics] == ["FF403"]


def test_the_log_of_a_step(gateway: AzureGateway, done: str, emulator: RunningEmulator) -> None:
    """Azure's pipelines write next to nothing into their own log; what trains writes into its step's."""
    details = emulator.send("GET", wire.history(emulator, f"runs/{done}/details")).json()
    (address,) = details["logFiles"].values()
    whole = emulator.send("GET", address, token=None).text
    files = {"user_logs/std_log_process_0.txt": address, "system_logs/cs_capability.log": address}
    emulator.faults(
        {"what": "error", "status": 200, "path": "/runs/search", "body": {"runs": [step("train", "r1")]}},
        {"what": "error", "status": 200, "path": "/runs/r1/details", "body": {"logFiles": files}},
    )
    found, position = gateway.read_log(done, {})
    assert found == [LogText("", whole), LogText("train: user_logs/std_log_process_0.txt", whole)]
    emulator.control("DELETE", "/requests")
    assert gateway.read_log(done, position)[0] == []
    assert asked(emulator, "/runs/r1/details") == 0, "a step that is over, and was read to its end, is not asked again"


def test_mlflows_own_client_reads_the_same(done: str, emulator: RunningEmulator) -> None:
    """As the notebooks of the fine-tuning components do; the client knows nothing of the emulator."""
    code = f"""
import json, mlflow
mlflow.set_tracking_uri({tracking(emulator).removesuffix("/api/2.0/mlflow")!r})
runs = mlflow.search_runs(experiment_names=["tests"], filter_string="tags.mlflow.rootRunId='{done}'", output_format="list")
told = [[run.info.run_name, run.info.status, run.data.metrics["loss"]] for run in runs]
points = mlflow.MlflowClient().get_metric_history({done!r}, "loss")
print(json.dumps([sorted(told), [[point.step, point.value] for point in points]]))
"""
    environment = {**os.environ, **emulator.environment(), "MLFLOW_TRACKING_TOKEN": emulator.token(ML_AUDIENCE)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    told, points = json.loads(ran.stdout.splitlines()[-1])
    assert told == [["a job", "FINISHED", 0.4], ["ft", "FINISHED", 0.4]]
    assert points == [list(point) for point in LOSSES]


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"filter": "metrics.loss < 1"}, 501), ({"filter": "tags.team = 'x'"}, 501), ({"order_by": ["metrics.loss"]}, 501),
        ({"run_view_type": "DELETED_ONLY"}, 501), ({"colour": "red"}, 501), ({"max_results": 50001}, 400),
        ({"page_token": "x"}, 400),
    ],
)  # fmt: skip
def test_what_the_emulator_does_not_search(wanted: dict[str, Any], status: int, done: str, emulator: RunningEmulator) -> None:
    assert emulator.send("POST", f"{tracking(emulator)}/runs/search", wanted).status_code == status


def test_what_the_emulator_searches(done: str, emulator: RunningEmulator) -> None:
    def names(**wanted: Any) -> list[str]:
        found = emulator.send("POST", f"{tracking(emulator)}/runs/search", wanted).json()["runs"]
        return [run["info"]["run_name"] for run in found]

    assert names() == names(filter="tags.`mlflow.rootRunId` = 'done'") == ["a job", "ft"]
    assert (
        names(filter="tags.mlflow.parentRunId = 'done'")
        == ["ft"]
        == names(filter="tags.mlflow.rootRunId='done' and tags.mlflow.runName=\"ft\"")
    )
    assert names(filter="tags.mlflow.rootRunId = 'other'") == [] == names(experiment_ids=["7"])
    (child,) = emulator.send("GET", wire.history(emulator, "runs/done/children")).json()["value"]
    details = emulator.send("GET", wire.history(emulator, f"runs/{child['runId']}/details")).json()
    assert (details["rootRunId"], details["parentRunId"], details["status"]) == ("done", "done", "Completed")
    url = f"{tracking(emulator)}/metrics/get-history?run_id=done&metric_key=loss"
    page = emulator.send("GET", f"{url}&max_results=3").json()
    rest = emulator.send("GET", f"{url}&max_results=3&page_token={page['next_page_token']}").json()
    assert [point["step"] for point in page["metrics"] + rest["metrics"]] == [1, 2, 3, 4] and "next_page_token" not in rest
    assert emulator.send("GET", f"{url}&max_results=25001").status_code == 400
    assert emulator.send("GET", f"{tracking(emulator)}/experiments/get-by-name?experiment_name=none").status_code == 404
