"""What clients put on the wire, by hand: the objects of a small project, one after the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.emulator.rules.world import World
from tests.support.running_emulator import RunningEmulator

BODIES = World(Path("unused"))
"""Only its bodies are used: the rules that it holds never run here."""

QUESTION, ANSWER = "When do you open?", "At nine."
SCORED = {"input_data": {"input_string": [{"role": "user", "content": QUESTION}]}}


def blob(emulator: RunningEmulator, name: str, query: str = "") -> str:
    where = emulator.facts
    container = BODIES.settings.container
    return f"https://{where['storage_account']}.blob.core.windows.net/{container}/{name}{f'?{query}' if query else ''}"


def history(emulator: RunningEmulator, rest: str) -> str:
    return f"https://eastus.api.azureml.ms/history/v1.0{emulator.workspace}/{rest}"


def registry(rest: str, name: str = "azureml") -> str:
    root = "https://cert-eastus.experiments.azureml.net/mferp/managementfrontend/subscriptions/s/resourceGroups/registry-rg"
    return f"{root}/providers/Microsoft.MachineLearningServices/registries/{name}/{rest}"


def put(emulator: RunningEmulator, path: str, body: dict[str, Any], expected: int = 201) -> dict[str, Any]:
    answer = emulator.send("PUT", path, body)
    assert answer.status_code == expected, answer.text
    found: dict[str, Any] = answer.json()
    return found


def upload(emulator: RunningEmulator, name: str = "up/train.jsonl", content: bytes | None = None) -> None:
    row = {"messages": [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]}
    headers = {"x-ms-blob-type": "BlockBlob"}
    sent = emulator.send("PUT", blob(emulator, name), headers=headers, data=content or json.dumps(row).encode())
    assert sent.status_code == 201, sent.text


def trained(emulator: RunningEmulator) -> None:
    """Data, a job that is done, and its model."""
    upload(emulator)
    put(emulator, "data/train/versions/1", BODIES.data_body())
    put(emulator, "jobs/done", BODIES.job_body())
    put(emulator, "models/tuned/versions/1", BODIES.model_body())


def deployed(emulator: RunningEmulator, endpoint: str = "answers", **traffic: int) -> dict[str, str]:
    """A deployment for each name of the traffic; the endpoint's keys."""
    trained(emulator)
    body = put(emulator, f"onlineEndpoints/{endpoint}", BODIES.endpoint_body())
    for name in traffic:
        put(emulator, f"onlineEndpoints/{endpoint}/deployments/{name}", BODIES.deployment_body())
    body["properties"]["traffic"] = traffic
    put(emulator, f"onlineEndpoints/{endpoint}", body, 200)
    keys: dict[str, str] = emulator.send("POST", f"onlineEndpoints/{endpoint}/listKeys").json()
    return keys


def score(emulator: RunningEmulator, key: str, endpoint: str = "answers", **headers: str) -> Any:
    url = f"https://{endpoint}.eastus.inference.ml.azure.com/score"
    return emulator.send("POST", url, SCORED, headers={"Authorization": f"Bearer {key}"} | headers, token=None)
