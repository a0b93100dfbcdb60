"""Bytes of remote files by HTTP range, tried again where that helps, kept as pieces in the cache.

A piece that has arrived is never fetched again while the cache holds it, so that a killed run goes on where it was. Here belong
requests and what their refusals mean; which bytes are wanted is the reader's business.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from fineforge import __version__
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.objects import SpecPath
from fineforge.dataset import cache
from fineforge.host.retry_after import seconds_of

PAUSES = (0.0, 0.5, 2.0, 8.0)
"""Seconds before each further attempt."""
PATIENCE = 120.0
"""Seconds that a server may ask us to wait, at most, before we give up."""
MAX_ANSWER = 64 << 20
"""Bytes of a small answer: the listing of a dataset with a hundred thousand files has a third of that."""
MAX_FILE = 64 << 30
"""Bytes of a file that a server sends without saying how many there are."""
ANSWER_SECONDS = 120.0
"""Seconds for a small answer, from its first byte to its last."""
_TIMEOUT = 30.0
T = TypeVar("T")
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Remote:
    """A file of somebody else, whose bytes do not change: it is pinned."""

    name: str
    """As messages name it."""
    url: str
    identity: str
    """What its bytes depend on: the same identity, the same bytes."""
    size: int | None = None
    etag: str = ""
    """What the answers' ETag must be; empty where anything will do."""
    hub: str = ""
    """The dataset of the hub that it belongs to; only the hub gets the token."""
    path: SpecPath = ("dataset", "source")


@dataclass(slots=True)
class Pieces:
    """The pieces of remote files in one cache."""

    folder: Path
    arrived: int = 0
    """Bytes that have arrived so far."""
    told: Callable[[], object] = lambda: None
    """Called as bytes arrive, from several threads; what it raises ends the fetching."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set where nobody needs what is on its way any more."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, remote: Remote, start: int, end: int) -> Path:
        """The file that holds the bytes from `start` to before `end`. Raises FF605, FF619, FF620, FF622."""
        folder = self._folder(remote)
        return self._there(folder, f"{start}-{end}-") or self._fetch(remote, start, end, folder)

    def kept(self, remote: Remote) -> Path | None:
        """The whole file, where it is in the cache."""
        return self._there(self._folder(remote), "whole-")

    def put(self, remote: Remote, blocks: Callable[[], Iterator[bytes]], fresh: bool = True) -> Path:
        """The whole file from its bytes, in order; from the first one again where an attempt fails. `fresh` ones are counted."""
        with cache.unfinished(folder := self._folder(remote)) as part:

            def attempt() -> str:
                part.seek(0)
                part.truncate()
                digest = hashlib.sha256()
                for block in blocks():
                    part.write(block)
                    digest.update(block)
                    self._count(len(block) if fresh else 0)
                return digest.hexdigest()[:32]

            digest = again(remote, attempt, self.stop)
            return cache.finish(part, folder / f"whole-{digest}.piece", durable=False)

    def _folder(self, remote: Remote) -> Path:
        key = hashlib.sha256(remote.identity.encode()).hexdigest()[:32]
        return cache.private(cache.private(self.folder) / key)

    def _count(self, count: int) -> None:
        if self.stop.is_set():
            raise Stopped
        with self._lock:
            self.arrived += count
        self.told()

    def _there(self, folder: Path, prefix: str) -> Path | None:
        """A piece that is whole: its name ends with its digest."""
        for path in folder.glob(f"{prefix}*.piece"):
            try:
                if cache.digest(path)[:32] == path.stem.removeprefix(prefix):
                    cache.touch(path)
                    return path
            except OSError:
                continue
        return None

    def _fetch(self, remote: Remote, start: int, end: int, folder: Path) -> Path:
        with cache.unfinished(folder) as part:
            digest = hashlib.sha256()

            def attempt() -> None:
                """Goes on after the bytes that an earlier attempt has brought."""
                at = start + part.tell()
                if at < end:
                    for block in _ranges(remote, at, end):
                        part.write(block)
                        digest.update(block)
                        self._count(len(block))

            again(remote, attempt, self.stop)
            return cache.finish(part, folder / f"{start}-{end}-{digest.hexdigest()[:32]}.piece", durable=False)


class Worth(Exception):
    """An attempt that failed and may succeed later; `after` is how long the server wants us to wait, in seconds."""

    def __init__(self, words: str, after: float | None = None) -> None:
        super().__init__(words)
        self.after = after


class Stopped(Exception):
    """Nobody needs it any more."""


def again(remote: Remote, attempt: Callable[[], T], stop: threading.Event | None = None) -> T:
    """Tries until it works or is refused. Raises FF622 where it never does, Stopped where `stop` is set meanwhile."""
    import httpx2

    stop = stop or threading.Event()

    for number in range(len(PAUSES) + 1):
        last = number == len(PAUSES)
        try:
            return attempt()
        except Worth as failed:
            problem, after = str(failed), failed.after
        except httpx2.TransportError as error:
            problem, after = _broken(error), None
            last = last or (number > 0 and isinstance(error, httpx2.ConnectError))  # somebody is offline, and waits for us
        except (httpx2.RequestError, httpx2.InvalidURL, ConnectionError) as error:  # ConnectionError: HF_HUB_OFFLINE is set
            problem, after, last = str(error).splitlines()[0][:160].rstrip("."), None, True
        if last or (after or 0) > PATIENCE:
            break
        if stop.wait(PAUSES[number] if after is None else after):
            raise Stopped
    hint = "run the same command again: downloaded parts are kept"
    if after and after > PATIENCE:
        hint = (
            f"the server asks to wait {after:.0f} seconds; a token in HF_TOKEN raises the limits"
            if remote.hub
            else f"wait {after:.0f} seconds"
        )
    raise FineforgeError(Diagnostic("FF622", f"`{remote.name}` cannot be downloaded: {problem}", path=remote.path, hint=hint))


@dataclass(frozen=True, slots=True)
class Answer:
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """ValueError where it is none."""
        return json.loads(self.content)


def answer(remote: Remote, method: str = "GET", clock: Callable[[], float] = time.monotonic, limit: int = MAX_ANSWER) -> Answer:
    """One small answer, whole: status 200. Raises FF619, FF620, FF622."""

    def attempt() -> Answer:
        with _request(remote, method, {}) as response:
            content = b"".join(_bounded(remote, _timely(remote, response.iter_bytes(), clock), limit))
            return Answer(response.headers, content)

    return again(remote, attempt)


def stream(remote: Remote, limit: int = MAX_FILE) -> Iterator[bytes]:
    """All bytes of a file, in one attempt. Raises Worth, and FF622 where there is no end of them."""
    with _request(remote, "GET", {"Accept-Encoding": "identity"}) as response:
        yield from _bounded(remote, response.iter_raw(), limit)


def _bounded(remote: Remote, blocks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """The blocks; a server that has lost its mind, or means harm, fills neither memory nor disk."""
    total = 0
    for block in blocks:
        total += len(block)
        if total > limit:
            message = f"`{remote.name}` cannot be downloaded: it is larger than {limit:,} bytes"
            raise FineforgeError(Diagnostic("FF622", message, path=remote.path))
        yield block


def _timely(remote: Remote, blocks: Iterator[bytes], clock: Callable[[], float]) -> Iterator[bytes]:
    """The blocks, as long as they keep the deadline of a small answer. Raises FF622."""
    end = clock() + ANSWER_SECONDS
    for block in blocks:
        if clock() > end:
            message = f"`{remote.name}` cannot be downloaded: the answer did not end within {ANSWER_SECONDS:.0f} seconds"
            raise FineforgeError(Diagnostic("FF622", message, path=remote.path))
        yield block


def endpoint() -> str:
    """The hub's address. Raises FF622 where HF_ENDPOINT is none, which no further attempt would mend."""
    address = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    if re.match(r"https?://[^/\s]+(/\S*)?\Z", address) is None:
        message = "HF_ENDPOINT is not a valid URL"
        raise FineforgeError(Diagnostic("FF622", message, path=("dataset", "source"), hint="as in `https://hub.example.com`"))
    return address


def _ranges(remote: Remote, start: int, end: int) -> Iterator[bytes]:
    """The bytes as they arrive. Raises Worth where they are fewer than were asked for."""
    headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
    with _request(remote, "GET", headers) as response:
        if response.status_code == 200 and start:
            raise FineforgeError(_no_ranges(remote))
        left = end - start
        for block in response.iter_raw():
            yield block[:left]
            left -= min(len(block), left)
            if not left:
                return
    raise Worth(f"it ends {left:,} bytes early")


@contextmanager
def _request(remote: Remote, method: str, headers: Mapping[str, str]) -> Iterator[Any]:
    """One request, redirects followed: to another host without the token, which the client takes off."""
    from huggingface_hub.utils import get_session

    sent = {"User-Agent": f"fineforge/{__version__}", **(_token() if remote.hub else {}), **headers}
    with get_session().stream(method, remote.url, headers=sent, timeout=_TIMEOUT, follow_redirects=True) as response:
        _refuse(remote, response)
        yield response


def _token() -> dict[str, str]:
    """As huggingface_hub finds it; its `build_hf_headers` takes 50 ms more."""
    from huggingface_hub.utils import get_token_to_send

    token = get_token_to_send(None)
    return {"Authorization": f"Bearer {token}"} if token else {}


def _refuse(remote: Remote, response: Any) -> None:
    """Raises where the answer is no success: Worth where it may be one later."""
    status = response.status_code
    if status in _AGAIN:
        raise Worth(f"the server answers {status}" + (" (too many requests)" if status == 429 else ""), _retry_after(response))
    if status >= 400:
        raise FineforgeError(_refusal(remote, status, response.headers))
    etag = response.headers.get("etag", "")
    if remote.etag and etag and etag != remote.etag:
        raise FineforgeError(changed(remote))


def _refusal(remote: Remote, status: int, headers: Mapping[str, str]) -> Diagnostic:
    code = headers.get("x-error-code", "")
    what = f"`{remote.hub or remote.name}`"
    if code == "GatedRepo":
        page = f"{endpoint()}/datasets/{remote.hub.removeprefix('hf://')}"
        hint = f"accept its terms at {page}, and set HF_TOKEN to a token of that account"
        return Diagnostic("FF620", f"{what} is gated", path=remote.path, hint=hint)
    if code == "RevisionNotFound":
        hint = "name another after `@`; where the lock file pins it, `fineforge lock --upgrade` pins the current version"
        return Diagnostic("FF619", f"revision `{remote.name}` does not exist", path=remote.path, hint=hint)
    if code == "RepoNotFound" or (status == 401 and remote.hub):
        hint = "check the name; a private dataset needs a token in HF_TOKEN that may read it"
        return Diagnostic("FF619", f"dataset {what} does not exist or is private", path=remote.path, hint=hint)
    if status in (401, 403):
        hint = "set HF_TOKEN to a token that may read it" if remote.hub else "only public URLs can be read"
        return Diagnostic("FF620", f"{what} denies access ({status})", path=remote.path, hint=hint)
    if status in (404, 410):
        return Diagnostic("FF619", f"`{remote.name}` does not exist ({status})", path=remote.path, hint="check the address")
    return Diagnostic("FF622", f"`{remote.name}` cannot be downloaded: the server answers {status}", path=remote.path)


def changed(remote: Remote) -> Diagnostic:
    hint = "`fineforge lock --upgrade` pins the current version"
    return Diagnostic("FF606", f"`{remote.name}` differs from what was pinned", path=remote.path, hint=hint)


def _no_ranges(remote: Remote) -> Diagnostic:
    return Diagnostic("FF622", f"`{remote.name}` cannot be read in parts: the server does not support ranges", path=remote.path)


def _retry_after(response: Any) -> float | None:
    """Seconds that the server asks for; the hub says them in its own header as well."""
    from huggingface_hub.utils import parse_ratelimit_headers

    given = response.headers.get("retry-after", "")
    if (asked := seconds_of(given)) is not None:
        return asked
    limits = parse_ratelimit_headers(response.headers) if response.status_code == 429 else None
    return float(limits.reset_in_seconds) if limits and limits.remaining == 0 else None


def _broken(error: Exception) -> str:
    import httpx2

    if isinstance(error, httpx2.TimeoutException):
        return f"no answer within {_TIMEOUT:.0f} seconds"
    if isinstance(error, httpx2.ConnectError):
        return f"no connection to {error.request.url.host}"
    return "the connection broke"
