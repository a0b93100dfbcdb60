"""Where the scripts of this folder work: the workspace that the environment names, as `config.json` or `az` defaults would."""

from __future__ import annotations

import os

from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential


def credential() -> DefaultAzureCredential:
    return DefaultAzureCredential()


def workspace() -> MLClient:
    place = [os.environ[f"AZUREML_ARM_{part}"] for part in ("SUBSCRIPTION", "RESOURCEGROUP", "WORKSPACE_NAME")]
    return MLClient(credential(), *place)
