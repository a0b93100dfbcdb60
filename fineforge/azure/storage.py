"""Uploads into the workspace's default datastore, by account key, SAS, or the caller's own identity.

A blob carries `upload_status: completed` once it is whole, as the SDK marks its own; a whole blob is never sent again. Secrets
are held in memory for one upload and go nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fineforge.azure import paths
from fineforge.azure.connection import Connection
from fineforge.azure.door import object_of, part_of, strange
from fineforge.azure.errors import diagnose, first_line, refusal
from fineforge.azure.http import ARM, Http
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.host.files import open_regular

RETRIES = 3
"""Of one request, after a fault of the storage."""
_COMPLETED = {"upload_status": "completed"}


def upload(http: Http, connection: Connection, source: Path, destination: str) -> None:
    """Puts `source` at `destination` unless a whole blob is there already. Raises FF417 where the storage refuses."""
    from azure.core.exceptions import AzureError, HttpResponseError
    from azure.storage.blob import BlobClient

    from fineforge.azure.patience import Patience

    account, container, credential = access(http, connection)
    # The package's own way of trying again, 15 s and more apart, is silent for a minute and a half.
    again = Patience(connection.poll_seconds, RETRIES)
    url = f"https://{account}.blob.core.windows.net"
    client = BlobClient(url, container, destination, credential=credential, retry_policy=again, **connection.transport)
    try:
        with client:
            if _is_whole(client):
                return
            with open_regular(source) as stream:
                _put(client, stream)
    except HttpResponseError as error:
        name = code_of(error)
        words = first_line(error).removeprefix(f"({name}) ")
        said = diagnose(error.status_code, name, words, f"upload {destination}")
        code = said.code if said.code in ("FF403", "FF406") else "FF417"
        raise FineforgeError(
            Diagnostic(code, said.message, hint=said.hint or "check the storage account of the workspace")
        ) from None
    except AzureError as error:
        raise FineforgeError(Diagnostic("FF417", f"`upload {destination}`: {first_line(error)}")) from None


def size_of(http: Http, connection: Connection, uri: str) -> int | None:
    """Bytes of the first page of blobs below a path of the default datastore. None for any other address, and where the storage
    refuses to be listed: whoever may submit jobs need not be allowed to read what they leave."""
    from azure.core.exceptions import AzureError
    from azure.storage.blob import ContainerClient

    found = re.search(rf"^azureml://(?:subscriptions/.+/)?datastores/{connection.datastore}/paths/(.+)$", uri)
    if found is None:
        return None
    try:
        account, container, credential = access(http, connection)
        url = f"https://{account}.blob.core.windows.net"
        with ContainerClient(url, container, credential=credential, **connection.transport) as client:
            pages = client.list_blobs(name_starts_with=found[1].rstrip("/")).by_page()
            return sum(int(blob.size or 0) for blob in next(iter(pages), ()))
    except (AzureError, FineforgeError):
        return None


def _put(client: Any, stream: Any) -> None:
    """A 409 is no success by itself: it may be another upload of the same bytes that was first, or any other conflict."""
    from azure.core.exceptions import ResourceExistsError

    try:
        written = client.upload_blob(stream, overwrite=True, metadata=_COMPLETED, max_concurrency=1)
        if not written.get("etag"):
            raise FineforgeError(strange(client.url, "it confirms no blob"))
    except ResourceExistsError:
        if not _is_whole(client):
            raise


def access(http: Http, connection: Connection) -> tuple[str, str, Any]:
    """Account, container and credential of the default datastore; an identity-only one takes the caller's token."""
    root = f"{ARM}{paths.workspace(connection.workspace)}/datastores/{connection.datastore}"
    version = f"?api-version={paths.API_VERSIONS['datastore']}"
    answer = http.send("GET", root + version)
    if not answer.ok:
        raise refusal(answer.status, answer.body, f"datastore {connection.datastore}", answer.headers)
    object_of(answer, "properties")
    properties = part_of(answer, "properties", Mapping, {})
    account, container = str(properties.get("accountName")), str(properties.get("containerName"))
    if not re.fullmatch("[a-z0-9]{3,24}", account) or not re.fullmatch("[a-z0-9$-]{3,63}", container):  # Parts of an address.
        raise FineforgeError(strange(answer.url, "it names no storage account and container"))
    credentials = properties.get("credentials")
    if not isinstance(credentials, Mapping) or credentials.get("credentialsType", "None") == "None":
        return account, container, connection.credential
    wanted = {"expirableSecret": True, "expireAfterHours": 1}
    secrets = http.send("POST", f"{root}/listSecrets{version}", json=wanted, asks=True)
    if not secrets.ok:
        raise refusal(secrets.status, secrets.body, f"datastore {connection.datastore}", secrets.headers)
    secret = part_of(secrets, "sasToken", str, "") or part_of(secrets, "key", str, "")
    if not secret:
        raise FineforgeError(strange(secrets.url, "it holds neither `sasToken` nor `key`"))
    return account, container, secret


def code_of(error: Any) -> str:
    """The storage's own code; azure-storage-blob makes members of an enumeration of those that it knows."""
    code = getattr(error, "error_code", None)  # Absent where the answer was not the storage's.
    return str(getattr(code, "value", code) or "")


def _is_whole(client: Any) -> bool:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        found = client.get_blob_properties()
        if not found.etag:
            raise FineforgeError(strange(client.url, "it describes no blob"))
        return {k.lower(): v for k, v in found.metadata.items()}.get("upload_status") == "completed"
    except ResourceNotFoundError:
        return False
