"""Leases on blobs, through azure-storage-blob: `gateway.Leases` for Azure, for the emulator, and for any server of the protocol.

Where the container is, and by which credential it opens, comes by argument. What a lease is good for is
`fineforge.execution.lease`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fineforge.azure import storage
from fineforge.azure.connection import Connection
from fineforge.azure.errors import diagnose, first_line
from fineforge.azure.http import Http
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import Leased

FOLDER = "fineforge/leases"
RETRIES = 2
SECONDS = 10
"""For one answer: a renewal that hangs must leave time for the next one."""
_ABOUT = {"what": "The apply lease of a fineforge spec. The metadata of this blob names its last holder."}
_OTHERS = {409: False, 412: False}
"""Statuses of the refusals that mean that somebody else has it, where the code speaks of a lease (blob-service-error-codes)."""
_WAY_OUT = "`--lock=false` applies without a lease, so nothing prevents a second apply"


def of_datastore(http: Http, connection: Connection) -> BlobLeases:
    """In the workspace's default datastore, by account key, SAS or the caller's own identity."""

    def opened() -> tuple[str, Any]:
        from azure.storage.blob import ContainerClient

        from fineforge.azure.patience import Patience

        try:
            account, container, credential = storage.access(http, connection)
        except FineforgeError as error:
            said = error.diagnostics[0]
            hint = "; ".join(part for part in (said.hint, _WAY_OUT) if part)
            raise FineforgeError(Diagnostic("FF532", f"the apply lease: {said.message}", hint=hint)) from None
        again = Patience(min(connection.poll_seconds, 2), RETRIES)
        more = {**connection.transport, "transport": connection.door(SECONDS), "retry_policy": again}
        return account, ContainerClient(f"https://{account}.blob.core.windows.net", container, credential, **more)

    return BlobLeases(opened)


class BlobLeases:
    """`opened` gives the account's name and a ContainerClient. It is asked again where the storage no longer takes the
    credential: a SAS lives for an hour, an apply for many."""

    def __init__(self, opened: Callable[[], tuple[str, Any]]) -> None:
        self._opened = opened
        self._account, self._container = opened()

    def take(self, name: str, lease: str, seconds: int) -> bool:
        def acquire() -> bool:
            return self._confirmed(self._lease(name, lease), lambda client: client.acquire(seconds), lease)

        taken = self._call(name, acquire, {404: None, **_OTHERS})
        if taken is None:
            self._make(name)
            taken = self._call(name, acquire, _OTHERS)
        return bool(taken)

    def take_over(self, name: str, old: str, lease: str) -> bool:
        """Changing a lease's id is one step, which only one can win; breaking and taking it would be two."""
        return self._done(
            name, lambda: self._confirmed(self._lease(name, old), lambda client: client.change(lease), lease)
        ) and self.renew(name, lease)

    def write(self, name: str, lease: str, note: Mapping[str, str]) -> None:
        self._call(name, lambda: self._blob(name).set_blob_metadata(dict(note), lease=lease))

    def renew(self, name: str, lease: str) -> bool:
        return self._done(name, lambda: self._confirmed(self._lease(name, lease), lambda client: client.renew(), lease))

    def release(self, name: str, lease: str) -> None:
        self._done(name, lambda: self._lease(name, lease).release())

    def end(self, name: str) -> bool:
        """Of a lease that has run out already, the storage ends what is left."""
        return self._done(name, lambda: self._lease(name).break_lease(lease_break_period=0))

    def read(self, name: str) -> Leased | None:
        found = self._call(name, lambda: _leased(name, self._blob(name).get_blob_properties()), {404: None})
        return found if isinstance(found, Leased) else None

    def list(self, project: str = "") -> Sequence[Leased]:
        prefix = f"{FOLDER}/{project}/" if project else f"{FOLDER}/"

        def listed() -> Sequence[Leased]:
            rows = self._container.list_blobs(name_starts_with=prefix, include=["metadata"])
            return [_leased(row.name.removeprefix(f"{FOLDER}/").removesuffix(".json"), row) for row in rows]

        found: Sequence[Leased] = self._call(prefix, listed)
        return found

    def _make(self, name: str) -> None:
        """The blob that is leased. Somebody may make it, and lease it, at the same moment."""
        self._done(name, lambda: self._blob(name).upload_blob(json.dumps(_ABOUT).encode(), overwrite=False))

    def _done(self, name: str, call: Callable[[], Any]) -> bool:
        """Whether it was done; False where somebody else has the lease, or nobody."""

        def done() -> bool:
            call()
            return True

        return bool(self._call(name, done, {404: False, **_OTHERS}))

    def _call(self, name: str, call: Callable[[], Any], instead: Mapping[int, Any] | None = None) -> Any:
        """The call's answer, or what stands for a refusal of that status. FF532 for every other one."""
        from azure.core.exceptions import AzureError, HttpResponseError

        for again in (True, False):
            try:
                return call()
            except HttpResponseError as error:
                status, code = error.status_code, storage.code_of(error)
                if status in (instead or {}) and code.startswith(("Lease", "Blob")):
                    return (instead or {})[status]
                if status not in (401, 403) or not again:
                    raise FineforgeError(self._refused(name, status, code, error)) from None
                self._account, self._container = self._opened()
            except AzureError as error:
                raise FineforgeError(self._unreachable(name, error)) from None
            except (AttributeError, KeyError, TypeError, ValueError, SyntaxError) as error:  # SyntaxError: XML that is none.
                raise FineforgeError(self._unreachable(name, error)) from None
        raise AssertionError  # The second time either answers or raises.

    def _refused(self, name: str, status: int | None, code: str, error: Any) -> Diagnostic:
        words = first_line(error).removeprefix(f"({code}) ")
        said = diagnose(status, code, words, f"apply lease of {name}")
        cause = said.hint if said.code in ("FF406", "FF407") else _cause(code, self._account)
        return Diagnostic("FF532", said.message, hint=f"{cause}; {_WAY_OUT}")

    def _unreachable(self, name: str, error: Exception) -> Diagnostic:
        hint = f"the storage account `{self._account}` may only be reachable from its own network; {_WAY_OUT}"
        return Diagnostic("FF532", f"`apply lease of {name}`: {first_line(error)}", hint=hint)

    def _confirmed(self, client: Any, call: Callable[[Any], Any], lease: str) -> bool:
        """True if the storage itself confirms the lease: a page with 200 is not a lease."""
        call(client)
        if client.id != lease:
            raise ValueError("the answer confirms no lease")
        return True

    def _blob(self, name: str) -> Any:
        return self._container.get_blob_client(f"{FOLDER}/{name}.json")

    def _lease(self, name: str, lease: str | None = None) -> Any:
        from azure.storage.blob import BlobLeaseClient

        return BlobLeaseClient(self._blob(name), lease)


def _leased(name: str, properties: Any) -> Leased:
    if not properties.etag or properties.lease.state is None:
        raise ValueError("the answer describes no lease")
    return Leased(name, properties.lease.state in ("leased", "breaking"), dict(properties.metadata or {}))


def _cause(code: str, account: str) -> str:
    """What mostly lies behind a refusal (storage-troubleshoot-403-errors)."""
    match code:
        case "AuthorizationPermissionMismatch":
            return f"the role Storage Blob Data Contributor on the storage account `{account}` is missing"
        case "AuthorizationFailure":
            return f"the firewall of the storage account `{account}` blocks this network"
        case "KeyBasedAuthenticationNotPermitted":
            return f"`{account}` rejects keys: the workspace's default datastore must be one without credentials"
    return f"it needs the role Storage Blob Data Contributor on `{account}`, and a network that its firewall lets in"
