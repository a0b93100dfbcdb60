"""The door: the one HTTP transport through which every answer of Azure enters, whichever package sent the request.

It limits how large an answer may be and how long it may take, names TLS failures at once, and caps and shows the waits that a
service asks for. The shape of an answer is checked by `object_of`, `rows_of` and `Pages`. Errors that no retry would fix leave as
`FineforgeError`, which the retry policies of azure-core do not catch.
"""

from __future__ import annotations

import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.host.retry_after import seconds_of

MAX_BYTES = 64 << 20
"""Bytes of one answer, after decompression. A page of 100 jobs has about 1 MB."""
MAX_PAGES = 2000
"""Pages of one list: 200,000 jobs."""
CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 20.0, 60.0, 120.0
"""For a connection, for the next bytes of an answer, for its whole body."""
MAX_WAIT = 60.0
"""Seconds that a service may ask the user to wait before the next attempt."""
_SHOWN_FROM = 2.0
"""Seconds: shorter waits are not worth a line."""
_BLOCK = 1 << 16


def show(message: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"{message}\n")


class Door(RequestsTransport):  # type: ignore[misc]
    """A transport for azure-core pipelines, azure-identity, azure-storage-blob and MLClient."""

    def __init__(
        self,
        ca: str | None = None,
        *,
        seconds: float = READ_SECONDS,
        notice: Callable[[str], None] = show,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`ca`: a PEM file, None for the system's own. `seconds`: how long to wait for the next bytes."""
        verify = {"connection_verify": ca} if ca else {}
        super().__init__(connection_timeout=min(seconds, CONNECT_SECONDS), read_timeout=seconds, **verify)
        self._notice, self._clock, self._pause = notice, clock, pause
        self.failure: FineforgeError | None = None
        """The last one that no retry would fix; None once an answer arrived."""

    def send(self, request: Any, **options: Any) -> Any:
        """Return the answer, read whole unless the caller streams it. Raises FF409 and FF424."""
        self.failure = None
        try:
            return self._send(request, **options)
        except FineforgeError as error:
            self.failure = error
            raise

    def _send(self, request: Any, **options: Any) -> Any:
        streamed = options.pop("stream", False)
        try:
            response = super().send(request, stream=True, **options)
        except (ServiceRequestError, ServiceResponseError) as error:
            if failure := tls_failure(error):
                raise FineforgeError(_tls(request.url, failure)) from None
            raise
        self._number_wait(response.headers)
        if not streamed:
            self._read(request.url, response.internal_response if hasattr(response, "internal_response") else response)
            if hasattr(response, "_content"):
                response._content = response._internal_response.content
        return response

    def sleep(self, duration: float) -> None:
        """Wait before the next attempt. Raises FF406 where the service asks for longer than `MAX_WAIT`."""
        if not duration <= MAX_WAIT:
            hint = "wait, then run the same command again"
            message = f"the service asks to wait {duration:,.0f} seconds"
            self.failure = FineforgeError(Diagnostic("FF406", message, hint=hint))
            raise self.failure
        if duration >= _SHOWN_FROM:
            self._notice(f"waiting {duration:.0f} s before the next attempt")
        self._pause(duration)

    def _number_wait(self, headers: Any) -> None:
        """Replace each form of Retry-After by a number of seconds that azure-core can parse."""
        for name in ("Retry-After", "retry-after-ms", "x-ms-retry-after-ms"):
            if (given := headers.get(name)) is not None:
                seconds = seconds_of(str(given))
                if seconds is None:
                    del headers[name]
                else:
                    headers[name] = f"{seconds:g}"

    def _read(self, url: str, response: Any) -> None:
        """Read the body into `response`, whose own way of reading has no limits."""
        end, blocks, total = self._clock() + ANSWER_SECONDS, [], 0
        try:
            # `read1` returns after each read from the socket. `read` waits for a full block, however slowly it fills.
            while block := response.raw.read1(_BLOCK, decode_content=True):
                blocks.append(block)
                total += len(block)
                if total > MAX_BYTES:
                    raise FineforgeError(strange(url, f"it is larger than {MAX_BYTES:,} bytes"))
                if self._clock() > end:
                    raise FineforgeError(strange(url, f"it did not end within {ANSWER_SECONDS:.0f} seconds"))
        except FineforgeError:
            response.close()
            raise
        except Exception as error:  # urllib3's own types, of a package that we do not depend on.
            response.close()
            raise ServiceResponseError(f"the answer was cut off: {error}", error=error) from error
        response._content, response._content_consumed = b"".join(blocks), True
        response.raw.release_conn()


def tls_failure(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS failure behind an error, if there is one."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ssl.SSLError):
            return one
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            waiting += [
                one.__cause__,
                one.__context__,
                getattr(one, "reason", None),
                getattr(one, "inner_exception", None),
                *one.args,
            ]
    return None


def caused(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from, outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def place(url: str) -> str:
    """Host and path of an address. A query may hold a secret."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"[:300]


def strange(url: str, problem: str) -> Diagnostic:
    """The diagnostic for an answer that is not what was asked for."""
    hint = "a proxy or sign-in page may be answering instead of Azure: check the network, then run the same command again"
    return Diagnostic("FF424", f"the answer of `{place(url)}` cannot be used: {problem}", hint=hint)


def object_of(answer: Any, *needed: str) -> Mapping[str, Any]:
    """The JSON object of a success. Raises FF424 where it is none, or lacks one of the keys `needed`."""
    if not isinstance(answer.body, Mapping):
        raise FineforgeError(strange(answer.url, f"it must be a JSON object, got {_form(answer)}"))
    for key in needed:
        if key not in answer.body:
            raise FineforgeError(strange(answer.url, f"`{key}` is missing"))
    return answer.body


def part_of(answer: Any, key: str, kind: type, otherwise: Any) -> Any:
    """A part of the answer's object; `otherwise` where it is absent or null. Raises FF424 where it has another type."""
    found = object_of(answer).get(key)
    if found is None:
        return otherwise
    if not isinstance(found, kind):
        raise FineforgeError(strange(answer.url, f"`{key}` must be {_TYPES[kind]}, got {type(found).__name__}"))
    return found


def rows_of(answer: Any, key: str = "value", named: str = "name") -> Sequence[Mapping[str, Any]]:
    """The rows of a page of a list: objects, each with the text `named`, where given. Raises FF424."""
    object_of(answer, key)
    rows: Sequence[Any] | None = part_of(answer, key, list, None)
    if rows is None:
        raise FineforgeError(strange(answer.url, f"`{key}` is null"))
    for at, row in enumerate(rows):
        if not isinstance(row, Mapping) or (named and not (isinstance(row.get(named), str) and row[named])):
            raise FineforgeError(strange(answer.url, f"`{key}[{at}]` is not an object with a `{named}`"))
    return rows


def scored(answer: Any) -> Any:
    """The decoded answer of a model server, which may have any form. Raises FF424 where it is a page or nothing."""
    page = "html" in str(answer.headers.get("Content-Type") or "").lower()
    if page or answer.body is None:
        raise FineforgeError(strange(answer.url, "it is a web page" if page else f"it must be JSON or text, got {_form(answer)}"))
    return answer.body


class Pages:
    """The pages of one list: none is read twice, and there is an end. Raises FF424."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def turn(self, url: str, page: str) -> None:
        """Note that `page`, an address or a token, is read next."""
        if page in self._seen:
            raise FineforgeError(strange(url, "the next page was read before"))
        if len(self._seen) >= MAX_PAGES:
            raise FineforgeError(strange(url, f"the list has more than {MAX_PAGES} pages"))
        self._seen.add(page)


_TYPES: dict[Any, str] = {list: "a list", Mapping: "an object", str: "text"}


def _form(answer: Any) -> str:
    kind = str(answer.headers.get("Content-Type") or "").split(";")[0]
    if not answer.text.strip():
        return "nothing"
    if isinstance(answer.body, str) and answer.body == answer.text:
        return f"text that is not JSON (`{kind}`)" if kind else "text that is not JSON"
    return "null" if answer.body is None else f"a JSON {type(answer.body).__name__}"


def _tls(url: str, failure: ssl.SSLError) -> Diagnostic:
    problem = getattr(failure, "verify_message", "") or getattr(failure, "reason", "") or str(failure)
    hint = "check the clock of this machine; behind a proxy with its own certificate authority set REQUESTS_CA_BUNDLE to its file"
    return Diagnostic("FF409", f"the TLS connection to `{urlsplit(url).netloc}` failed: {problem}", hint=hint)
