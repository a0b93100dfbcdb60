"""A hostile service on loopback: a real HTTP server whose answers are not what was asked for.

`KINDS` names the answers; fuzzing may reuse them.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON, HTML = "application/json", "text/html; charset=utf-8"
ENDLESS_BYTES = 256 << 20
"""Far beyond each limit; an endless body ends there, so that a failing test does not fill the machine."""


@dataclass(frozen=True, slots=True)
class Reply:
    body: bytes = b""
    status: int = 200
    type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    how: str = "whole"
    """`whole`, `drip` (byte by byte), `endless`, `short` (fewer bytes than Content-Length says)."""


def bomb(size: int = ENDLESS_BYTES) -> bytes:
    """A gzip stream of `size` spaces."""
    return b"".join(_squeezed(size))


def _squeezed(size: int) -> Iterator[bytes]:
    import zlib

    squeeze, block = zlib.compressobj(9, zlib.DEFLATED, 31), b" " * (1 << 20)
    for _ in range(size // len(block)):
        yield squeeze.compress(block)
    yield squeeze.flush()


KINDS: dict[str, Callable[[], Reply]] = {
    "page": lambda: Reply(b"<html><body>Sign in</body></html>", type=HTML),
    "page called JSON": lambda: Reply(b"<html></html>"),
    "page with 404": lambda: Reply(b"<html>nothing here</html>", 404, HTML),
    "empty": Reply,
    "empty with 404": lambda: Reply(status=404),
    "cut": lambda: Reply(b'{"value": [{"na'),
    "short": lambda: Reply(b'{"value": []}', how="short"),
    "null": lambda: Reply(b"null"),
    "null list": lambda: Reply(b'{"value": null}'),
    "no list": lambda: Reply(b"{}"),
    "number": lambda: Reply(b"7"),
    "list": lambda: Reply(b"[]"),
    "text as list": lambda: Reply(b'{"value": "abc"}'),
    "rows that are numbers": lambda: Reply(b'{"value": [1, null, "x"]}'),
    "rows without names": lambda: Reply(b'{"value": [{"properties": {}}]}'),
    "nested": lambda: Reply(b"[" * 5000 + b"]" * 5000),
    "nested error": lambda: Reply(b'{"error":' * 5000 + b"1" + b"}" * 5000, 400),
    "odd error": lambda: Reply(json.dumps({"error": {"details": 3, "additionalInfo": {"a": 1}}}).encode(), 400),
    "bomb": lambda: Reply(bomb(), headers={"Content-Encoding": "gzip"}),
    "endless": lambda: Reply(b" " * (1 << 16), how="endless"),
    "redirect": lambda: Reply(status=307, headers={"Location": "https://elsewhere.example.com/"}),
}


def busy(after: str, status: int = 429) -> Reply:
    """An answer that asks to wait: `86400`, or `Fri, 31 Dec 2999 23:59:59 GMT`."""
    return Reply(b'{"error": {"code": "Busy", "message": "later"}}', status, headers={"Retry-After": after})


@dataclass
class Hostile:
    """`answer` decides for each request, by method and path."""

    answer: Callable[[str, str], Reply]
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def serving(answer: Callable[[str, str], Reply] | Reply) -> Iterator[Hostile]:
    """Run the service for as long as the block lasts."""
    hostile = Hostile((lambda _method, _path: answer) if isinstance(answer, Reply) else answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hostile.asked.append((self.command, self.path))
            with suppress(OSError):  # The client hangs up as soon as it has had enough.
                _write(self, hostile.answer(self.command, self.path))
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _any

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    hostile.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hostile
    finally:
        server.shutdown()
        server.server_close()


def _write(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    handler.send_response(reply.status)
    handler.send_header("Content-Type", reply.type)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    handler.send_header("Connection", "close")
    if reply.how not in ("endless", "drip"):
        handler.send_header("Content-Length", str(len(reply.body) + (10 if reply.how == "short" else 0)))
    handler.end_headers()
    if handler.command == "HEAD":
        return
    if reply.how == "endless":
        for _ in range(ENDLESS_BYTES // len(reply.body)):
            handler.wfile.write(reply.body)
    elif reply.how == "drip":
        handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(reply.body)):
            handler.wfile.write(reply.body[at : at + 1])
    else:
        handler.wfile.write(reply.body)
