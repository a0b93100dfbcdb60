"""A model that was trained goes into a registry and is deployed from there, with nothing but azure-ai-ml.

Run it as `tutorial.py`, in a workspace that has the model `tuned:1`. It writes what it saw to `seen.json`.
"""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint, Model, Registry, RegistryRegionDetails
from azure.core.exceptions import HttpResponseError

from tests.emulator.sdk.places import credential, workspace

SHARED = "azureml://registries/Shop-Models/models/answers/versions/7"


def main(folder: Path) -> dict[str, Any]:
    client, seen = workspace(), {}
    here = RegistryRegionDetails(location="eastus")
    wanted = Registry(name="Shop-Models", location="eastus", replication_locations=[here], tags={"team": "x"})
    made = client.registries.begin_create(wanted).result()
    seen["registry"] = {"name": made.name, "listed": [entry.name for entry in client.registries.list()]}
    shared = client.models.share("tuned", "1", share_with_name="answers", share_with_version="7", registry_name="Shop-Models")
    registry = MLClient(credential(), registry_name="Shop-Models")
    seen["shared"] = {"id": shared.id, "type": shared.type, "tags": shared.tags}
    seen["again"] = refused(lambda: client.models.share(
        "tuned", "1", share_with_name="answers", share_with_version="7", registry_name="Shop-Models"
    ))  # fmt: skip
    registry.models.download("answers", "7", download_path=str(folder / "down"))
    upload(registry, folder, seen)
    seen["latest"] = registry.models.get("answers", label="latest").version
    seen["names"] = [entry.name for entry in registry.models.list()]
    seen["versions"] = [entry.version for entry in registry.models.list(name="answers")]
    deploy(client, folder, seen)
    client.registries.begin_delete(name="Shop-Models").wait()
    seen["left"] = [entry.name for entry in client.registries.list()]
    return seen


def upload(registry: MLClient, folder: Path, seen: dict[str, Any]) -> None:
    """The copy that was downloaded, with a file more, as the next version."""
    model = next((folder / "down").rglob("MLmodel")).parent
    (model / "README.md").write_text("changed by hand\n", encoding="utf-8")
    made = registry.models.create_or_update(Model(name="answers", version="8", type=AssetTypes.MLFLOW_MODEL, path=str(model)))
    registry.models.download("answers", "8", download_path=str(folder / "again"))
    seen["uploaded"] = {"id": made.id, "files": sorted(file.name for file in (folder / "again").rglob("*") if file.is_file())}


def deploy(client: MLClient, folder: Path, seen: dict[str, Any]) -> None:
    endpoint = ManagedOnlineEndpoint(name=f"shared-{uuid.uuid4().hex[:10]}", auth_mode="key")
    client.online_endpoints.begin_create_or_update(endpoint).wait()
    deployment = ManagedOnlineDeployment(
        name="blue", endpoint_name=endpoint.name, model=SHARED, instance_type="Standard_NC24ads_A100_v4", instance_count=1
    )
    made = client.online_deployments.begin_create_or_update(deployment).result()
    question = folder / "question.json"
    turns = [{"role": "user", "content": "When do you open?"}]
    question.write_text(json.dumps({"input_data": {"input_string": turns}}))
    answer = client.online_endpoints.invoke(endpoint.name, deployment_name="blue", request_file=str(question))
    seen["served"] = {"model": made.model, "answer": json.loads(answer)["output"]}


def refused(call: Any) -> str:
    try:
        call()
    except HttpResponseError as error:
        return f"{error.status_code} {error.message}"
    except Exception as error:
        return str(error)
    return "not refused"


if __name__ == "__main__":
    result = main(Path(sys.argv[1]))
    Path(sys.argv[1], "seen.json").write_text(json.dumps(result), encoding="utf-8")
