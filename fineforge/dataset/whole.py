"""Whole remote files on this machine: for formats that cannot be read in parts. And what pins a file that has no commit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.facts import DatasetFact
from fineforge.dataset import cache, fetch, hub, sources
from fineforge.dataset.fetch import Pieces, Remote
from fineforge.dataset.parquet import IN_FLIGHT

BLOCK = 8 << 20
"""Bytes that are fetched by one request; what a killed run has fetched is kept in such blocks."""


def resolve(source: str) -> str:
    """What pins a source that nobody pinned: the commit of `hf://...`; of an address `etag:...`, else `sha256:...` of its bytes.

    One request, or as many as the bytes need. Raises FF619, FF620, FF622, FF626.
    """
    if source.startswith("hf://"):
        match = sources.HUB.fullmatch(source)
        if match is None:
            raise FineforgeError(Diagnostic("FF626", f"`{source[:200]}` is not a valid hub dataset", path=("dataset", "source")))
        return hub.commit(match[1], match[2] or "")
    remote = Remote(sources.bare(source), source, "")
    etag = str(_head(remote).get("etag") or "")
    if etag and not etag.startswith("W/"):
        return f"etag:{etag}"
    digest = hashlib.sha256()

    def attempt() -> str:
        begun = digest.copy()
        for block in fetch.stream(remote):
            begun.update(block)
        return begun.hexdigest()

    return f"sha256:{fetch.again(remote, attempt)}"


def address(fact: DatasetFact, pieces: Pieces) -> Path:
    """The file behind an `https://` source. Raises FF606 where it is not what was pinned, FF619, FF620, FF622."""
    etag = fact.revision.removeprefix("etag:") if fact.revision.startswith("etag:") else ""
    remote = Remote(fact.source, fact.files[0], f"{fact.source}#{fact.revision}", etag=etag)
    path = whole(remote, pieces)
    if not etag and f"sha256:{cache.digest(path)}" != fact.revision:
        path.unlink(missing_ok=True)
        raise FineforgeError(fetch.changed(remote))
    return path


def whole(remote: Remote, pieces: Pieces) -> Path:
    """All bytes of a file, fetched in blocks where the server can, several at a time."""
    kept = pieces.kept(remote)
    if kept is not None:
        return kept
    if remote.size is None:
        headers = _head(remote)
        ranges = headers.get("accept-ranges") == "bytes" and str(headers.get("content-length") or "").isdigit()
        if not ranges:
            return pieces.put(remote, lambda: fetch.stream(remote))
        remote = replace(remote, size=int(headers["content-length"]))
    bounds = [(start, min(start + BLOCK, remote.size or 0)) for start in range(0, remote.size or 0, BLOCK)]
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        blocks = list(pool.map(lambda bound: pieces.get(remote, *bound), bounds))
    made = pieces.put(remote, lambda: _joined(blocks), fresh=False)
    for block in blocks:
        if block != made:
            block.unlink(missing_ok=True)
    return made


def _joined(blocks: list[Path]) -> Iterator[bytes]:
    for block in blocks:
        yield cache.content(block)


def _head(remote: Remote) -> Any:
    """What the server says of a file without sending it; nothing where it will not say."""
    try:
        return fetch.answer(remote, "HEAD").headers
    except FineforgeError as error:
        if error.diagnostics[0].code == "FF622" or "(404)" in error.diagnostics[0].message:
            raise
        return {}
