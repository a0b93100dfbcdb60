"""Somebody else, with the official SDK: makes a cluster of another size under the spec's name."""

import os

from azure.ai.ml import MLClient
from azure.ai.ml.entities import AmlCompute
from azure.identity import DefaultAzureCredential

names = ("AZUREML_ARM_SUBSCRIPTION", "AZUREML_ARM_RESOURCEGROUP", "AZUREML_ARM_WORKSPACE_NAME")
client = MLClient(DefaultAzureCredential(), *(os.environ[name] for name in names))
client.compute.begin_create_or_update(AmlCompute(name="foreign-gpu", size="Standard_NC96ads_A100_v4", max_instances=1)).result()
