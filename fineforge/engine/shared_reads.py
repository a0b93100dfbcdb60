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
        self._alone = specs == 1
        self.parallel = max(gateway.parallel // max(specs, 1), 1)
        """As many as there are for each of the plans that are made at once."""
        self._lock = threading.Lock()
        self._answers: dict[Hashable, Future[Any]] = {}
        self._changed: set[ResourceKey] = set()

    @classmethod
    def of(cls, gateway: Reader) -> SharedReads:
        """Return the gateway itself if it shares reads already, else reads of it for one spec."""
        return gateway if isinstance(gateway, cls) else cls(gateway)

    @property
    def workspace(self) -> Workspace:
        return self._gateway.workspace

    def pretend(self, key: ResourceKey, body: Raw) -> None:
        """From now on the object is read as it will be once another spec of the batch has written to it."""
        future: Future[Any] = Future()
        future.set_result(body)
        with self._lock:
            self._answers["get", key] = future
        self._changed.add(key)

    def location(self) -> str:
        found: str = self.once("location", self._gateway.location)
        return found

    def get(self, key: ResourceKey) -> Raw | None:
        if key.kind in self._lists and key not in self._changed:
            listed = self.list(key.kind).get(key)
            if listed is not None:
                return listed
        found: Raw | None = self.once(("get", key), lambda: self._gateway.get(key))
        return found

    def list(self, kind: str, parent: str | None = None) -> Mapping[ResourceKey, Raw]:
        if kind == "job" and parent is not None and not self._alone:
            return self._jobs().get(parent, {})
        found: Mapping[ResourceKey, Raw] = self.once(("list", kind, parent), lambda: self._gateway.list(kind, parent))
        return found

    def _jobs(self) -> Mapping[str, Mapping[ResourceKey, Raw]]:
        """Jobs grouped by owning spec. Grouped once, because every spec of a batch asks for its own."""

        def group() -> dict[str, dict[ResourceKey, Raw]]:
            grouped: dict[str, dict[ResourceKey, Raw]] = {}
            for key, raw in self.list("job").items():
                grouped.setdefault(whose(raw), {})[key] = raw
            return grouped

        found: Mapping[str, Mapping[ResourceKey, Raw]] = self.once("jobs by owner", group)
        return found

    def names(self, kind: str) -> Sequence[str]:
        found: Sequence[str] = self.once(("names", kind), lambda: self._gateway.names(kind))
        return found

    def wait(self, key: ResourceKey, progress: Progress, stopped: Callable[[], bool]) -> Raw | None:
        """Only to read a failed object's words."""
        return self._gateway.wait(key, progress, lambda: True)

    def read_metrics(self, job: str) -> Mapping[str, Series]:
        found: Mapping[str, Series] = self.once(("metrics", job), lambda: self._gateway.read_metrics(job))
        return found

    def read_model(self, registry: str, name: str, version: str | None) -> Raw | None:
        key = ("model", registry, name, version)
        found: Raw | None = self.once(key, lambda: self._gateway.read_model(registry, name, version))
        return found

    def read_component(self, registry: str, name: str, version: str | None) -> Raw | None:
        key = ("component", registry, name, version)
        found: Raw | None = self.once(key, lambda: self._gateway.read_component(registry, name, version))
        return found

    def read_sizes(self) -> Raw:
        found: Raw = self.once("sizes", self._gateway.read_sizes)
        return found

    def once(self, key: Hashable, read: Callable[[], Any]) -> Any:
        """Return the answer of `read`, called once per key; other threads that ask for the key wait, and get the same failure."""
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
