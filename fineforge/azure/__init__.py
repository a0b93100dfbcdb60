"""Azure: the only package that imports `azure.*`.

Reads are raw ARM requests (ready in a third of a second); `azure.ai.ml` is imported when something is created, not before.
"""

from fineforge.azure.connection import Connection
from fineforge.azure.gateway import AzureGateway

__all__ = ["AzureGateway", "Connection"]
