"""The official fine-tuning walk with nothing but azure-ai-ml: the program of somebody who has never heard of fineforge.

Run it in any environment that leads to a workspace, with a folder for its files. It prints one JSON object: what it saw.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from pathlib import Path
from typing import Any

from azure.ai.ml import Input, MLClient
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.dsl import pipeline
from azure.ai.ml.entities import (
    AmlCompute,
    Job,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    OnlineRequestSettings,
    ProbeSettings,
)
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import DefaultAzureCredential

SIZE, SERVING_SIZE, CLUSTER = "Standard_NC24ads_A100_v4", "Standard_NC24ads_A100_v4", "tutorial-gpu"
QUESTION, ANSWER = "What colour is the boat?", "Green below the water, white above it."


def main(folder: Path) -> dict[str, Any]:
    credential = DefaultAzureCredential()
    credential.get_token("https://management.azure.com/.default")
    place = [os.environ[f"AZUREML_ARM_{part}"] for part in ("SUBSCRIPTION", "RESOURCEGROUP", "WORKSPACE_NAME")]
    workspace = MLClient(credential, *place)
    registry = MLClient(credential, registry_name="azureml")
    seen: dict[str, Any] = {}
    base = choose_model(registry, seen)
    prepare_cluster(workspace, seen)
    job = train(workspace, registry, base, folder, seen)
    model = register(workspace, job, folder, seen)
    serve(workspace, model, folder, seen)
    return seen


def choose_model(registry: MLClient, seen: dict[str, Any]) -> Model:
    latest = registry.models.get("Phi-4", label="latest")
    pinned = registry.models.get("Phi-4", version=latest.version)
    component = registry.components.get("chat_completion_pipeline", label="latest")
    seen["model"], seen["component"] = pinned.id, registry.components.get(component.name, version=component.version).id
    return pinned


def prepare_cluster(workspace: MLClient, seen: dict[str, Any]) -> None:
    try:
        workspace.compute.get(CLUSTER)
        raise AssertionError("the cluster is there already")
    except ResourceNotFoundError:
        wanted = AmlCompute(name=CLUSTER, size=SIZE, min_instances=0, max_instances=2, idle_time_before_scale_down=120)
        workspace.compute.begin_create_or_update(wanted).result()
    made = workspace.compute.get(CLUSTER)
    sizes = {size.name.lower(): size for size in workspace.compute.list_sizes()}
    seen["cluster"] = {"state": made.provisioning_state, "gpus": sizes[made.size.lower()].gpus, "max": made.max_instances}


def train(workspace: MLClient, registry: MLClient, base: Model, folder: Path, seen: dict[str, Any]) -> Job:
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    files = [folder / name for name in ("train.jsonl", "validation.jsonl")]
    for file in files:
        file.write_text(json.dumps({"source": file.stem, "messages": turns}) + "\n", encoding="utf-8")
    component = registry.components.get("chat_completion_pipeline", label="latest")

    @pipeline()  # type: ignore[misc]
    def tutorial_pipeline() -> dict[str, Any]:
        tuned = component(
            mlflow_model_path=base.id,
            compute_model_import=CLUSTER,
            compute_preprocess=CLUSTER,
            compute_finetune=CLUSTER,
            train_file_path=Input(type=AssetTypes.URI_FILE, path=str(files[0])),
            validation_file_path=Input(type=AssetTypes.URI_FILE, path=str(files[1])),
            number_of_gpu_to_use_finetuning=1,
            num_train_epochs=1,
            learning_rate=5e-6,
            apply_lora="true",
        )
        return {"trained_model": tuned.outputs.mlflow_model_folder}

    wanted = tutorial_pipeline()
    wanted.settings.force_rerun = True
    job = workspace.jobs.create_or_update(wanted, experiment_name="tutorial")
    workspace.jobs.stream(job.name)
    done = workspace.jobs.get(job.name)
    seen["job"] = {"status": done.status, "listed": job.name in [entry.name for entry in workspace.jobs.list()]}
    return done


def register(workspace: MLClient, job: Job, folder: Path, seen: dict[str, Any]) -> Model:
    assert list(workspace.models.list(name="tutorial-model")) == []
    path = f"azureml://jobs/{job.name}/outputs/trained_model"
    model = workspace.models.create_or_update(
        Model(name="tutorial-model", version="1", type=AssetTypes.MLFLOW_MODEL, path=path, description="from the tutorial")
    )
    listed = [entry.version for entry in workspace.models.list(name=model.name)]
    workspace.models.download(model.name, model.version, download_path=str(folder / "download"))
    files = sorted(file.name for file in (folder / "download").rglob("*") if file.is_file())
    seen["registered"] = {"listed": listed, "files": files, "type": model.type}
    return model


def serve(workspace: MLClient, model: Model, folder: Path, seen: dict[str, Any]) -> None:
    endpoint = ManagedOnlineEndpoint(name=f"tutorial-{uuid.uuid4().hex[:10]}", auth_mode="key")
    workspace.online_endpoints.begin_create_or_update(endpoint).wait()
    deployment = ManagedOnlineDeployment(
        name="demo",
        endpoint_name=endpoint.name,
        model=model.id,
        instance_type=SERVING_SIZE,
        instance_count=1,
        liveness_probe=ProbeSettings(initial_delay=600),
        request_settings=OnlineRequestSettings(request_timeout_ms=90000),
    )
    made = workspace.online_deployments.begin_create_or_update(deployment).result()
    endpoint.traffic = {"demo": 100}
    workspace.online_endpoints.begin_create_or_update(endpoint).result()
    question = folder / "question.json"
    turns = [{"role": "user", "content": QUESTION}]
    question.write_text(json.dumps({"input_data": {"input_string": turns, "parameters": {}}, "params": {}}))
    invoke = workspace.online_endpoints.invoke
    seen["served"] = {
        "deployment": made.provisioning_state,
        "scoring": workspace.online_endpoints.get(endpoint.name).scoring_uri.split(".", 1)[1],
        "key": bool(workspace.online_endpoints.get_keys(endpoint.name).primary_key),
        "by header": invoke(endpoint.name, deployment_name="demo", request_file=str(question)),
        "by traffic": invoke(endpoint.name, request_file=str(question)),
        "deployments": [entry.name for entry in workspace.online_deployments.list(endpoint.name)],
    }
    workspace.online_endpoints.begin_delete(endpoint.name).wait()
    workspace.compute.begin_delete(CLUSTER).wait()
    seen["left"] = [entry.name for entry in [*workspace.online_endpoints.list(), *workspace.compute.list()]]


if __name__ == "__main__":
    result = main(Path(sys.argv[1]))
    Path(sys.argv[1], "seen.json").write_text(json.dumps(result), encoding="utf-8")
