"""State and rules of Azure Machine Learning, free of HTTP. `Cloud` is the front."""

from fineforge.emulator.models.base import Operation, Reply, Settings
from fineforge.emulator.models.cloud import Cloud
from fineforge.emulator.models.errors import AzureError
from fineforge.emulator.models.runner import BaseModel, JobToRun, Reports, Runner
from fineforge.emulator.models.scoring import Route

__all__ = ["AzureError", "BaseModel", "Cloud", "JobToRun", "Operation", "Reply", "Reports", "Route", "Runner", "Settings"]
