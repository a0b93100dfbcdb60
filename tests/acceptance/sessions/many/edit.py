"""Somebody else, with the official SDK: raises the cluster's limit."""

import os

from azure.ai.ml import MLClient
from azure.ai.ml.entities import AmlCompute
from azure.identity import DefaultAzureCredential

names = ("AZUREML_ARM_SUBSCRIPTION", "AZUREML_ARM_RESOURCEGROUP", "AZUREML_ARM_WORKSPACE_NAME")
client = MLClient(DefaultAzureCredential(), *(os.environ[name] for name in names))
there = client.compute.get("flower-gpu")
wanted = AmlCompute(name=there.name, size=there.size, max_instances=4, idle_time_before_scale_down=120, tags=there.tags)
client.compute.begin_create_or_update(wanted).result()
