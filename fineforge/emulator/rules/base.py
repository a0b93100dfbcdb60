"""What every kind of object shares: the reply, the operation, where the emulated workspace is, and the interface of a kind.

Here belong values. Rules of one kind are in that kind's file; the words of errors are in `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fineforge.emulator.rules.errors import not_allowed

Body = dict[str, Any]
Key = tuple[str, ...]
"""compute (name,), data and model (name, version), job (name,), endpoint (name,), deployment (endpoint, name)."""

OPERATION_API = "2022-02-01-preview"


@dataclass(frozen=True, slots=True)
class Operation:
    """A long operation. `family` tells its status address: `compute` computeOperationsStatus, `mfe` mfeOperationsStatus."""

    id: str
    family: str
    kind: str
    path: Key
    action: str
    """`create`, `update` or `delete`; jobs: `start`, `finish` (family `job`, never shown to a client)."""
    status: str
    """`Running`, `Succeeded` or `Failed`; how a client sees it: `Cloud.get("operation", (id,))`."""
    started: float
    """Seconds since the epoch."""
    error: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the service, still without HTTP. `operation` is set where Azure answers with Azure-AsyncOperation."""

    status: int
    body: Any = None
    operation: Operation | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the emulated workspace is, and who asks."""

    tenant_id: str = "22222222-2222-4222-8222-222222222222"
    subscription_id: str = "00000000-0000-4000-8000-000000000001"
    resource_group: str = "fineforge-local"
    workspace: str = "local"
    workspace_id: str = "55555555-5555-4555-8555-555555555555"
    location: str = "eastus"
    registry: str = "azureml"
    storage_account: str = "fineforgelocal"
    user: str = "local user"
    principal_id: str = "77777777-7777-4777-8777-777777777777"
    metadata_era: str = "B"
    """Of the registry's models: `A` tags, `B` systemMetadata (since June 2026)."""

    @property
    def workspace_path(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
        )

    @property
    def container(self) -> str:
        """Of the default datastore."""
        return f"azureml-blobstore-{self.workspace_id}"

    @property
    def location_path(self) -> str:
        return f"/subscriptions/{self.subscription_id}/providers/Microsoft.MachineLearningServices/locations/{self.location}"

    def operation_url(self, operation: Operation) -> str:
        """As recorded."""
        collection = "computeOperationsStatus" if operation.family == "compute" else "mfeOperationsStatus"
        service = "&service=new" if operation.family == "compute" else ""
        return (
            f"https://management.azure.com{self.location_path}/{collection}/{operation.id}?api-version={OPERATION_API}{service}"
        )


class Kind:
    """The verbs of one kind of object. What a kind does not offer is refused with 405, as ARM does."""

    name = ""

    def put(self, path: Key, body: Body) -> Reply:
        raise not_allowed("PUT", self.name)

    def patch(self, path: Key, body: Body) -> Reply:
        raise not_allowed("PATCH", self.name)

    def get(self, path: Key) -> Reply:
        raise not_allowed("GET", self.name)

    def list(self, parent: Key, view: str) -> Reply:
        raise not_allowed("GET", self.name)

    def delete(self, path: Key) -> Reply:
        raise not_allowed("DELETE", self.name)

    def post(self, path: Key, verb: str, body: Body) -> Reply:
        raise not_allowed(f"POST {verb}", self.name)

    def finish(self, operation: Operation) -> Mapping[str, str] | None:
        """The effect of a long operation of this kind, when the lifecycle says that it is over; answers its error, if it fails.

        `operation.error` is set where the runner, or a planted failure, has failed it already.
        """
        raise NotImplementedError(self.name)

    def resume(self) -> None:
        """Hands the runner what it must know after a restart."""
