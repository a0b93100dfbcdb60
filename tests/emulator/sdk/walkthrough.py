"""The official chat-completion walkthrough in its own order, step by step, by somebody who has never heard of fineforge.

Run it with a folder that holds `hub/data/SPLIT-00000-of-00001.parquet` for the splits of ultrachat_200k. Its own model is past
its fine-tune retirement and archived: it is found by version, not by label. What was seen goes to `seen.json`.
"""

from __future__ import annotations

import ast
import json
import os
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
    Job,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    OnlineRequestSettings,
    ProbeSettings,
)
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential, InteractiveBrowserCredential
from datasets import load_dataset

MODEL, VERSION, CLUSTER = "Phi-3-mini-4k-instruct", "15", "walk-gpu"
SIZE, SERVING_SIZE = "Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5"
SPLITS = {"train": "train_sft", "validation": "test_sft", "test": "test_gen"}


def main(folder: Path) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    workspace, registry = connect(folder, seen)
    base = choose_model(registry, seen)
    prepare_cluster(workspace, base, seen)
    files = download(folder, seen)
    job = train(workspace, registry, base, files, seen)
    metrics(workspace, job, seen)
    model = register(workspace, job, base, seen)
    serve(workspace, model, files["test"], folder, seen)
    return seen


def connect(folder: Path, seen: dict[str, Any]) -> tuple[MLClient, MLClient]:
    """A credential that can get a token, else the browser; `config.json`, else what the environment names."""
    credential: Any = DefaultAzureCredential()
    try:
        credential.get_token("https://management.azure.com/.default")
    except Exception:
        credential = InteractiveBrowserCredential()
    ids = {
        "subscription_id": os.environ["AZUREML_ARM_SUBSCRIPTION"],
        "resource_group": os.environ["AZUREML_ARM_RESOURCEGROUP"],
        "workspace_name": os.environ["AZUREML_ARM_WORKSPACE_NAME"],
    }
    (folder / "config.json").write_text(json.dumps(ids))
    workspace = MLClient.from_config(credential, path=str(folder))
    by_ids = MLClient(credential, ids["subscription_id"], ids["resource_group"], ids["workspace_name"])
    seen["connected"] = [client.workspace_name for client in (workspace, by_ids)]
    return workspace, MLClient(credential, registry_name="azureml")


def choose_model(registry: MLClient, seen: dict[str, Any]) -> Model:
    try:
        seen["by label"] = registry.models.get(MODEL, label="latest").version
    except Exception as error:
        seen["by label"] = type(error).__name__
    found = registry.models.get(MODEL, version=VERSION)
    seen["by version"] = found.id
    return found


def prepare_cluster(workspace: MLClient, base: Model, seen: dict[str, Any]) -> None:
    allowed = ast.literal_eval(base.tags.get("finetune_compute_allow_list", "[]"))
    try:
        workspace.compute.get(CLUSTER)
        seen["cluster"] = ["found"]
    except ResourceNotFoundError:
        seen["cluster"] = create_cluster(workspace)
    made = workspace.compute.get(CLUSTER)
    assert made.provisioning_state == "Succeeded", made.provisioning_state
    sizes = {size.name.lower(): size.gpus for size in workspace.compute.list_sizes()}
    seen["compute"] = {
        "tier": made.tier,
        "gpus": sizes[made.size.lower()],
        "listed as allowed": allowed,
        "allowed": not allowed or made.size.lower() in [name.lower() for name in allowed],
    }


def create_cluster(workspace: MLClient) -> list[str]:
    """Dedicated nodes first; where the subscription has no cores for them, low priority."""
    tried = []
    for tier in ("dedicated", "low_priority"):
        wanted = AmlCompute(name=CLUSTER, size=SIZE, tier=tier, min_instances=0, max_instances=1, idle_time_before_scale_down=120)
        try:
            workspace.compute.begin_create_or_update(wanted).result()
            return [*tried, tier]
        except HttpResponseError as error:
            tried.append(f"{tier}: {error.error.code}")
    return tried


def download(folder: Path, seen: dict[str, Any]) -> dict[str, Path]:
    """Five percent of every split, as lines of JSON; a look at the first rows."""
    files, counts = {}, {}
    for name, split in SPLITS.items():
        rows = load_dataset(str(folder / "hub"), split=f"{split}[:5%]")
        files[name] = folder / f"{split}.jsonl"
        rows.to_json(str(files[name]))
        counts[split] = len(rows)
    first = json.loads(files["train"].read_text(encoding="utf-8").splitlines()[0])
    seen["data"] = {"rows": counts, "columns": sorted(first), "roles": [turn["role"] for turn in first["messages"]]}
    return files


def train(workspace: MLClient, registry: MLClient, base: Model, files: dict[str, Path], seen: dict[str, Any]) -> Job:
    training = {"num_train_epochs": 3, "per_device_train_batch_size": 1, "learning_rate": 5e-6, "lr_scheduler_type": "cosine"}
    optimization = {"apply_lora": "true", "apply_deepspeed": "true", "deepspeed_stage": 2}
    own = ast.literal_eval(base.tags.get("model_specific_defaults", "{}"))
    component = registry.components.get("chat_completion_pipeline", label="latest")
    inputs = component.inputs.keys()
    optimization |= {name: value for name, value in own.items() if name in inputs and name in optimization}
    seen["defaults"] = sorted(name for name in own if name in inputs)

    @pipeline()  # type: ignore[misc]
    def walk_pipeline() -> dict[str, Any]:
        tuned = component(
            mlflow_model_path=base.id,
            compute_model_import=CLUSTER,
            compute_preprocess=CLUSTER,
            compute_finetune=CLUSTER,
            compute_model_evaluation=CLUSTER,
            train_file_path=Input(type=AssetTypes.URI_FILE, path=str(files["train"])),
            validation_file_path=Input(type=AssetTypes.URI_FILE, path=str(files["validation"])),
            test_file_path=Input(type=AssetTypes.URI_FILE, path=str(files["test"])),
            number_of_gpu_to_use_finetuning=seen["compute"]["gpus"],
            **training,
            **optimization,
        )
        return {"trained_model": tuned.outputs.mlflow_model_folder}

    wanted = walk_pipeline()
    wanted.settings.force_rerun = True
    wanted.settings.continue_on_step_failure = False
    wanted.display_name = f"{MODEL}-display-name-walk"
    job = workspace.jobs.create_or_update(wanted, experiment_name=f"chat_completion-{MODEL}")
    workspace.jobs.stream(job.name)
    done = workspace.jobs.get(job.name)
    seen["job"] = {"status": done.status, "name": done.display_name, "experiment": done.experiment_name}
    return done


def metrics(workspace: MLClient, job: Job, seen: dict[str, Any]) -> None:
    """What the workspace's MLflow server has of the job and its steps; asked without mlflow, which may not be installed."""
    uri = workspace.workspaces.get(workspace.workspace_name).mlflow_tracking_uri
    root = f"{uri.replace('azureml://', 'https://')}/api/2.0/mlflow"
    token = DefaultAzureCredential().get_token("https://ml.azure.com/.default").token
    headers = {"Authorization": f"Bearer {token}"}
    experiment = requests.get(
        f"{root}/experiments/get-by-name", {"experiment_name": job.experiment_name}, headers=headers, timeout=60
    ).json()["experiment"]["experiment_id"]
    query = {"experiment_ids": [experiment], "filter": f"tags.mlflow.rootRunId = '{job.name}'"}
    runs = requests.post(f"{root}/runs/search", json=query, headers=headers, timeout=60).json()["runs"]
    found = {entry["key"] for run in runs for entry in run["data"].get("metrics", [])}
    seen["metrics"] = sorted(found & {"loss", "eval_loss"})


def register(workspace: MLClient, job: Job, base: Model, seen: dict[str, Any]) -> Model:
    lineage = {"base": f"{base.name}:{base.version}", "job": job.name}
    wanted = Model(
        name="walk-tuned",
        version=str(int(time.time())),
        type=AssetTypes.MLFLOW_MODEL,
        path=f"azureml://jobs/{job.name}/outputs/trained_model",
        description="from the walkthrough",
        tags=lineage,
    )
    model = workspace.models.create_or_update(wanted)
    seen["model"] = {"base": model.tags["base"], "job": model.tags["job"] == job.name, "of job": model.job_name == job.name}
    return model


def serve(workspace: MLClient, model: Model, test: Path, folder: Path, seen: dict[str, Any]) -> None:
    endpoint = ManagedOnlineEndpoint(name=f"walk-{int(time.time())}", description="walkthrough", auth_mode="key")
    workspace.begin_create_or_update(endpoint).wait()
    deployment = ManagedOnlineDeployment(
        name="demo",
        endpoint_name=endpoint.name,
        model=model.id,
        instance_type=SERVING_SIZE,
        instance_count=1,
        liveness_probe=ProbeSettings(initial_delay=600),
        request_settings=OnlineRequestSettings(request_timeout_ms=90000),
    )
    workspace.online_deployments.begin_create_or_update(deployment).wait()
    endpoint.traffic = {"demo": 100}
    workspace.begin_create_or_update(endpoint).result()
    question = json.loads(test.read_text(encoding="utf-8").splitlines()[0])["messages"][:1]
    parameters = {"temperature": 0.6, "top_p": 0.9, "do_sample": True, "max_new_tokens": 200}
    file = folder / "sample_score.json"
    file.write_text(json.dumps({"input_data": {"input_string": question, "parameters": parameters}, "params": {}}))
    answer = workspace.online_endpoints.invoke(endpoint_name=endpoint.name, deployment_name="demo", request_file=str(file))
    made = workspace.online_deployments.get("demo", endpoint.name)
    seen["served"] = {
        "answer": json.loads(answer),
        "traffic": workspace.online_endpoints.get(endpoint.name).traffic,
        "probe": made.liveness_probe.initial_delay,
        "timeout": made.request_settings.request_timeout_ms,
    }
    workspace.online_endpoints.begin_delete(name=endpoint.name).wait()
    seen["left"] = [entry.name for entry in workspace.online_endpoints.list()]


if __name__ == "__main__":
    result = main(Path(sys.argv[1]))
    Path(sys.argv[1], "seen.json").write_text(json.dumps(result), encoding="utf-8")
