"""Faults on demand, and the log of requests: how tests break the service at an exact place. Only with `--test-hooks`.

A rule names a request (method, path, the how-manieth) and what happens before or after its effect: the client is killed, the
connection drops, an error is answered (one of the test's own, or a row of Azure's words in Azure's shape), the answer is late, or
a list is what it was when it was first asked for. What goes wrong later, with objects: `models.planted`. How rules are set:
`routes.control`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from dataclasses import asdict, dataclass, field
from typing import Any

from starlette.responses import Response

from fineforge.emulator.rules.errors import AzureError, refuse

_READING_POST = re.compile(r"/(list\w*|token|invoke|score|getLogs|runs/search)\Z", re.IGNORECASE)
_ADDRESS = re.compile(r"/(temp)?datarefs/", re.IGNORECASE)
"""Of blobs in a registry: asking for one changes nothing."""
_WHAT, _WHEN = ("kill", "drop", "error", "delay", "lag"), ("before", "after")


@dataclass(slots=True)
class Fault:
    what: str
    """`kill`, `drop`, `error`, `delay`, or `lag`: the first answer to a GET is given again and again."""
    when: str = "before"
    """`before` or `after` the effect; an `error` after it hides a success."""
    method: str = ""
    """Regular expression over the method; empty: any."""
    path: str = ""
    """Regular expression over host and path; empty: any."""
    nth: int = 0
    """The how-manieth match, from 1; 0: every one."""
    writes: bool = False
    """Only resource writes count."""
    pid: int = 0
    status: int = 500
    body: Any = None
    words: str = ""
    """A row of `models.errors.WORDS`, for an `error` in the shape, and with the status, that Azure gives it."""
    values: dict[str, str] = field(default_factory=dict)
    """What that row is filled in with."""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    seen: int = 0
    answers: dict[str, Response] = field(default_factory=dict)
    """Of `lag`, by path and query."""

    def __post_init__(self) -> None:
        if self.what not in _WHAT or self.when not in _WHEN:
            raise ValueError(f"a fault is one of {_WHAT}, and happens {_WHEN}")
        re.compile(self.method), re.compile(self.path)
        if self.words:
            self.refusal()

    def refusal(self) -> AzureError:
        """Of `words`; without them an error of the service itself. KeyError where the row, or a value of it, is missing."""
        if not self.words:
            return AzureError(self.status, "InternalServerError", "An internal server error occurred.")
        return refuse(self.words, **self.values)

    def meets(self, entry: Request) -> bool:
        if self.writes and not entry.write:
            return False
        if not re.search(self.method, entry.method) or not re.search(self.path, f"{entry.host}{entry.path}"):
            return False
        self.seen += 1
        return self.nth in (0, self.seen)


@dataclass(slots=True)
class Request:
    """One request, as the log keeps it."""

    method: str
    host: str
    path: str
    write: bool
    """A resource write: PUT, PATCH, DELETE, or a POST that changes something, on ARM, run history or a registry."""
    status: int = 0
    body: Any = None
    """What a resource write sent, parsed; None where it sent nothing."""


class Faults:
    """The rules that are set and the requests that came."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self.requests: list[Request] = []

    def set(self, rules: list[dict[str, Any]]) -> None:
        self.rules = [Fault(**rule) for rule in rules]

    def record(self, method: str, host: str, path: str) -> Request:
        entry = Request(method, host, path, is_write(method, host, path))
        self.requests.append(entry)
        return entry

    def hits(self, entry: Request) -> list[Fault]:
        return [rule for rule in self.rules if rule.what != "lag" and rule.meets(entry)]

    def lagging(self, entry: Request, query: str, response: Response) -> Response:
        """The answer, or the older one that a `lag` keeps."""
        for rule in self.rules:
            if rule.what == "lag" and entry.method == "GET" and rule.meets(entry):
                return rule.answers.setdefault(f"{entry.path}?{query}", response)
        return response

    def log(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.requests]

    def clear(self) -> None:
        self.rules, self.requests = [], []


def is_write(method: str, host: str, path: str) -> bool:
    """PUT, PATCH, DELETE, and POST but for those that only read, on ARM, run history or a registry; not on blobs or sign-in."""
    if not (host == "management.azure.com" or host.endswith((".api.azureml.ms", ".experiments.azureml.net"))):
        return False
    if _ADDRESS.search(path):
        return False
    if method == "POST":
        return _READING_POST.search(path) is None
    return method in ("PUT", "PATCH", "DELETE")


async def strike(fault: Fault) -> None:
    """Kill and delay; the others are the application's, for it owns the answer."""
    if fault.what == "kill":
        with contextlib.suppress(ProcessLookupError):
            os.kill(fault.pid, signal.SIGKILL)
    elif fault.what == "delay":
        await asyncio.sleep(fault.seconds)
