"""State and rules of Azure Machine Learning, free of HTTP. `Cloud` is the front."""

from fineforge.emulator.rules.base import Operation, Reply, Settings
from fineforge.emulator.rules.cloud import Cloud
from fineforge.emulator.rules.errors import AzureError
from fineforge.emulator.rules.runner import BaseModel, JobToRun, Reports, Runner
from fineforge.emulator.rules.scoring import Route

__all__ = ["AzureError", "BaseModel", "Cloud", "JobToRun", "Operation", "Reply", "Reports", "Route", "Runner", "Settings"]
