"""How a target is reached: credential, proxy, certificate authority. Nothing here changes the process's environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.gateway import Workspace


@dataclass(frozen=True, slots=True)
class Connection:
    workspace: Workspace
    credential: Any
    """An azure-core TokenCredential."""
    proxy: str | None = None
    ca: str | None = None
    """A PEM file; None for the system's own."""
    poll_seconds: float = 10.0
    """Between two looks at an object that is busy, where the service names no other interval."""

    @property
    def transport(self) -> dict[str, Any]:
        """Arguments that azure-core clients, azure-identity and MLClient all take."""
        return {
            **({"proxies": {"https": self.proxy, "http": self.proxy}} if self.proxy else {}),
            **({"connection_verify": self.ca} if self.ca else {}),
        }


def to_azure(workspace: Workspace) -> Connection:
    """A workspace in the cloud, with the credential that the surroundings offer."""
    return Connection(workspace, _credential())


def to_emulator(workspace: Workspace, emulator: Mapping[str, Any]) -> Connection:
    """The local emulator, by what its `emulator.json` says."""
    from azure.identity import ClientSecretCredential

    proxy = f"http://{emulator['host']}:{emulator['port']}"
    credential = ClientSecretCredential(
        emulator["tenant_id"],
        emulator["client_id"],
        emulator["client_secret"],
        proxies={"https": proxy, "http": proxy},
        connection_verify=emulator["ca"],
        disable_instance_discovery=True,
    )
    return Connection(workspace, credential, proxy, emulator["ca"], poll_seconds=0.2)


def _credential() -> Any:
    """GitHub's OIDC, Azure Pipelines' service connection, else DefaultAzureCredential; a browser only on a terminal."""
    tenant, client = os.environ.get("AZURE_TENANT_ID"), os.environ.get("AZURE_CLIENT_ID")
    if os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL") and tenant and client:
        from azure.identity import ClientAssertionCredential

        return ClientAssertionCredential(tenant, client, _github_assertion)
    connection = os.environ.get("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")
    token = os.environ.get("SYSTEM_ACCESSTOKEN")
    if connection and token:
        from azure.identity import AzurePipelinesCredential

        return AzurePipelinesCredential(
            tenant_id=os.environ.get("AZURESUBSCRIPTION_TENANT_ID", tenant or ""),
            client_id=os.environ.get("AZURESUBSCRIPTION_CLIENT_ID", client or ""),
            service_connection_id=connection,
            system_access_token=token,
        )
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential(exclude_interactive_browser_credential=not sys.stdin.isatty())


def _github_assertion() -> str:
    """A fresh ID token each time: GitHub's live five minutes, and azure-identity does not fetch a new one by itself."""
    from azure.core.pipeline import Pipeline
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.pipeline.transport import RequestsTransport
    from azure.core.rest import HttpRequest

    url = os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=api://AzureADTokenExchange"
    request = HttpRequest("GET", url, headers={"Authorization": f"Bearer {os.environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"})
    with Pipeline(RequestsTransport(), [RetryPolicy()]) as pipeline:
        response = pipeline.run(request).http_response
        if response.status_code != 200:
            hint = "the workflow needs `permissions: id-token: write`"
            raise FineforgeError(Diagnostic("FF402", f"GitHub gave no ID token (HTTP {response.status_code})", hint=hint))
        return str(response.json()["value"])
