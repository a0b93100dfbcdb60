"""Blob storage: as much of it as uploads, downloads, listings and leases of the SDK use. No file is held in memory whole.

What a lease is and whom it keeps out: `models.leases`.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.etree import ElementTree

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fineforge.emulator.http.common import NotImplementedHere, Service
from fineforge.emulator.http.credentials import read
from fineforge.emulator.rules import AzureError
from fineforge.emulator.rules.leases import refuse_lease
from fineforge.emulator.storage import content
from fineforge.emulator.storage.content import AlreadyThere, Blob, Part

_VERSION = "2026-10-06"
_ALWAYS = {"x-ms-version": _VERSION}
_AUDIENCE = "https://storage.azure.com"
_PERMISSIONS = {"GET": "r", "HEAD": "r", "PUT": "cw", "DELETE": "d"}
_OCTETS = "application/octet-stream"


async def blob(service: Service, request: Request, container: str, name: str) -> Response:
    """Every verb on one blob."""
    if refused := _refused(service, request, container, name, _PERMISSIONS[request.method]):
        return refused
    try:
        found = content.find(service.cloud.blobs, container, name)
        _held_by_others(service, request, found)
        return _condition_failed(request, found) or await _answer(service, request, found)
    except AzureError as error:
        return _error(request, error.status, error.code, error.message)
    except ValueError:
        return _error(request, 400, "InvalidResourceName", "The specified resource name contains invalid characters.")
    except AlreadyThere:
        return _error(request, 409, "BlobAlreadyExists", "The specified blob already exists.")
    except OSError as error:
        # How the service answers when it is full is not known: InternalError, which clients try again, is assumed.
        return _error(request, 500, "InternalError", f"The emulator could not store the blob: {error.strerror}.")


async def listing(service: Service, request: Request, container: str) -> Response:
    """`restype=container&comp=list`: names below a prefix, all in one page; `delimiter` folds folders into their names."""
    if refused := _refused(service, request, container, "", "l"):
        return refused
    query = request.query_params
    if (query.get("restype"), query.get("comp"), query.get("include", "metadata")) != ("container", "list", "metadata"):
        raise NotImplementedHere(f"{request.method} of a container with {request.url.query.split('&sig=')[0]}")
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    tree = ElementTree.Element("EnumerationResults", ContainerName=container)
    ElementTree.SubElement(tree, "Prefix").text = prefix
    entries = ElementTree.SubElement(tree, "Blobs")
    folders: set[str] = set()
    for found in content.below(service.cloud.blobs, container, prefix):
        inside = found.name.removeprefix(prefix)
        if delimiter and delimiter in inside:
            folders.add(prefix + inside.split(delimiter)[0] + delimiter)
        else:
            _add_entry(service, entries, found, "include" in query)
    for folder in sorted(folders):
        ElementTree.SubElement(ElementTree.SubElement(entries, "BlobPrefix"), "Name").text = folder
    ElementTree.SubElement(tree, "NextMarker")
    return Response(ElementTree.tostring(tree, "utf-8", xml_declaration=True), 200, _ALWAYS, "application/xml")


async def _answer(service: Service, request: Request, found: Blob) -> Response:
    component = request.query_params.get("comp", "")
    match request.method, component:
        case "PUT", "":
            return await _put(request, found)
        case "PUT", "block":
            return await _put_block(request, found)
        case "PUT", "blocklist":
            return await _commit(request, found)
    if not found.exists:
        return _error(request, 404, "BlobNotFound", "The specified blob does not exist.")
    match request.method, component:
        case "GET" | "HEAD", "":
            return _read(service, request, found)
        case "GET" | "HEAD", "metadata":
            return Response(None, 200, _properties(service, found))
        case "PUT", "lease":
            return _lease(service, request, found)
        case "PUT", "metadata":
            found.set_metadata(_sent_metadata(request))
            return Response(None, 200, _stamp(found))
        case "DELETE", "":
            found.delete()
            service.cloud.leases.forget(found.container, found.name)
            return Response(None, 202, _ALWAYS)
    raise NotImplementedHere(f"{request.method} of a blob with comp={component}")


async def _put(request: Request, found: Blob) -> Response:
    kind = request.headers.get("x-ms-blob-type")
    if kind != "BlockBlob":
        raise NotImplementedHere(f"a blob of type {kind}")
    with found.writing() as part:
        if refused := await _receive(request, part):
            return refused
        part.keep(_sent_metadata(request), _only_new(request))
        return Response(None, 201, _stamp(found) | {"Content-MD5": part.md5})


async def _put_block(request: Request, found: Blob) -> Response:
    with found.writing() as part:
        if refused := await _receive(request, part):
            return refused
        part.keep_as_block(request.query_params.get("blockid", ""))
        return Response(None, 201, _ALWAYS | {"Content-MD5": part.md5})


async def _commit(request: Request, found: Blob) -> Response:
    """Joins the blocks in the order of the list."""
    try:
        identifiers = [entry.text or "" for entry in ElementTree.fromstring(await request.body())]
    except ElementTree.ParseError:
        return _error(request, 400, "InvalidXmlDocument", "The specified XML is not syntactically valid.")
    with found.writing() as part:
        if not await asyncio.to_thread(part.join, identifiers):
            return _error(request, 400, "InvalidBlockList", "The specified block list is invalid.")
        part.keep(_sent_metadata(request), _only_new(request))
        part.forget_blocks()
    return Response(None, 201, _stamp(found))


async def _receive(request: Request, part: Part) -> Response | None:
    """The body, as it comes. A digest that was sent with it must be its own."""
    async for piece in request.stream():
        part.write(piece)
    if request.headers.get("content-md5", part.md5) != part.md5:
        return _error(request, 400, "Md5Mismatch", "The MD5 value specified in the request did not match the server's.")
    return None


def _lease(service: Service, request: Request, found: Blob) -> Response:
    """One action on the blob's lease, as `x-ms-lease-action` names it."""
    leases, sent, blob = service.cloud.leases, request.headers, (found.container, found.name)
    lease_id, proposed = sent.get("x-ms-lease-id", ""), sent.get("x-ms-proposed-lease-id", "")
    status, headers = 200, _stamp(found)
    match sent.get("x-ms-lease-action"):
        case "acquire":
            status, headers["x-ms-lease-id"] = 201, leases.acquire(*blob, _seconds(sent, "duration") or -1, proposed)
        case "renew":
            headers["x-ms-lease-id"] = leases.renew(*blob, lease_id)
        case "change":
            headers["x-ms-lease-id"] = leases.change(*blob, lease_id, proposed)
        case "release":
            leases.release(*blob, lease_id)
        case "break":
            status, headers["x-ms-lease-time"] = 202, str(leases.end(*blob, _seconds(sent, "break-period")))
        case other:
            raise NotImplementedHere(f"the lease action {other}")
    return Response(None, status, headers)


def _seconds(sent: Headers, name: str) -> int | None:
    """Of `x-ms-lease-<name>`."""
    text = sent.get(f"x-ms-lease-{name}")
    if text is None or re.fullmatch(r"-1|\d{1,9}", text):
        return None if text is None else int(text)
    raise refuse_lease("InvalidHeaderValue")


def _held_by_others(service: Service, request: Request, found: Blob) -> None:
    """Raises where a lease keeps this request out. What acts on a lease itself is told by the lease's own rules."""
    lease_id = request.headers.get("x-ms-lease-id")
    if request.query_params.get("comp") == "lease" or not (found.exists or request.method == "PUT"):
        return
    check = service.cloud.leases.let_write if request.method in ("PUT", "DELETE") else service.cloud.leases.let_read
    check(found.container, found.name, lease_id)


def _read(service: Service, request: Request, found: Blob) -> Response:
    size = found.size
    headers = _properties(service, found) | {"Accept-Ranges": "bytes"}
    if request.method == "HEAD":
        return Response(None, 200, headers | {"Content-Length": str(size)}, _OCTETS)
    wanted = request.headers.get("x-ms-range") or request.headers.get("range")
    if wanted is None:
        return StreamingResponse(found.pieces(0, size - 1), 200, headers | {"Content-Length": str(size)}, _OCTETS)
    first_text, _, last_text = wanted.removeprefix("bytes=").partition("-")
    if not first_text.isdecimal() or not (last_text or "0").isdecimal() or int(first_text) >= size:
        return _error(request, 416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
    first, last = int(first_text), min(int(last_text or size), size - 1)
    headers |= {"Content-Range": f"bytes {first}-{last}/{size}", "Content-Length": str(max(0, last - first + 1))}
    return StreamingResponse(found.pieces(first, last), 206, headers, _OCTETS)


def _refused(service: Service, request: Request, container: str, name: str, permissions: str) -> Response | None:
    """A token for storage, or a signature of the blob or its container."""
    if "sig" in request.query_params:
        if service.signer.opens(request.query_params, container, name, permissions):
            return None
        return _error(request, 403, "AuthenticationFailed", "Server failed to authenticate the request: the signature.")
    authorization = request.headers.get("authorization")
    if authorization is None:
        return _error(request, 401, "NoAuthenticationInformation", "Server failed to authenticate the request.")
    if authorization.startswith("SharedKey"):
        raise NotImplementedHere("storage requests signed with the account's key: ask listSecrets for an expirableSecret")
    try:
        audience = read(authorization)[0]
    except ValueError:
        audience = ""
    if audience == _AUDIENCE:
        return None
    return _error(request, 401, "InvalidAuthenticationInfo", "Server failed to authenticate the request: the token's audience.")


def _condition_failed(request: Request, found: Blob) -> Response | None:
    """`If-Match` is kept; what is not known is named, for a condition that nobody checks is worse than none."""
    for header in ("if-modified-since", "if-unmodified-since"):
        if header in request.headers:
            raise NotImplementedHere(f"the header {header} of a blob")
    wanted = request.headers.get("if-match")
    if wanted is None or (found.exists and wanted in ("*", found.etag)):
        return None
    return _error(request, 412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")


def _only_new(request: Request) -> bool:
    wanted = request.headers.get("if-none-match")
    if wanted not in (None, "*"):
        raise NotImplementedHere(f"If-None-Match: {wanted}")
    return wanted == "*"


def _sent_metadata(request: Request) -> dict[str, str]:
    return {key.removeprefix("x-ms-meta-"): value for key, value in request.headers.items() if key.startswith("x-ms-meta-")}


def _stamp(found: Blob) -> dict[str, str]:
    modified = format_datetime(datetime.fromtimestamp(found.modified, UTC), usegmt=True)
    return {"ETag": found.etag, "Last-Modified": modified, **_ALWAYS}


def _properties(service: Service, found: Blob) -> dict[str, str]:
    leased = {f"x-ms-lease-{key}": text for key, text in _lease_words(service, found).items()}
    metadata = {f"x-ms-meta-{key}": text for key, text in found.metadata.items()}
    return {**_stamp(found), "x-ms-blob-type": "BlockBlob", **leased, **metadata}


def _lease_words(service: Service, found: Blob) -> dict[str, str]:
    """How properties tell of the lease; never its id."""
    lease = service.cloud.leases.look(found.container, found.name)
    kind = {"duration": "infinite" if lease.seconds < 0 else "fixed"} if lease.state == "leased" else {}
    return {"state": lease.state, "status": "locked" if lease.locks else "unlocked", **kind}


def _add_entry(service: Service, entries: ElementTree.Element, found: Blob, with_metadata: bool) -> None:
    entry = ElementTree.SubElement(entries, "Blob")
    ElementTree.SubElement(entry, "Name").text = found.name
    properties, stamp = ElementTree.SubElement(entry, "Properties"), _stamp(found)
    for key, text in (
        ("Last-Modified", stamp["Last-Modified"]),
        ("Etag", stamp["ETag"].strip('"')),
        ("Content-Length", str(found.size)),
        ("Content-Type", _OCTETS),
        ("BlobType", "BlockBlob"),
        *((f"Lease{key.capitalize()}", text) for key, text in _lease_words(service, found).items()),
    ):
        ElementTree.SubElement(properties, key).text = text
    if with_metadata:
        metadata = ElementTree.SubElement(entry, "Metadata")
        for key, text in found.metadata.items():
            ElementTree.SubElement(metadata, key).text = text


def _error(request: Request, status: int, code: str, message: str) -> Response:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    headers = {"x-ms-error-code": code, **_ALWAYS}
    return Response(None if request.method == "HEAD" else body, status, headers, "application/xml")
