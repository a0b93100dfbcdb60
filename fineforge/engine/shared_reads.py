"""Reads that several specs share while they are planned: nothing is asked for twice, and lists stand in for many point GETs.

Only for planning: `apply` reads every object again before it writes. What a list holds exists; what it lacks is asked for by
itself, for lists lag behind writes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from fineforge.core.gateway import Progress, Reader, Workspace
from fineforge.core.objects import Raw, ResourceKey
from fineforge.core.runs import Series
from fineforge.resources.ownership import whose

LISTED = ("compute", "endpoint", "job")
"""Kinds of which one list has all that many specs want."""
MANY = 8
"""Specs from which on a list is cheaper than their point GETs."""


class SharedReads:
    """A reader that remembers what it has read."""

    def __init__(self, gateway: Reader, specs: int = 1) -> None:
        self._gateway = gateway
        self._lists = LISTED if specs >= MANY else ()
        self.parallel = max(gateway.parallel // max(specs, 1), 1)
        """As many as there are for each of the plans that are made at once."""
        self._lock = threading.Lock()
        self._answers: dict[Hashable, Future[Any]] = {}
        self._changed: set[ResourceKey] = set()

    @property
    def workspace(self) -> Workspace:
        return self._gateway.workspace

    def pretend(self, key: ResourceKey, body: Raw) -> None:
        """From now on the object is read as it will be once another spec of the batch has written to it."""
        told: Future[Any] = Future()
        told.set_result(body)
        with self._lock:
            self._answers["get", key] = told
        self._changed.add(key)

    def location(self) -> str:
        found: str = self._once("location", self._gateway.location)
        return found

    def get(self, key: ResourceKey) -> Raw | None:
        if key.kind in self._lists and key not in self._changed:
            listed = self.list(key.kind).get(key)
            if listed is not None:
                return listed
        found: Raw | None = self._once(("get", key), lambda: self._gateway.get(key))
        return found

    def list(self, kind: str, parent: str | None = None) -> Mapping[ResourceKey, Raw]:
        if kind == "job" and parent is not None:
            return self._jobs().get(parent, {})
        found: Mapping[ResourceKey, Raw] = self._once(("list", kind, parent), lambda: self._gateway.list(kind, parent))
        return found

    def _jobs(self) -> Mapping[str, Mapping[ResourceKey, Raw]]:
        """All jobs by whose they are, parted once: each of a thousand specs asks for its own."""

        def part() -> dict[str, dict[ResourceKey, Raw]]:
            parted: dict[str, dict[ResourceKey, Raw]] = {}
            for key, raw in self.list("job").items():
                parted.setdefault(whose(raw), {})[key] = raw
            return parted

        found: Mapping[str, Mapping[ResourceKey, Raw]] = self._once("jobs by owner", part)
        return found

    def names(self, kind: str) -> Sequence[str]:
        found: Sequence[str] = self._once(("names", kind), lambda: self._gateway.names(kind))
        return found

    def wait(self, key: ResourceKey, progress: Progress, stopped: Callable[[], bool]) -> Raw | None:
        """Only to read a failed object's words."""
        return self._gateway.wait(key, progress, lambda: True)

    def read_metrics(self, job: str) -> Mapping[str, Series]:
        found: Mapping[str, Series] = self._once(("metrics", job), lambda: self._gateway.read_metrics(job))
        return found

    def read_model(self, registry: str, name: str, version: str | None) -> Raw | None:
        key = ("model", registry, name, version)
        found: Raw | None = self._once(key, lambda: self._gateway.read_model(registry, name, version))
        return found

    def read_component(self, registry: str, name: str, version: str | None) -> Raw | None:
        key = ("component", registry, name, version)
        found: Raw | None = self._once(key, lambda: self._gateway.read_component(registry, name, version))
        return found

    def read_sizes(self) -> Raw:
        found: Raw = self._once("sizes", self._gateway.read_sizes)
        return found

    def _once(self, key: Hashable, read: Callable[[], Any]) -> Any:
        """The answer to a question that is asked once; whoever asks meanwhile waits, and is told of the same failure."""
        with self._lock:
            future = self._answers.get(key)
            mine = future is None
            if future is None:
                future = self._answers[key] = Future()
        if mine:
            try:
                future.set_result(read())
            except BaseException as error:
                future.set_exception(error)
        return future.result()
