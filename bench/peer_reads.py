"""The peer of a plan without changes: the same objects, read through MLClient, one after the other as a script does it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential

from fineforge import engine

names = ("AZUREML_ARM_SUBSCRIPTION", "AZUREML_ARM_RESOURCEGROUP", "AZUREML_ARM_WORKSPACE_NAME")
credential = DefaultAzureCredential()
client = MLClient(credential, *(os.environ[name] for name in names))
registry = MLClient(credential, registry_name="azureml")
spec = engine.SpecFile.read(Path(sys.argv[1])).spec

read = {
    "compute": lambda entry: client.compute.get(entry["name"]),
    "data": lambda entry: client.data.get(entry["name"], version=entry["version"]),
    "job": lambda entry: client.jobs.get(entry["name"]),
    "model": lambda entry: client.models.get(entry["name"], version=entry["version"]),
    "endpoint": lambda entry: client.online_endpoints.get(entry["name"]),
    "deployment": lambda entry: client.online_deployments.get(entry["name"], entry["parent"]),
}

client.workspaces.get(os.environ[names[2]])
registry.models.get(spec.model.name, version=spec.model.version)
registry.components.get("chat_completion_pipeline", version=spec.component.version)
client.compute.list_sizes()
for endpoint in (wanted["name"] for wanted in json.loads(sys.argv[2]) if wanted["kind"] == "endpoint"):
    list(client.online_deployments.list(endpoint))
for wanted in json.loads(sys.argv[2]):
    read[wanted["kind"]](wanted)
