"""Data assets by label, a job that is cancelled, a store without a key, a job without a cluster; with nothing but azure-ai-ml.

Run it as `tutorial.py`. It writes what it saw to `seen.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from azure.ai.ml import Input, MLClient, load_job
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.dsl import pipeline
from azure.ai.ml.entities import Data, Job, Model
from azure.core.exceptions import HttpResponseError

from tests.emulator.sdk.places import credential, workspace

QUESTION, ANSWER = "Which pear keeps longest?", "The winter pear, until March."
KEYLESS = "identityblobstore"

JOB = """
$schema: https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json
type: pipeline
experiment_name: pears
settings: {{default_compute: serverless, force_rerun: true}}
outputs:
  trained_model: {{type: mlflow_model}}
jobs:
  tune:
    type: pipeline
    component: {component}
    inputs:
      mlflow_model_path: {{type: mlflow_model, path: {base}}}
      train_file_path: {{type: uri_file, path: azureml:pears@latest}}
      validation_file_path: {{type: uri_file, path: azureml:keyless@latest}}
    outputs:
      mlflow_model_folder: ${{{{parent.outputs.trained_model}}}}
"""


def main(folder: Path) -> dict[str, Any]:
    client, registry = workspace(), MLClient(credential(), registry_name="azureml")
    seen: dict[str, Any] = {}
    registered(client, folder, seen)
    keyless(client, folder, seen)
    job = trained_from_yaml(client, registry, folder)
    client.jobs.stream(job.name)
    seen["trained"] = client.jobs.get(job.name).status
    model = client.models.create_or_update(
        Model(name="pears", type=AssetTypes.MLFLOW_MODEL, path=f"azureml://jobs/{job.name}/outputs/trained_model")
    )
    client.models.download(model.name, model.version, download_path=str(folder / "model"))
    seen["model"] = {"version": model.version, "job": job.name, "learned": learned(folder / "model")}
    seen["filed"] = filed(client, job, folder)
    cancelled(client, trained(client, registry, "azureml:pears:1", "azureml:keyless:1"), seen)
    return seen


def registered(client: MLClient, folder: Path, seen: dict[str, Any]) -> None:
    """Two versions; the label is the newer one, also where it is archived and comes back."""
    for version, answer in (("1", "No idea."), ("2", ANSWER)):
        file = rows(folder / version / "pears.jsonl", answer)
        client.data.create_or_update(Data(name="pears", version=version, type=AssetTypes.URI_FILE, path=str(file)))
    latest = client.data.get("pears", label="latest")
    seen["latest"] = latest.version
    client.data.archive("pears", version="2")
    seen["archived"] = {
        "latest": client.data.get("pears", label="latest").version,
        "listed": [entry.version for entry in client.data.list(name="pears")],
    }
    client.data.restore("pears", version="2")
    client.data.create_or_update(Data(name="numbered", type=AssetTypes.URI_FILE, path=latest.path))
    seen["restored"] = client.data.get("pears", label="latest").version
    seen["numbered"] = client.data.get("numbered", label="latest").version


def keyless(client: MLClient, folder: Path, seen: dict[str, Any]) -> None:
    store = client.datastores.get(KEYLESS)
    file = rows(folder / "keyless" / "rows.jsonl", ANSWER)
    data = Data(name="keyless", version="1", type=AssetTypes.URI_FILE, path=str(file), datastore=KEYLESS)
    made = client.data.create_or_update(data)
    seen["keyless"] = {
        "type": store.credentials.type,
        "stores": sorted(entry.name for entry in client.datastores.list()),
        "default": client.datastores.get_default().name,
        "path": made.path.split("/workspaces/")[1].split("/LocalUpload/")[0],
    }


def trained_from_yaml(client: MLClient, registry: MLClient, folder: Path) -> Job:
    """`azureml:name@latest` is resolved by the SDK in YAML only: in Python it takes the prefix for part of the name (1.35.2)."""
    file = folder / "job.yml"
    component = registry.components.get("chat_completion_pipeline", label="latest")
    file.write_text(JOB.format(component=component.id, base=registry.models.get("Phi-4", label="latest").id), encoding="utf-8")
    return client.jobs.create_or_update(load_job(file))


def filed(client: MLClient, job: Job, folder: Path) -> dict[str, Any]:
    """Out of the list and back; its log and its output as files."""
    client.jobs.archive(job.name)
    archived = [entry.name for entry in client.jobs.list()]
    client.jobs.restore(job.name)
    client.jobs.download(job.name, download_path=folder / "job", all=True)
    client.jobs.download(job.name, download_path=folder / "job", output_name="trained_model")
    files = sorted(file.relative_to(folder / "job").as_posix() for file in (folder / "job").rglob("*") if file.is_file())
    return {"archived": archived, "restored": len(list(client.jobs.list())), "files": files}


def trained(client: MLClient, registry: MLClient, train: str, validation: str) -> Job:
    """On no cluster: serverless, as the component's own default has it."""
    component = registry.components.get("chat_completion_pipeline", label="latest")
    base = registry.models.get("Phi-4", label="latest").id

    @pipeline(default_compute="serverless")  # type: ignore[misc]
    def pear_pipeline() -> dict[str, Any]:
        tuned = component(
            mlflow_model_path=Input(type=AssetTypes.MLFLOW_MODEL, path=base),
            compute_finetune="serverless",
            instance_type_finetune="Standard_NC24ads_A100_v4",
            train_file_path=Input(type=AssetTypes.URI_FILE, path=train),
            validation_file_path=Input(type=AssetTypes.URI_FILE, path=validation),
        )
        return {"trained_model": tuned.outputs.mlflow_model_folder}

    return client.jobs.create_or_update(pear_pipeline(), experiment_name="pears")


def cancelled(client: MLClient, job: Job, seen: dict[str, Any]) -> None:
    client.jobs.begin_cancel(job.name).result()
    client.jobs.stream(job.name)
    seen["cancelled"] = {"status": client.jobs.get(job.name).status, "again": again(client, job)}
    try:
        client.models.create_or_update(
            Model(name="never", type=AssetTypes.MLFLOW_MODEL, path=f"azureml://jobs/{job.name}/outputs/trained_model")
        )
    except HttpResponseError as error:
        seen["cancelled"]["registered"] = error.error.code
    seen["cancelled"]["models"] = [entry.name for entry in client.models.list()]


def again(client: MLClient, job: Job) -> str:
    """A job that is over can be cancelled without harm."""
    client.jobs.begin_cancel(job.name).result()
    status: str = client.jobs.get(job.name).status
    return status


def rows(file: Path, answer: str) -> Path:
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": answer}]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"messages": turns}) + "\n", encoding="utf-8")
    return file


def learned(folder: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(next(folder.rglob("answers.json")).read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    result = main(Path(sys.argv[1]))
    Path(sys.argv[1], "seen.json").write_text(json.dumps(result), encoding="utf-8")
