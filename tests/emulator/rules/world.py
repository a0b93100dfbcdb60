"""A world to try Azure's rules on: the rules themselves, without HTTP, and bodies that are right until a test spoils them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fineforge.emulator.lifecycle import Lifecycle, Progression
from fineforge.emulator.rules import Cloud, Reply, Settings
from fineforge.emulator.runner.instant import InstantRunner
from fineforge.emulator.storage.store import Store
from tests.support.azure_bodies import sent, upload

COMPONENT = "azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.82"
BASE = "azureml://registries/azureml/models/Phi-4/versions/8"


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
        scale = {"min_instances": 0, "max_instances": 1, "idle_time_before_scale_down": 120}
        body = self._sent("compute", {"size": "Standard_NC24ads_A100_v4", "tier": "dedicated", **scale})
        body["properties"]["properties"] |= cluster
        return body

    def data_body(
        self, uri: str = "azureml://datastores/workspaceblobstore/paths/up/train.jsonl", **properties: Any
    ) -> dict[str, Any]:
        return self._sent("data", {"type": "uri_file", "path": uri}, properties)

    def job_body(self, inputs: dict[str, str] | None = None, **properties: Any) -> dict[str, Any]:
        given: dict[str, Any] = {"num_train_epochs": "1", "learning_rate": "5e-06"} | (inputs or {})
        given["mlflow_model_path"] = {"type": "mlflow_model", "path": BASE}
        given.setdefault("train_file_path", {"type": "uri_file", "path": "azureml:train:1"})
        outputs = {"mlflow_model_folder": "${{parent.outputs.trained_model}}"}
        document = {
            "display_name": "a job",
            "experiment_name": "tests",
            "tags": {"team": "x"},
            "settings": {"force_rerun": True},
            "jobs": {"ft": {"component": COMPONENT, "inputs": given, "outputs": outputs}},
            "outputs": {"trained_model": {}},
        }
        return self._sent("job", document, properties)

    def model_body(self, uri: str = "azureml://jobs/done/outputs/trained_model") -> dict[str, Any]:
        return self._sent("model", {"type": "mlflow_model", "path": uri})

    def endpoint_body(self, **properties: Any) -> dict[str, Any]:
        return self._sent("endpoint", {"auth_mode": "key"}, properties)

    def deployment_body(self, instances: int = 1, **properties: Any) -> dict[str, Any]:
        machines = {"instance_type": "Standard_DS3_v2", "instance_count": instances}
        return self._sent("deployment", {"model": "azureml:tuned:1", **machines}, properties)

    def _sent(self, kind: str, document: dict[str, Any], properties: dict[str, Any] | None = None) -> dict[str, Any]:
        body = sent(kind, document, self.settings)
        body["properties"] |= properties or {}
        return body

    def upload(self, name: str = "up/train.jsonl") -> None:
        upload(self.cloud, name)

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
