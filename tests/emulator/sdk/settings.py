"""What else a workspace's objects can be told: identities, networks, tokens, other tasks; with nothing but azure-ai-ml.

Run it as `tutorial.py`, in a workspace that has the data `train:1` and the model `tuned:1`. It writes what it saw to `seen.json`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import requests
from azure.ai.ml import Input, MLClient
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.dsl import pipeline
from azure.ai.ml.entities import (
    AmlCompute,
    IdentityConfiguration,
    ManagedIdentityConfiguration,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    NetworkSettings,
)
from azure.ai.ml.exceptions import JobException

from tests.emulator.sdk.places import credential, workspace

GROUP = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/fineforge-local/providers"
USER = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/trainer"
SUBNET = f"{GROUP}/Microsoft.Network/virtualNetworks/net/subnets/gpu"


def main(folder: Path) -> dict[str, Any]:
    client, registry = workspace(), MLClient(credential(), registry_name="azureml")
    seen: dict[str, Any] = {}
    clusters(client, seen)
    other_task(client, registry, seen)
    question = folder / "question.json"
    question.write_text(json.dumps({"input_data": {"input_string": [{"role": "user", "content": "When do you open?"}]}}))
    seen["serving"] = {mode: serving(client, mode, question) for mode in ("aad_token", "aml_token", "key")}
    return seen


def clusters(client: MLClient, seen: dict[str, Any]) -> None:
    user = IdentityConfiguration(type="user_assigned", user_assigned_identities=[ManagedIdentityConfiguration(resource_id=USER)])
    wanted = AmlCompute(
        name="walled",
        size="Standard_NC24ads_A100_v4",
        tier="low_priority",
        network_settings=NetworkSettings(subnet=SUBNET),
        enable_node_public_ip=False,
        identity=user,
    )
    client.compute.begin_create_or_update(wanted).result()
    made = client.compute.get("walled")
    (identity,) = made.identity.user_assigned_identities
    seen["cluster"] = {
        "tier": made.tier,
        "subnet": made.network_settings.subnet,
        "public": made.enable_node_public_ip,
        "identity": [made.identity.type, identity.resource_id],
    }
    plain = AmlCompute(name="plain", size="Standard_NC24ads_A100_v4", identity=IdentityConfiguration(type="system_assigned"))
    client.compute.begin_create_or_update(plain).result()
    made = client.compute.get("plain")
    seen["plain"] = [made.identity.type, bool(made.identity.principal_id), made.tier]


def other_task(client: MLClient, registry: MLClient, seen: dict[str, Any]) -> None:
    component = registry.components.get("text_classification_pipeline", label="latest")
    base = registry.models.get("bert-base-uncased", label="latest")

    @pipeline(default_compute="serverless")  # type: ignore[misc]
    def other_pipeline() -> dict[str, Any]:
        tuned = component(
            mlflow_model_path=Input(type=AssetTypes.MLFLOW_MODEL, path=base.id),
            train_file_path=Input(type=AssetTypes.URI_FILE, path="azureml:train:1"),
            sentence1_key="text",
            label_key="label",
        )
        return {"trained_model": tuned.outputs.mlflow_model_folder}

    job = client.jobs.create_or_update(other_pipeline())
    try:
        client.jobs.stream(job.name)
    except JobException as error:
        seen["other task"] = {"status": client.jobs.get(job.name).status, "said": str(error)}


def serving(client: MLClient, mode: str, question: Path) -> dict[str, Any]:
    """An endpoint asked by the SDK, by hand with its own token, and with a wrong one."""
    name = f"{mode.replace('_', '-')}-{int(time.time())}"
    endpoint = ManagedOnlineEndpoint(name=name, auth_mode=mode)
    client.online_endpoints.begin_create_or_update(endpoint).result()
    deployment = ManagedOnlineDeployment(
        name="blue",
        endpoint_name=name,
        model="azureml:tuned:1",
        instance_type="Standard_DS3_v2",
        instance_count=1,
        app_insights_enabled=True,
        egress_public_network_access="disabled",
        environment_variables={"WORKER_COUNT": "2"},
    )
    client.online_deployments.begin_create_or_update(deployment).result()
    endpoint.traffic = {"blue": 100}
    client.online_endpoints.begin_create_or_update(endpoint).result()
    asked = client.online_endpoints.invoke(name, request_file=str(question))
    found, made = client.online_endpoints.get(name), client.online_deployments.get("blue", name)
    keys = client.online_endpoints.get_keys(name)
    token = keys.primary_key if mode == "key" else keys.access_token
    statuses = [
        requests.post(
            found.scoring_uri,
            data=question.read_bytes(),
            headers={"Authorization": f"Bearer {bearer}"} if bearer else {},
            timeout=60,
        ).status_code
        for bearer in (token, token[:20], credential().get_token("https://management.azure.com/.default").token, "")
    ]
    return {
        "mode": found.auth_mode,
        "answer": json.loads(asked)["output"],
        "statuses": statuses,
        "kept": [made.app_insights_enabled, made.egress_public_network_access, made.environment_variables],
        "scale": made.scale_settings.type if made.scale_settings else None,
    }


if __name__ == "__main__":
    result = main(Path(sys.argv[1]))
    Path(sys.argv[1], "seen.json").write_text(json.dumps(result), encoding="utf-8")
