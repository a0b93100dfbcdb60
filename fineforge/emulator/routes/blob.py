"""Blob storage: as much of its protocol as uploads, downloads and listings of the SDK use. Content is streamed, writes are atomic."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from xml.etree import ElementTree

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from fineforge.emulator.blobs import BlobFolder
from fineforge.emulator.routes.common import NotImplementedHere, Service

_VERSION = "2026-10-06"
_META, _BLOCKS = ".metadata", ".blocks"
"""Folders beside the containers; a container's name never starts with a dot."""


async def blob(service: Service, request: Request, container: str, name: str) -> Response:
    """Every verb on one blob."""
    blobs = service.cloud.blobs
    if refused := _unauthorised(request):
        return refused
    try:
        file = blobs.path(container, name)
    except ValueError:
        return _error(400, "InvalidResourceName", "The specified resource name contains invalid characters.")
    component = request.query_params.get("comp", "")
    try:
        match request.method, component:
            case "HEAD" | "GET", "":
                return _read(blobs, request, container, name, file)
            case "GET" | "HEAD", "metadata":
                return _read(blobs, request, container, name, file, head=True)
            case "PUT", "":
                return await _put(blobs, request, container, name, file)
            case "PUT", "block":
                return await _put_block(blobs, request, container, name)
            case "PUT", "blocklist":
                return await _commit(blobs, request, container, name, file)
            case "PUT", "metadata":
                return _set_metadata(blobs, request, container, name, file)
            case "DELETE", "":
                return _delete(blobs, container, name, file)
    except OSError as error:
        # How the service answers when it is full is not known; 507 is retried by the client like any 5xx (assumed).
        return _error(507, "InsufficientStorage", f"The emulator could not write: {error.strerror}.")
    raise NotImplementedHere(f"{request.method} of a blob with comp={component}")


async def listing(service: Service, request: Request, container: str) -> Response:
    """`restype=container&comp=list`: names below a prefix, all in one page."""
    if refused := _unauthorised(request):
        return refused
    query = request.query_params
    if request.method == "HEAD" or (query.get("restype") == "container" and "comp" not in query):
        return Response(None, 200, {"x-ms-version": _VERSION})
    if query.get("comp") != "list":
        raise NotImplementedHere(f"{request.method} of a container with comp={query.get('comp')}")
    blobs, prefix = service.cloud.blobs, query.get("prefix", "")
    root = blobs.path(container)
    tree = ElementTree.Element("EnumerationResults", ContainerName=container)
    ElementTree.SubElement(tree, "Prefix").text = prefix
    entries = ElementTree.SubElement(tree, "Blobs")
    for file in sorted(path for path in root.rglob("*") if path.is_file()) if root.exists() else ():
        name = file.relative_to(root).as_posix()
        if name.startswith(prefix):
            _entry(entries, name, file)
    ElementTree.SubElement(tree, "NextMarker")
    return Response(ElementTree.tostring(tree, "utf-8", xml_declaration=True), 200, {"x-ms-version": _VERSION}, "application/xml")


def _unauthorised(request: Request) -> Response | None:
    scheme = (request.headers.get("authorization") or "").split(" ")[0]
    if scheme in ("Bearer", "SharedKey") or "sig" in request.query_params:
        return None
    return _error(401, "NoAuthenticationInformation", "Server failed to authenticate the request.")


def _read(blobs: BlobFolder, request: Request, container: str, name: str, file: Path, head: bool = False) -> Response:
    if not file.is_file():
        return _error(404, "BlobNotFound", "The specified blob does not exist.", request.method == "HEAD")
    metadata = _metadata(blobs, container, name)
    headers = {**_common(file), **{f"x-ms-meta-{key}": value for key, value in metadata.items()}, "x-ms-blob-type": "BlockBlob"}
    size = file.stat().st_size
    if head or request.method == "HEAD":
        headers |= {"Content-Length": "0" if head else str(size), "Accept-Ranges": "bytes"}
        return Response(None, 200, headers, "application/octet-stream")
    wanted = request.headers.get("x-ms-range") or request.headers.get("range")
    if wanted is None:
        return FileResponse(file, 200, headers, "application/octet-stream")
    return _range(file, wanted, size, headers)


def _range(file: Path, wanted: str, size: int, headers: dict[str, str]) -> Response:
    """`bytes=first-last`; the SDK reads in pieces of 4 to 32 MiB."""
    first_text, _, last_text = wanted.removeprefix("bytes=").partition("-")
    first, last = int(first_text or 0), min(int(last_text or size - 1), size - 1)
    if first >= size:
        return _error(416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
    with file.open("rb") as stream:
        stream.seek(first)
        content = stream.read(last - first + 1)
    headers |= {"Content-Range": f"bytes {first}-{last}/{size}", "Accept-Ranges": "bytes"}
    return Response(content, 206, headers, "application/octet-stream")


async def _put(blobs: BlobFolder, request: Request, container: str, name: str, file: Path) -> Response:
    if request.headers.get("if-none-match") == "*" and file.is_file():
        return _error(409, "BlobAlreadyExists", "The specified blob already exists.")
    if request.headers.get("x-ms-blob-type") != "BlockBlob":
        raise NotImplementedHere(f"a blob of type {request.headers.get('x-ms-blob-type')}")
    await _stream(blobs, request, file)
    _write_metadata(blobs, container, name, _sent_metadata(request))
    return Response(None, 201, _common(file) | {"x-ms-request-server-encrypted": "true"})


async def _put_block(blobs: BlobFolder, request: Request, container: str, name: str) -> Response:
    await _stream(blobs, request, _block(blobs, container, name, request.query_params["blockid"]))
    return Response(None, 201, {"x-ms-version": _VERSION, "x-ms-request-server-encrypted": "true"})


async def _commit(blobs: BlobFolder, request: Request, container: str, name: str, file: Path) -> Response:
    """Joins the blocks in the order of the list."""
    if request.headers.get("if-none-match") == "*" and file.is_file():
        return _error(409, "BlobAlreadyExists", "The specified blob already exists.")
    identifiers = [entry.text or "" for entry in ElementTree.fromstring(await request.body())]
    parts = [_block(blobs, container, name, identifier) for identifier in identifiers]
    if not all(part.is_file() for part in parts):
        return _error(400, "InvalidBlockList", "The specified block list is invalid.")
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=_scratch(blobs), delete=False) as whole:
        for part in parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, whole)
    Path(whole.name).replace(file)
    shutil.rmtree(_block(blobs, container, name, "").parent, ignore_errors=True)
    _write_metadata(blobs, container, name, _sent_metadata(request))
    return Response(None, 201, _common(file))


def _set_metadata(blobs: BlobFolder, request: Request, container: str, name: str, file: Path) -> Response:
    if not file.is_file():
        return _error(404, "BlobNotFound", "The specified blob does not exist.")
    _write_metadata(blobs, container, name, _sent_metadata(request))
    return Response(None, 200, _common(file))


def _delete(blobs: BlobFolder, container: str, name: str, file: Path) -> Response:
    if not file.is_file():
        return _error(404, "BlobNotFound", "The specified blob does not exist.")
    file.unlink()
    (blobs.root / _META / container / f"{name}.json").unlink(missing_ok=True)
    return Response(None, 202, {"x-ms-version": _VERSION})


async def _stream(blobs: BlobFolder, request: Request, file: Path) -> None:
    """The request's body into a file that appears whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=_scratch(blobs), delete=False) as part:
        try:
            async for chunk in request.stream():
                part.write(chunk)
            part.flush()
            os.replace(part.name, file)
        finally:
            Path(part.name).unlink(missing_ok=True)


def _block(blobs: BlobFolder, container: str, name: str, identifier: str) -> Path:
    key = hashlib.sha256(f"{container}/{name}".encode()).hexdigest()
    return blobs.root / _BLOCKS / key / hashlib.sha256(identifier.encode()).hexdigest()


def _scratch(blobs: BlobFolder) -> Path:
    folder = blobs.root / _BLOCKS
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _sent_metadata(request: Request) -> dict[str, str]:
    return {key.removeprefix("x-ms-meta-"): value for key, value in request.headers.items() if key.startswith("x-ms-meta-")}


def _metadata(blobs: BlobFolder, container: str, name: str) -> Mapping[str, str]:
    with contextlib.suppress(OSError, ValueError):
        found: Mapping[str, str] = json.loads((blobs.root / _META / container / f"{name}.json").read_text(encoding="utf-8"))
        return found
    return {}


def _write_metadata(blobs: BlobFolder, container: str, name: str, metadata: dict[str, str]) -> None:
    file = blobs.root / _META / container / f"{name}.json"
    if not metadata:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(metadata), encoding="utf-8")
    part.replace(file)


def _common(file: Path) -> dict[str, str]:
    stat = file.stat()
    modified = format_datetime(datetime.fromtimestamp(stat.st_mtime, UTC), usegmt=True)
    return {"ETag": f'"0x{stat.st_mtime_ns:X}"', "Last-Modified": modified, "x-ms-version": _VERSION}


def _entry(entries: ElementTree.Element, name: str, file: Path) -> None:
    entry = ElementTree.SubElement(entries, "Blob")
    ElementTree.SubElement(entry, "Name").text = name
    properties = ElementTree.SubElement(entry, "Properties")
    common = _common(file)
    for key, value in (
        ("Last-Modified", common["Last-Modified"]),
        ("Etag", common["ETag"].strip('"')),
        ("Content-Length", str(file.stat().st_size)),
        ("Content-Type", "application/octet-stream"),
        ("BlobType", "BlockBlob"),
    ):
        ElementTree.SubElement(properties, key).text = value


def _error(status: int, code: str, message: str, empty: bool = False) -> Response:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(None if empty else body, status, {"x-ms-error-code": code, "x-ms-version": _VERSION}, "application/xml")
