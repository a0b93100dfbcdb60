"""A world to try Azure's rules on: the rules themselves, without HTTP, and bodies that are right until a test spoils them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fineforge.emulator.lifecycle import Lifecycle, Progression
from fineforge.emulator.rules import Cloud, Reply, Settings
from fineforge.emulator.runner.instant import InstantRunner
from fineforge.emulator.storage.store import Store

COMPONENT = "azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.82"
BASE = "azureml://registries/azureml/models/Phi-4/versions/8"
CONVERSATION = [{"role": "user", "content": "When do you open?"}, {"role": "assistant", "content": "At nine."}]


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class World:
    def __init__(
        self, home: Path, progression: Progression = Progression.INSTANT, store: Store | None = None, runner: Any = None
    ) -> None:
        self.clock = Clock()
        self.runner = runner or InstantRunner()
        self.settings = Settings()
        lifecycle = Lifecycle(progression, clock=self.clock)
        self.cloud = Cloud(home, self.runner, store or Store(), lifecycle, self.settings)

    def compute_body(self, **cluster: Any) -> dict[str, Any]:
        scale = {"minNodeCount": 0, "maxNodeCount": 1, "nodeIdleTimeBeforeScaleDown": "PT2M"}
        properties = {"vmSize": "Standard_NC24ads_A100_v4", "vmPriority": "Dedicated", "scaleSettings": scale} | cluster
        return {"location": "eastus", "properties": {"computeType": "AmlCompute", "properties": properties}}

    def data_body(
        self, uri: str = "azureml://datastores/workspaceblobstore/paths/up/train.jsonl", **properties: Any
    ) -> dict[str, Any]:
        return {"properties": {"dataType": "uri_file", "dataUri": uri, "tags": {}} | properties}

    def job_body(self, inputs: dict[str, str] | None = None, **properties: Any) -> dict[str, Any]:
        literals = {"num_train_epochs": "1", "learning_rate": "5e-06"} | (inputs or {})
        given: dict[str, Any] = {name: {"job_input_type": "literal", "value": value} for name, value in literals.items()}
        given["mlflow_model_path"] = {"job_input_type": "mlflow_model", "uri": BASE}
        given.setdefault("train_file_path", {"job_input_type": "uri_file", "uri": "azureml:train:1"})
        node = {
            "name": "ft",
            "type": "pipeline",
            "componentId": COMPONENT,
            "inputs": given,
            "outputs": {"mlflow_model_folder": {"type": "literal", "value": "${{parent.outputs.trained_model}}"}},
        }
        return {
            "properties": {
                "jobType": "Pipeline",
                "displayName": "a job",
                "experimentName": "tests",
                "tags": {"team": "x"},
                "properties": {},
                "inputs": {},
                "jobs": {"ft": node},
                "outputs": {"trained_model": {"jobOutputType": "mlflow_model"}},
                "settings": {"force_rerun": True, "_source": "YAML.JOB"},
            }
            | properties
        }

    def model_body(self, uri: str = "azureml://jobs/done/outputs/trained_model") -> dict[str, Any]:
        return {"properties": {"modelType": "mlflow_model", "modelUri": uri, "tags": {}}}

    def endpoint_body(self, **properties: Any) -> dict[str, Any]:
        return {"location": "eastus", "properties": {"authMode": "Key", "traffic": {}, "properties": {}} | properties}

    def deployment_body(self, instances: int = 1, **properties: Any) -> dict[str, Any]:
        model = f"{self.settings.workspace_path}/models/tuned/versions/1"
        given = {"model": model, "instanceType": "Standard_DS3_v2"} | properties
        return {"location": "eastus", "sku": {"name": "Default", "capacity": instances}, "properties": given}

    def upload(self, name: str = "up/train.jsonl") -> None:
        target = self.cloud.blobs.path(self.settings.container, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps({"messages": CONVERSATION}) + "\n")

    def compute(self, name: str = "gpu", **cluster: Any) -> Reply:
        return self.cloud.put("compute", (name,), self.compute_body(**cluster))

    def data(self) -> Reply:
        self.upload()
        return self.cloud.put("data", ("train", "1"), self.data_body())

    def job(self, name: str = "done") -> Reply:
        self.data()
        return self.cloud.put("job", (name,), self.job_body())

    def model(self) -> Reply:
        self.job()
        return self.cloud.put("model", ("tuned", "1"), self.model_body())

    def endpoint(self, name: str = "answers") -> Reply:
        return self.cloud.put("endpoint", (name,), self.endpoint_body())

    def deployed(self, name: str = "blue", traffic: int = 0) -> Reply:
        """Everything up to a deployment of `answers`."""
        self.model()
        self.endpoint()
        reply = self.cloud.put("deployment", ("answers", name), self.deployment_body())
        if traffic:
            self.traffic({name: traffic})
        return reply

    def traffic(self, traffic: dict[str, Any]) -> Reply:
        body = self.cloud.get("endpoint", ("answers",)).body
        body["properties"]["traffic"] = traffic
        return self.cloud.put("endpoint", ("answers",), body)

    def state(self, kind: str, *path: str) -> str:
        """The state without reading as a client does: a stepped lifecycle does not advance."""
        parent = path[:-1] if kind == "deployment" else ()
        for body in self.cloud.list(kind, parent, view="All").body["value"]:
            if body["name"] == path[-1]:
                return str(body["properties"].get("status") or body["properties"]["provisioningState"])
        return "absent"
