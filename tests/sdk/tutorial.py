"""The walk of Azure ML's chat-completion fine-tuning tutorial, as a user of the official SDK would write it.

It knows nothing of fineforge: `fineforge emulator exec -- python tutorial.py found.json`, or, with a budget, for real.
It writes what it found into the file as one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from azure.ai.ml import Input, MLClient
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.dsl import pipeline
from azure.ai.ml.entities import (
    AmlCompute,
    Data,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    OnlineRequestSettings,
    ProbeSettings,
)
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import DefaultAzureCredential

CLUSTER, SIZE, EXPERIMENT, MODEL = "tutorial-gpu", "Standard_NC24ads_A100_v4", "tutorial", "tutorial-model"
QUESTION, ANSWER = "Which bulbs may I plant in October?", "Tulips and daffodils."


def main(folder: Path) -> dict[str, Any]:
    credential = DefaultAzureCredential()
    credential.get_token("https://management.azure.com/.default")
    where = [os.environ[f"AZUREML_ARM_{part}"] for part in ("SUBSCRIPTION", "RESOURCEGROUP", "WORKSPACE_NAME")]
    workspace = MLClient(credential, *where, enable_telemetry=False)
    registry = MLClient(credential, registry_name="azureml", enable_telemetry=False)
    found: dict[str, Any] = {}
    base, component = catalog(registry, found)
    cluster(workspace, found)
    job = tune(workspace, base, component, folder, found)
    register(workspace, job, folder, found)
    serve(workspace, found)
    assets(workspace, folder, found)
    cancel(workspace, base, component, folder, found)
    return found


def catalog(registry: MLClient, found: dict[str, Any]) -> tuple[Any, Any]:
    base = registry.models.get("Phi-4", label="latest")
    assert registry.models.get(base.name, version=base.version).id == base.id
    component = registry.components.get("chat_completion_pipeline", label="latest")
    found["base"], found["component"] = base.id, component.id
    found["pinned_component"] = registry.components.get("chat_completion_pipeline", version="0.0.65").version
    return base, component


def cluster(workspace: MLClient, found: dict[str, Any]) -> None:
    try:
        workspace.compute.get(CLUSTER)
    except ResourceNotFoundError:
        found["cluster_was_missing"] = True
    wanted = AmlCompute(name=CLUSTER, size=SIZE, min_instances=0, max_instances=2, idle_time_before_scale_down=120)
    workspace.compute.begin_create_or_update(wanted).result()
    found["cluster"] = workspace.compute.get(CLUSTER).provisioning_state
    sizes = {size.name.lower(): size for size in workspace.compute.list_sizes()}
    found["gpus"] = sizes[SIZE.lower()].gpus


def rows(folder: Path) -> tuple[Path, Path]:
    talk = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    row = json.dumps({"prompt": QUESTION, "prompt_id": "1", "messages": talk})
    train, test = folder / "train.jsonl", folder / "test.jsonl"
    train.write_text(row + "\n", encoding="utf-8")
    test.write_text(row + "\n" + row + "\n", encoding="utf-8")
    return train, test


def submit(workspace: MLClient, base: Any, component: Any, folder: Path, train: str = "", **more: Any) -> Any:
    file, test = rows(folder)
    gpus = dict.fromkeys(("compute_model_import", "compute_preprocess", "compute_finetune", "compute_model_evaluation"), CLUSTER)

    @pipeline()
    def chat_completion() -> dict[str, Any]:
        chat = component(
            mlflow_model_path=base.id,
            train_file_path=Input(type="uri_file", path=train or str(file)),
            test_file_path=Input(type="uri_file", path=str(test)),
            number_of_gpu_to_use_finetuning=1,
            num_train_epochs=1,
            learning_rate=5e-6,
            apply_lora="true",
            lr_scheduler_type="cosine",
            **gpus,
        )
        return {"trained_model": chat.outputs.mlflow_model_folder}

    job = chat_completion()
    job.settings.force_rerun = True
    job.settings.continue_on_step_failure = False
    return workspace.jobs.create_or_update(job, experiment_name=EXPERIMENT, **more)


def tune(workspace: MLClient, base: Any, component: Any, folder: Path, found: dict[str, Any]) -> Any:
    job = submit(workspace, base, component, folder)
    workspace.jobs.stream(job.name)
    found["job"] = workspace.jobs.get(job.name).status
    found["listed_jobs"] = [entry.name for entry in workspace.jobs.list()] == [job.name]
    return job


def register(workspace: MLClient, job: Any, folder: Path, found: dict[str, Any]) -> None:
    output = f"azureml://jobs/{job.name}/outputs/trained_model"
    model = Model(path=output, type=AssetTypes.MLFLOW_MODEL, name=MODEL, version="1", tags={"made_by": "tutorial"})
    found["registered"] = workspace.models.create_or_update(model).version
    found["versions"] = [entry.version for entry in workspace.models.list(MODEL)]
    found["latest"] = workspace.models.get(MODEL, label="latest").version
    workspace.models.download(MODEL, "1", folder / "model")
    found["model_files"] = sorted(path.name for path in (folder / "model").rglob("*") if path.is_file())


def serve(workspace: MLClient, found: dict[str, Any]) -> None:
    name = f"tutorial-{int(time.time())}"
    endpoint = ManagedOnlineEndpoint(name=name, description="of the tutorial", auth_mode="key")
    workspace.begin_create_or_update(endpoint).result()
    deployment = ManagedOnlineDeployment(
        name="demo",
        endpoint_name=name,
        model=workspace.models.get(MODEL, "1").id,
        instance_type=SIZE,
        instance_count=1,
        liveness_probe=ProbeSettings(initial_delay=600),
        request_settings=OnlineRequestSettings(request_timeout_ms=90000),
    )
    workspace.online_deployments.begin_create_or_update(deployment).result()
    endpoint = workspace.online_endpoints.get(name)
    endpoint.traffic = {"demo": 100}
    workspace.online_endpoints.begin_create_or_update(endpoint).result()
    found["traffic"] = workspace.online_endpoints.get(name).traffic
    found["deployments"] = [entry.name for entry in workspace.online_deployments.list(name)]
    found["has_keys"] = bool(workspace.online_endpoints.get_keys(name).primary_key)
    found["logs_are_text"] = isinstance(workspace.online_deployments.get_logs("demo", name, lines=10), str)
    found["answer"] = ask(workspace, name, QUESTION)
    found["another_answer"] = ask(workspace, name, "What is the capital of France?")
    workspace.online_endpoints.begin_delete(name).wait()
    found["endpoints_left"] = [entry.name for entry in workspace.online_endpoints.list()]


def ask(workspace: MLClient, endpoint: str, question: str) -> str:
    request = {"input_data": {"input_string": [{"role": "user", "content": question}], "parameters": {"max_new_tokens": 50}}}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(request, file)
        file.flush()
        answer = workspace.online_endpoints.invoke(endpoint_name=endpoint, deployment_name="demo", request_file=file.name)
    return str(json.loads(answer)["output"])


def assets(workspace: MLClient, folder: Path, found: dict[str, Any]) -> None:
    for version in ("1", "2"):
        file = folder / "train.jsonl"
        workspace.data.create_or_update(Data(name="questions", version=version, type="uri_file", path=str(file)))
    found["data"] = workspace.data.get("questions", label="latest").version


def cancel(workspace: MLClient, base: Any, component: Any, folder: Path, found: dict[str, Any]) -> None:
    """Data by `@latest` (1.35.2 takes `azureml:` for a part of the name here); a job that is over can be cancelled."""
    job = submit(workspace, base, component, folder, train="questions@latest", tags={"to be": "cancelled"})
    workspace.jobs.begin_cancel(job.name).wait()
    job = workspace.jobs.get(job.name)
    found["cancelled"] = job.status
    job.tags["seen"] = "yes"
    found["tagged"] = workspace.jobs.create_or_update(job).tags.get("seen")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        Path(sys.argv[1]).write_text(json.dumps(main(Path(scratch))), encoding="utf-8")
