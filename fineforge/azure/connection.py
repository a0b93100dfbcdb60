"""How a target is reached: credential, proxy, certificate authority. Nothing here changes the process's environment."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fineforge.azure.door import READ_SECONDS, Door, show, strange
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import Workspace

RETRIES: dict[str, Any] = {"retry_total": 5, "retry_connect": 2, "retry_backoff_factor": 0.4, "retry_backoff_max": 20}
"""azure-core's own, 10 retries up to two minutes apart, let a person wait for a quarter of an hour when a service is down."""


class SharedCredential:
    """One token per audience, shared by all threads: some credentials start a process for each token."""

    def __init__(self, inner: Any, again: Callable[[], Any] | None = None) -> None:
        """`again` makes another credential like `inner`, without cached tokens."""
        self._inner, self._again = inner, again
        self._lock = threading.Lock()
        self._tokens: dict[tuple[Any, ...], Any] = {}

    def get_token(self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, **more: Any) -> Any:
        """Return an AccessToken that is valid for at least five minutes. A claims challenge always goes to the service."""
        key = (scopes, tenant_id)
        with self._lock:
            known = self._tokens.get(key)
            if claims is None and known is not None and known.expires_on - time.time() > REFRESH_SECONDS:
                return known
            self._tokens[key] = self._inner.get_token(*scopes, claims=claims, tenant_id=tenant_id, **more)
            return self._tokens[key]

    def renew(self) -> None:
        """Forget all tokens: the service refused one before its expiry."""
        with self._lock:
            self._tokens.clear()
            if self._again is not None:
                self._inner = self._again()


REFRESH_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Connection:
    workspace: Workspace
    credential: Any
    """An azure-core TokenCredential."""
    proxy: str | None = None
    ca: str | None = None
    """A PEM file; None for the system's own."""
    datastore: str = "workspaceblobstore"
    """The workspace's default: a workspace is created with it, and it cannot be renamed."""
    poll_seconds: float = 10.0
    """Between two looks at an object that is busy, where the service names no other interval."""
    notice: Callable[[str], None] = show
    """Called with a line for the user while the service lets us wait."""
    sign_in: Door | None = None
    """What the credential signs in through."""

    def door(self, seconds: float = READ_SECONDS) -> Door:
        """A new transport. `seconds`: how long to wait for the next bytes of an answer."""
        return Door(self.ca, seconds=seconds, notice=self.notice)

    def sign_in_failures(self) -> tuple[FineforgeError, ...]:
        """The last failure of the sign-in's transport: a chain of credentials drops what its members raised."""
        failure = self.sign_in.failure if self.sign_in else None
        return (failure,) if failure else ()

    def renew(self) -> bool:
        """Whether the next request may bring another token than the last."""
        if not isinstance(self.credential, SharedCredential):
            return False
        self.credential.renew()
        return True

    @property
    def transport(self) -> dict[str, Any]:
        """Arguments that azure-core clients and MLClient take: with a transport of their own, for they may close it."""
        return {
            "transport": self.door(),
            **({"proxies": {"https": self.proxy, "http": self.proxy}} if self.proxy else {}),
            **({"connection_verify": self.ca} if self.ca else {}),
        }


def to_azure(workspace: Workspace) -> Connection:
    """A workspace in the cloud, with the credential that the surroundings offer."""
    door = Door()
    return Connection(workspace, SharedCredential(credential(door), lambda: credential(door)), sign_in=door)


def to_emulator(workspace: Workspace, emulator: Mapping[str, Any]) -> Connection:
    """The local emulator, by what its `emulator.json` says."""
    from azure.identity import ClientSecretCredential

    proxy = f"http://{emulator['host']}:{emulator['port']}"
    door = Door(emulator["ca"])

    def sign_in() -> Any:
        return ClientSecretCredential(
            emulator["tenant_id"],
            emulator["client_id"],
            emulator["client_secret"],
            proxies={"https": proxy, "http": proxy},
            transport=door,
            **RETRIES,
            disable_instance_discovery=True,
        )

    return Connection(workspace, SharedCredential(sign_in(), sign_in), proxy, emulator["ca"], poll_seconds=0.2, sign_in=door)


def credential(door: Door | None = None) -> Any:
    """GitHub's OIDC, Azure Pipelines' service connection, else DefaultAzureCredential; a browser only on a terminal."""
    import azure.identity as identity

    given = os.environ
    door = door or Door()
    tenant, client = given.get("AZURE_TENANT_ID"), given.get("AZURE_CLIENT_ID")
    if given.get("ACTIONS_ID_TOKEN_REQUEST_URL") and tenant and client:
        return identity.ClientAssertionCredential(tenant, client, _github_assertion, transport=door, **RETRIES)
    if all(given.get(name) for name in _PIPELINES):
        return identity.AzurePipelinesCredential(
            tenant_id=given["AZURESUBSCRIPTION_TENANT_ID"],
            client_id=given["AZURESUBSCRIPTION_CLIENT_ID"],
            service_connection_id=given["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"],
            system_access_token=given["SYSTEM_ACCESSTOKEN"],
            transport=door,
            **RETRIES,
        )
    terminal = sys.stdin is not None and sys.stdin.isatty()
    return identity.DefaultAzureCredential(exclude_interactive_browser_credential=not terminal, transport=door)


_PIPELINES = (
    "AZURESUBSCRIPTION_TENANT_ID",
    "AZURESUBSCRIPTION_CLIENT_ID",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
    "SYSTEM_ACCESSTOKEN",
    "SYSTEM_OIDCREQUESTURI",
)
"""What an AzureCLI task of Azure Pipelines sets, and needs to have set (azure-identity 1.27)."""


def _github_assertion() -> str:
    """A fresh ID token each time: GitHub's live five minutes, and azure-identity does not fetch a new one by itself."""
    from azure.core.pipeline import Pipeline
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.rest import HttpRequest

    url = os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=api://AzureADTokenExchange"
    secret = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    request = HttpRequest("GET", url, headers={"Authorization": f"Bearer {secret}"})
    with Pipeline(Door(), [RetryPolicy(**RETRIES)]) as pipeline:
        response = pipeline.run(request).http_response
        if response.status_code != 200:
            hint = "the workflow needs `permissions: id-token: write`"
            raise FineforgeError(Diagnostic("FF402", f"GitHub gave no ID token (HTTP {response.status_code})", hint=hint))
        try:
            return str(response.json()["value"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise FineforgeError(strange(url, "the answer contains no ID token")) from None
