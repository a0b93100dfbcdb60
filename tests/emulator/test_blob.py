"""Blob storage as the SDK uses it: by azure-storage-blob where it can be, by hand where a client would never err."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobServiceClient, ContainerClient

from tests.emulator import wire
from tests.emulator.wire import BODIES
from tests.support.running_emulator import RunningEmulator, running

Start = Callable[..., RunningEmulator]

BLOCK = {"x-ms-blob-type": "BlockBlob"}


def signature(emulator: RunningEmulator) -> str:
    body = {"expirableSecret": True, "expireAfterHours": 1}
    return str(emulator.send("POST", "datastores/workspaceblobstore/listSecrets", body).json()["sasToken"])


def container(emulator: RunningEmulator, **options: Any) -> ContainerClient:
    proxies = {"https": f"http://127.0.0.1:{emulator.port}"}
    account = f"https://{emulator.facts['storage_account']}.blob.core.windows.net"
    service = BlobServiceClient(
        account, signature(emulator), proxies=proxies, connection_verify=str(emulator.ca), retry_total=0, **options
    )
    return service.get_container_client(BODIES.settings.container)


def test_up_and_down_again(emulator: RunningEmulator, tmp_path: Path) -> None:
    """In one piece, in blocks, and in ranges that no block begins at."""
    client = container(
        emulator, max_single_put_size=1 << 20, max_block_size=1 << 20, max_single_get_size=700_000, max_chunk_get_size=700_000
    )
    content = b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(100_000))
    client.upload_blob("folder/large", content, max_concurrency=2)
    client.upload_blob("folder/small", b"small", metadata={"upload_status": "completed"})
    client.upload_blob("empty", b"")
    assert client.download_blob("folder/large").readall() == content
    assert client.download_blob("folder/small", offset=1, length=3).readall() == b"mal"
    assert client.download_blob("empty").readall() == b""
    stamp = client.get_blob_client("folder/small").get_blob_properties()
    assert (stamp.size, stamp.metadata) == (5, {"upload_status": "completed"}) and stamp.etag and stamp.last_modified
    rows = {row.name: (row.size, row.metadata) for row in client.list_blobs(name_starts_with="folder/", include=["metadata"])}
    assert rows == {"folder/large": (3_200_000, None), "folder/small": (5, {"upload_status": "completed"})}
    assert [row.name for row in client.list_blobs(name_starts_with="folder/l")] == ["folder/large"]
    assert list(client.list_blobs(name_starts_with="nothing/")) == []
    assert (emulator.home / "blobs" / BODIES.settings.container / "folder" / "large").read_bytes() == content
    assert [path for path in emulator.home.glob("blobs/.*/**/*") if path.is_file() and ".metadata" not in path.parts] == []


def test_what_exists_is_not_overwritten_unasked(emulator: RunningEmulator) -> None:
    client = container(emulator)
    client.upload_blob("a", b"first")
    with pytest.raises(ResourceExistsError):
        client.upload_blob("a", b"second")
    client.upload_blob("a", b"third", overwrite=True)
    client.get_blob_client("a").set_blob_metadata({"kept": "yes"})
    assert client.download_blob("a").readall() == b"third"
    client.delete_blob("a")
    for call in (client.download_blob, client.delete_blob):
        with pytest.raises(ResourceNotFoundError):
            call("a")


def test_two_at_the_same_time(emulator: RunningEmulator, start: Start) -> None:
    """Exactly one of many that want to be first is."""
    answers: list[int] = []
    headers = {**BLOCK, "If-None-Match": "*", "Authorization": f"Bearer {emulator.token('https://storage.azure.com')}"}

    def write(number: int) -> None:
        sent = emulator.send("PUT", wire.blob(emulator, "race"), headers=headers, token=None, data=bytes([number]) * 200_000)
        answers.append(sent.status_code)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, *[409] * 7]
    assert len(set(emulator.send("GET", wire.blob(emulator, "race")).content)) == 1


def test_conditions(emulator: RunningEmulator) -> None:
    client = container(emulator)
    client.upload_blob("a", b"first")
    first = client.get_blob_client("a").get_blob_properties().etag
    client.upload_blob("a", b"second", overwrite=True)
    url = wire.blob(emulator, "a")
    stale = emulator.send("GET", url, headers={"If-Match": first})
    assert (stale.status_code, stale.headers["x-ms-error-code"]) == (412, "ConditionNotMet")
    assert emulator.send("GET", url, headers={"If-Modified-Since": "x"}).status_code == 501
    assert emulator.send("PUT", url, headers={**BLOCK, "If-None-Match": '"0x1"'}, data=b"").status_code == 501


def test_who_may(emulator: RunningEmulator) -> None:
    """A token for storage, or a signature that fits; nothing else."""
    wire.upload(emulator, "a", b"content")
    url, signed = wire.blob(emulator, "a"), signature(emulator)
    assert emulator.send("GET", url, token=None).status_code == 401
    assert emulator.send("GET", url, token=emulator.token("https://management.azure.com")).status_code == 401
    assert emulator.send("GET", f"{url}?{signed}", token=None).content == b"content"
    for spoiled in (signed.replace("racwdl", "racwdlx"), signed.replace("se=2", "se=3"), "sig=x"):
        assert emulator.send("GET", f"{url}?{spoiled}", token=None).status_code == 403
    assert emulator.send("GET", f"{url.replace('azureml-blobstore', 'other')}?{signed}", token=None).status_code == 403
    with pytest.raises(ClientAuthenticationError):
        container(emulator).from_container_url(
            f"{url.rsplit('/', 1)[0]}?sv=1&sig=x", proxies={"https": f"http://127.0.0.1:{emulator.port}"},
            connection_verify=str(emulator.ca), retry_total=0,
        ).upload_blob("b", b"")  # fmt: skip


def test_the_datastore_without_secrets(emulator: RunningEmulator) -> None:
    stores = {row["name"]: row["properties"] for row in emulator.send("GET", "datastores").json()["value"]}
    (identity,) = [name for name, row in stores.items() if row["credentials"]["credentialsType"] == "None"]
    asked = emulator.send("POST", f"datastores/{identity}/listSecrets", {"expirableSecret": True}).json()
    assert asked == {"secretsType": "None"}
    assert emulator.send("POST", "datastores/workspaceblobstore/listSecrets").json()["secretsType"] == "AccountKey"


def test_spoiled_requests(emulator: RunningEmulator) -> None:
    wire.upload(emulator, "a", b"content")

    def send(method: str, name: str, query: str = "", data: bytes | None = None, **headers: str) -> tuple[int, str]:
        answer = emulator.send(method, wire.blob(emulator, name, query), headers=headers, data=data)
        return answer.status_code, answer.headers.get("x-ms-error-code", "")

    assert send("PUT", "b", "comp=blocklist", b"<BlockList><Latest>AA==</Latest></BlockList>") == (400, "InvalidBlockList")
    assert send("PUT", "b", "comp=blocklist", b"<Block") == (400, "InvalidXmlDocument")
    assert send("PUT", "b", data=b"x", **BLOCK, **{"Content-MD5": "AAAA"}) == (400, "Md5Mismatch")
    assert send("PUT", "b", data=b"x", **{"x-ms-blob-type": "PageBlob"}) == (501, "NotImplemented")
    assert send("PUT", "a", "comp=lease") == (501, "NotImplemented")
    spoiled = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "x"}
    assert send("PUT", "a", "comp=lease", **spoiled) == (400, "InvalidHeaderValue")
    assert send("GET", "a", **{"x-ms-range": "bytes=7-"}) == (416, "InvalidRange")
    assert send("GET", "a", Range="bytes=-2") == (416, "InvalidRange")
    assert send("GET", "..%2f..%2fstate.sqlite")[0] == 400
    assert send("PUT", "a/below", data=b"x", **BLOCK) == (500, "InternalError"), "on disk a file is no folder"
    assert send("GET", "b") == (404, "BlobNotFound")


def test_a_client_that_goes_away_leaves_nothing(emulator: RunningEmulator) -> None:
    """The connection is dropped while the body comes; the blob is not there, nor is any part of it."""

    def body() -> Any:
        yield b"x" * 100_000
        raise ConnectionAbortedError

    with pytest.raises(requests.ConnectionError):
        emulator.send("PUT", wire.blob(emulator, "half"), headers=BLOCK, data=body())
    assert emulator.send("GET", wire.blob(emulator, "half")).status_code == 404
    wire.upload(emulator, "half", b"whole")
    assert emulator.send("GET", wire.blob(emulator, "half")).content == b"whole"


def test_a_full_disk(tmp_path: Path, start: Start) -> None:
    """The process may not write files of more than 4 MiB: what a full disk is to a program."""
    emulator = start(tmp_path, "--trainer", "instant", prefix=("prlimit", f"--fsize={4 << 20}"))
    try:
        with pytest.raises(HttpResponseError) as refused:
            container(emulator).upload_blob("large", b"x" * (5 << 20), metadata={"upload_status": "completed"})
        assert refused.value.status_code == 500 and refused.value.error_code == "InternalError"
        assert "could not store the blob: file too large" in str(refused.value).lower()
        client = container(emulator).get_blob_client("large")
        assert not client.exists()
        client.stage_block("AAAA", b"y" * (3 << 20))
        client.stage_block("AAAB", b"z" * (3 << 20))
        with pytest.raises(HttpResponseError):
            client.commit_block_list([BlobBlock("AAAA"), BlobBlock("AAAB")])
        assert not client.exists()
        assert list(tmp_path.glob("blobs/.parts/*")) == []
        client.upload_blob(b"small")
        assert client.download_blob().readall() == b"small", "it goes on"
    finally:
        assert emulator.stop() == 0


def test_a_signature_outlives_a_restart() -> None:
    """An upload that was begun goes on."""
    with running() as first:
        signed = signature(first)
    with running() as second:
        wire.upload(second, "a", b"content")
        assert second.send("GET", wire.blob(second, "a", signed), token=None).content == b"content"
