"""The one port: an HTTPS forward proxy that ends TLS itself and serves Azure's hosts, and nobody else's.

`CONNECT management.azure.com:443` is answered, the stream becomes TLS, and uvicorn's own HTTP protocol takes it over. A host that
is not Azure's is refused, so nothing that goes through here can reach the network by mistake.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.server import ServerState

MAX_HEAD = 16_384
"""Bytes of a request's head before the tunnel."""

_CONNECT = re.compile(rb"CONNECT ([A-Za-z0-9.-]{1,253}):(\d{1,5}) HTTP/1\.[01]\r\n")


@dataclass(slots=True)
class Front:
    """What all connections share."""

    config: uvicorn.Config
    context: ssl.SSLContext
    hosts: re.Pattern[str]
    """The hosts that are served."""
    state: ServerState = field(default_factory=ServerState)
    tunnels: dict[tuple[str, int], asyncio.Transport] = field(default_factory=dict)
    """By the client's address: how a fault drops a connection."""

    def protocol(self) -> asyncio.Protocol:
        return _Head(self)

    def application(self, host: str) -> Any:
        """`host`: what the tunnel was opened for; requests carry it in `state`, empty where there is no tunnel."""
        protocol: Any = self.config.http_protocol_class
        return protocol(config=self.config, server_state=self.state, app_state={"tunnel": host})

    def drop(self, client: tuple[str, int]) -> None:
        """Closes a client's connection at once, in the middle of whatever it is doing."""
        if transport := self.tunnels.pop(client, None):
            transport.abort()


class _Head(asyncio.Protocol):
    """Reads the first head of a connection and decides what it is."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > MAX_HEAD:
                self._refuse(431, "the request's head is too large")
            return
        match = _CONNECT.match(self._buffer)
        if match:
            self._connect(match[1].decode().lower(), int(match[2]))
        elif self._buffer.split(b" ", 2)[1:2] and self._buffer.split(b" ", 2)[1].startswith(b"/"):
            self._serve_plainly()
        else:
            self._refuse(403, "plain HTTP is not proxied: Azure speaks HTTPS only")

    def _connect(self, host: str, port: int) -> None:
        if port != 443 or not self._front.hosts.fullmatch(host):
            self._refuse(403, f"{host}:{port} is not a host of Azure ML; this proxy reaches nothing else")
            return
        if not self._buffer.endswith(b"\r\n\r\n"):
            self._refuse(400, "a client waits for the answer to CONNECT before it goes on")
            return
        # What comes next is TLS: it must not be read here.
        self._transport.pause_reading()
        self._transport.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        task = asyncio.ensure_future(self._tunnel(host))
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)

    async def _tunnel(self, host: str) -> None:
        handoff = _Handoff()
        try:
            tls = await asyncio.get_running_loop().start_tls(self._transport, handoff, self._front.context, server_side=True)
        except (ssl.SSLError, OSError):
            self._transport.close()
            return
        if tls is None:
            return
        client = tls.get_extra_info("peername")
        self._front.tunnels[client] = tls
        handoff.pass_to(self._front.application(host), tls, lambda: self._front.tunnels.pop(client, None))

    def _serve_plainly(self) -> None:
        """The control page of tests, without TLS; the application answers nothing else on it."""
        application = self._front.application("")
        application.connection_made(self._transport)
        self._transport.set_protocol(application)
        application.data_received(self._buffer)

    def _refuse(self, status: int, words: str) -> None:
        body = words.encode()
        head = (
            f"HTTP/1.1 {status} Refused\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        self._transport.close()


_TASKS: set[asyncio.Task[None]] = set()
"""The loop keeps only weak references to tasks."""


class _Handoff(asyncio.Protocol):
    """Keeps what arrives between the end of the handshake and the moment that the application takes over."""

    def __init__(self) -> None:
        self._early: list[bytes] = []
        self._lost = False

    def data_received(self, data: bytes) -> None:
        self._early.append(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True

    def pass_to(self, application: Any, transport: asyncio.Transport, closed: Any) -> None:
        if self._lost:
            closed()
            return
        lost = application.connection_lost

        def connection_lost(error: Exception | None) -> None:
            closed()
            lost(error)

        application.connection_lost = connection_lost
        application.connection_made(transport)
        transport.set_protocol(application)
        for data in self._early:
            application.data_received(data)


async def listen(front: Front, host: str, port: int) -> asyncio.Server:
    """Accepts on loopback only."""
    if host not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError(f"{host} is not a loopback address")
    return await asyncio.get_running_loop().create_server(front.protocol, host, port)
