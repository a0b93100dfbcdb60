"""Every operation of azure-ai-ml that somebody may try on a workspace, each called once; with nothing but azure-ai-ml.

Run it as `tutorial.py`, in a workspace that has the data `train:1` and the model `tuned:1`. It writes to `seen.json` what came of
each call: `works`, or the status that the service answered.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient
from azure.ai.ml.constants import ListViewType
from azure.ai.ml.entities import AmlCompute, Data, Environment, ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged

from tests.emulator.sdk.assets import rows, trained
from tests.emulator.sdk.places import credential, workspace

SIZE, ENDPOINT, CLUSTER = "Standard_DS3_v2", "surface", "nodes"
Calls = Iterator[tuple[str, Callable[[], Any]]]


def main(folder: Path) -> dict[str, Any]:
    client, registry = workspace(), MLClient(credential(), registry_name="azureml")
    job = prepared(client, registry, folder)
    calls = (jobs(client, job, folder), assets(client, registry, folder), serving(client, folder), around(client, registry))
    return {name: outcome(call) for some in calls for name, call in some}


def outcome(call: Callable[[], Any]) -> str:
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            found = call()
            if isinstance(found, ItemPaged | Iterator):
                list(found)
        return "works"
    except HttpResponseError as error:
        assert error.status_code != 501 or "emulator" in str(error), error
        return str(error.status_code)


def prepared(client: MLClient, registry: MLClient, folder: Path) -> str:
    """A finished job, a cluster, an endpoint with a deployment that serves."""
    client.data.create_or_update(Data(name="rows", version="1", type="uri_file", path=str(rows(folder / "rows.jsonl", "Yes."))))
    job: str = trained(client, registry, "azureml:rows:1", "azureml:rows:1").name
    client.jobs.stream(job)
    client.compute.begin_create_or_update(AmlCompute(name=CLUSTER, size=SIZE)).result()
    client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=ENDPOINT, auth_mode="key")).result()
    blue = ManagedOnlineDeployment(
        name="blue", endpoint_name=ENDPOINT, model="azureml:tuned:1", instance_type=SIZE, instance_count=1
    )
    client.online_deployments.begin_create_or_update(blue).result()
    return job


def jobs(client: MLClient, job: str, folder: Path) -> Calls:
    step = next(iter(client.jobs.list(parent_job_name=job))).name
    yield "jobs.get", lambda: client.jobs.get(job)
    yield "jobs.list", lambda: client.jobs.list()
    yield "jobs.list archived", lambda: client.jobs.list(list_view_type=ListViewType.ARCHIVED_ONLY)
    yield "jobs.list children", lambda: client.jobs.list(parent_job_name=job)
    yield "jobs.stream", lambda: client.jobs.stream(job)
    yield "jobs.download", lambda: client.jobs.download(job, download_path=folder / "job", all=True)
    yield "jobs.cancel", lambda: client.jobs.begin_cancel(job).result()
    yield "jobs.archive", lambda: client.jobs.archive(job)
    yield "jobs.restore", lambda: client.jobs.restore(job)
    yield "jobs.show_services", lambda: client.jobs.show_services(job)
    yield "jobs.get unknown", lambda: client.jobs.get("nowhere")
    yield "jobs.get step", lambda: client.jobs.get(step)
    yield "jobs.stream step", lambda: client.jobs.stream(step)
    yield "schedules.list", lambda: client.schedules.list()


def assets(client: MLClient, registry: MLClient, folder: Path) -> Calls:
    for name, operations, asset in (("models", client.models, "tuned"), ("data", client.data, "rows")):
        yield f"{name}.get", lambda it=operations, asset=asset: it.get(asset, version="1")  # type: ignore[misc]
        yield f"{name}.get label", lambda it=operations, asset=asset: it.get(asset, label="latest")  # type: ignore[misc]
        yield f"{name}.get unknown", lambda it=operations: it.get("nowhere", version="1")  # type: ignore[misc]
        yield f"{name}.list", lambda it=operations: it.list()  # type: ignore[misc]
        yield f"{name}.list name", lambda it=operations, asset=asset: it.list(name=asset)  # type: ignore[misc]
        yield f"{name}.archive", lambda it=operations, asset=asset: it.archive(asset, version="1")  # type: ignore[misc]
        yield f"{name}.list archived", lambda it=operations: it.list(list_view_type=ListViewType.ARCHIVED_ONLY)  # type: ignore[misc]
        yield f"{name}.list wrong view", lambda it=operations: it.list(list_view_type="archived")  # type: ignore[misc]
        yield f"{name}.restore", lambda it=operations, asset=asset: it.restore(asset, version="1")  # type: ignore[misc]
    shared = {"registry_name": "azureml", "share_with_name": "shared", "share_with_version": "1"}
    yield "models.download", lambda: client.models.download("tuned", "1", download_path=str(folder / "model"))
    yield "models.share", lambda: client.models.share("tuned", "1", **shared)
    yield "models.get registry", lambda: registry.models.get("Phi-4", label="latest")
    yield "models.list registry", lambda: registry.models.list(name="Phi-4")
    yield "models.list names of registry", lambda: registry.models.list()
    yield "data.share", lambda: client.data.share("rows", "1", **shared)
    yield "data.list registry", lambda: registry.data.list()
    yield "components.get registry", lambda: registry.components.get("chat_completion_pipeline", label="latest")
    yield "components.list registry", lambda: registry.components.list()
    yield "components.get", lambda: client.components.get("mine", version="1")
    yield "components.list", lambda: client.components.list()
    yield "environments.get", lambda: client.environments.get("mine", version="1")
    yield "environments.list", lambda: client.environments.list()
    yield "environments.create", lambda: client.environments.create_or_update(Environment(name="mine", image="ubuntu"))


def serving(client: MLClient, folder: Path) -> Calls:
    question = folder / "question.json"
    question.write_text(json.dumps({"input_data": {"input_string": [{"role": "user", "content": "When do you open?"}]}}))
    asked = {"endpoint_name": ENDPOINT, "request_file": str(question)}
    yield "endpoints.get", lambda: client.online_endpoints.get(ENDPOINT)
    yield "endpoints.get unknown", lambda: client.online_endpoints.get("nowhere")
    yield "endpoints.list", lambda: client.online_endpoints.list()
    yield "endpoints.get_keys", lambda: client.online_endpoints.get_keys(ENDPOINT)
    yield "endpoints.regenerate", lambda: client.online_endpoints.begin_regenerate_keys(ENDPOINT, key_type="secondary").result()
    yield "endpoints.invoke", lambda: client.online_endpoints.invoke(**asked, deployment_name="blue")
    yield "deployments.get", lambda: client.online_deployments.get("blue", ENDPOINT)
    yield "deployments.list", lambda: client.online_deployments.list(ENDPOINT)
    yield "deployments.list unknown", lambda: client.online_deployments.list("nowhere")
    yield "deployments.get_logs", lambda: client.online_deployments.get_logs("blue", ENDPOINT, 20)
    yield (
        "deployments.get_logs of its storage",
        lambda: client.online_deployments.get_logs("blue", ENDPOINT, 20, container_type="storage-initializer"),
    )
    yield "batch_endpoints.list", lambda: client.batch_endpoints.list()


def around(client: MLClient, registry: MLClient) -> Calls:
    yield "workspaces.get", lambda: client.workspaces.get(client.workspace_name)
    yield "workspaces.get unknown", lambda: client.workspaces.get("nowhere")
    yield "workspaces.list", lambda: client.workspaces.list()
    yield "workspaces.get_keys", lambda: client.workspaces.get_keys(client.workspace_name)
    yield "registries.list", lambda: client.registries.list()
    yield "registries.get unknown", lambda: client.registries.get("nowhere")
    yield "datastores.list", lambda: client.datastores.list()
    yield "datastores.get_default", lambda: client.datastores.get_default(include_secrets=True)
    yield "connections.list", lambda: client.connections.list()
    yield "compute.get", lambda: client.compute.get(CLUSTER)
    yield "compute.get unknown", lambda: client.compute.get("nowhere")
    yield "compute.list", lambda: client.compute.list()
    yield "compute.list_sizes", lambda: client.compute.list_sizes()
    yield "compute.list_usage", lambda: client.compute.list_usage()
    yield "compute.list_nodes", lambda: client.compute.list_nodes(CLUSTER)
    yield "compute.start", lambda: client.compute.begin_start(CLUSTER).result()
    yield "compute.stop", lambda: client.compute.begin_stop(CLUSTER).result()
    yield "compute.restart", lambda: client.compute.begin_restart(CLUSTER).result()


if __name__ == "__main__":
    result = main(Path(sys.argv[1]))
    Path(sys.argv[1], "seen.json").write_text(json.dumps(result), encoding="utf-8")
