"""A gateway that calls the emulator's rules directly: no HTTP, no SDK, and no rule about Azure of its own.

`tests.support.azure_bodies` makes the bodies that azure-ai-ml sends; tests/unit/azure/test_sent_bodies.py compares the two.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fineforge.azure.paths import key_of
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import READS, Leased, Progress, Workspace
from fineforge.core.objects import Raw, ResourceKey, Status
from fineforge.core.runs import LogPosition, LogText, Run, Series
from fineforge.emulator.lifecycle import Lifecycle, Progression
from fineforge.emulator.rules import Cloud, Reply, Settings
from fineforge.emulator.rules.errors import AzureError
from fineforge.emulator.rules.leases import Leases
from fineforge.emulator.runner.instant import InstantRunner
from fineforge.emulator.storage.store import Store
from fineforge.resources.kinds import KINDS
from fineforge.resources.ownership import whose
from tests.support.azure_bodies import path_of, sent


class MemoryGateway:
    """Implements `fineforge.core.gateway.Gateway`. `writes` lists every resource write: verb and key."""

    def __init__(self, home: Path, progression: Progression = Progression.STEPPED) -> None:
        self.settings = Settings()
        self.runner = InstantRunner()
        self.cloud = Cloud(home, self.runner, Store(), Lifecycle(progression), self.settings)
        self.writes: list[tuple[str, str]] = []
        self.submitted: list[str] = []
        self._one_at_a_time = threading.Lock()
        """So that a count says exactly which write is the last one."""
        self.leases_type = MemoryLeases
        """A storage that answers in another way is a subclass, set here."""
        self.notes: dict[str, Mapping[str, str]] = {}
        """Of leases, by `project/spec`."""
        self.dead = False
        self.refuses_leases = False
        self.dies: tuple[int, bool] | None = None
        """The write, counted from 0, at which the client's machine loses its power, and whether the service still got it."""

    parallel = READS

    @property
    def workspace(self) -> Workspace:
        where = self.settings
        return Workspace("dev", where.subscription_id, where.resource_group, where.workspace)

    def location(self) -> str:
        return self.settings.location

    def get(self, key: ResourceKey) -> Raw | None:
        self._alive()
        if key.kind == "publication" or (key.kind == "model" and key.parent):
            return self._read("registry_model", path_of(key))
        try:
            body: dict[str, Any] = self.cloud.get(key.kind, path_of(key)).body
            return body
        except AzureError as error:
            if error.status == 404:
                return None
            raise _diagnosed(error) from None

    def list(self, kind: str, parent: str | None = None) -> Mapping[ResourceKey, Raw]:
        try:
            inside = (parent,) if parent and kind != "job" else ()
            found = self.cloud.list(kind, inside, view="All").body["value"]
        except AzureError as error:
            if error.status == 404:
                return {}
            raise _diagnosed(error) from None
        if kind == "job" and parent is not None:
            found = [raw for raw in found if whose(raw) == parent]
        return {key_of(kind, parent, raw): raw for raw in found}

    def names(self, kind: str) -> Sequence[str]:
        return [str(raw["name"]) for raw in self.cloud.list(kind, (), view="All").body["value"]]

    def create(self, key: ResourceKey, text: str) -> None:
        body = sent(key.kind, yaml.safe_load(text), self.settings)
        if key.kind == "publication":
            self._write("create", key, lambda: self._publish(key, body))
        else:
            self._write("create", key, lambda: self.cloud.put(key.kind, path_of(key), body))

    def update(self, key: ResourceKey, body: Raw) -> None:
        self._write("update", key, lambda: self.cloud.put(key.kind, path_of(key), dict(body)))

    def delete(self, key: ResourceKey) -> None:
        self._write("delete", key, lambda: self.cloud.delete(key.kind, path_of(key)))

    def cancel(self, key: ResourceKey) -> None:
        self._write("cancel", key, lambda: self.cloud.post(key.kind, path_of(key), "cancel"))

    def wait(self, key: ResourceKey, progress: Progress, stopped: Callable[[], bool]) -> Raw | None:
        for _ in range(20_000):
            raw = self.get(key)
            status = KINDS[key.kind].observe(key, raw).status if raw is not None else None
            if raw is not None and status is Status.FAILED:
                return {**raw, "fineforge-error": self._words(key, raw)}
            if status not in (Status.BUSY, Status.RUNNING) or stopped():
                return raw
            assert raw is not None
            progress(raw)
        raise AssertionError(f"{key} is busy for ever")

    def upload(self, source: Path, destination: str) -> None:
        target = self.cloud.blobs.path(self.settings.container, destination)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def leases(self) -> MemoryLeases:
        self._alive()
        return self.leases_type(self)

    def output_bytes(self, job: str, output: str) -> int | None:
        raw = self.get(ResourceKey("job", job)) or {}
        uri = str(raw["properties"]["outputs"][output]["uri"])
        folder = self.cloud.blobs.path(self.settings.container, uri.split("/paths/")[1])
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())

    def read_log(self, job: str, seen: LogPosition) -> tuple[Sequence[LogText], LogPosition]:
        return [], seen

    def read_metrics(self, job: str) -> Mapping[str, Series]:
        found: dict[str, list[tuple[int, float]]] = {}
        for row in self.cloud.list("metric", (job,)).body["value"]:
            found.setdefault(row["name"], []).append((row["step"], row["value"]))
        return {name: Series(Run(job, job), tuple(points)) for name, points in found.items()}

    def read_deployment_log(self, key: ResourceKey, lines: int) -> str:
        return str(self.cloud.post("deployment", path_of(key), "getLogs", {"tail": lines}).body["content"])

    def read_model(self, registry: str, name: str, version: str | None) -> Raw | None:
        return self._version("registry_model", registry, name, version)

    def read_component(self, registry: str, name: str, version: str | None) -> Raw | None:
        return self._version("registry_component", registry, name, version)

    def read_sizes(self) -> Raw:
        body: dict[str, Any] = self.cloud.get("vm_sizes").body
        return body

    def invoke(self, endpoint: str, deployment: str | None, request: Mapping[str, Any]) -> Any:
        assert deployment is not None
        return self.runner.answer(endpoint, deployment, request)

    def close(self) -> None:
        self.cloud.close()

    def _words(self, key: ResourceKey, raw: Raw) -> dict[str, str]:
        """Why it failed: of a job run history tells, of the others their last operation."""
        if key.kind == "job":
            told = (self.cloud.get("run", (key.name,)).body.get("error") or {}).get("error")
        else:
            address = (raw["properties"].get("properties") or {}).get("AzureAsyncOperationUri")
            told = self._read("operation", (address.split("/")[-1].split("?")[0],)) if address else None
            told = (told or {}).get("error")
        return {part: str(told.get(part) or "") for part in ("code", "message")} if told else {}

    def _read(self, kind: str, path: tuple[str, ...]) -> Raw | None:
        try:
            body: dict[str, Any] = self.cloud.get(kind, path).body
            return body
        except AzureError:
            return None

    def _publish(self, key: ResourceKey, body: dict[str, Any]) -> Reply:
        reply = self.cloud.post("registry_model", (key.parent or "",), "import", body)
        while reply.operation is not None and self.cloud.get("operation", (reply.operation.id,)).body["status"] != "Succeeded":
            pass  # azure-ai-ml asks until it is over; each question takes the emulated world a step further
        return reply

    def _version(self, kind: str, registry: str, name: str, version: str | None) -> Raw | None:
        if version is not None:
            return self._read(kind, (registry, name, version))
        found = self.cloud.list(kind, (registry, name), view="ActiveOnly").body["value"]
        return found[0] if found else None

    def _write(self, verb: str, key: ResourceKey, change: Callable[[], Reply]) -> None:
        with self._one_at_a_time:
            self._write_now(verb, key, change)

    def _write_now(self, verb: str, key: ResourceKey, change: Callable[[], Reply]) -> None:
        number, got = self.dies if self.dies is not None else (-1, True)
        if len(self.writes) == number and not got:
            self.dead = True
        self._alive()
        try:
            change()
        except AzureError as error:
            raise _diagnosed(error) from None
        self.writes.append((verb, str(key)))
        if (verb, key.kind) == ("create", "job"):
            self.submitted.append(key.name)
        if len(self.writes) == number + 1:
            self.dead = True
        self._alive()

    def _alive(self) -> None:
        if self.dead:
            raise Killed


def answering(gateway: MemoryGateway, **methods: Callable[..., Any]) -> MemoryGateway:
    """Return a gateway to the same world that answers as the given one does, but for these methods."""
    kind = type("Answering", (type(gateway),), {name: staticmethod(method) for name, method in methods.items()})
    other: MemoryGateway = object.__new__(kind)
    other.__dict__ = gateway.__dict__
    return other


class MemoryLeases:
    """Implements `fineforge.core.gateway.Leases` by the emulator's rules."""

    def __init__(self, gateway: MemoryGateway) -> None:
        self._gateway = gateway

    def take(self, name: str, lease: str, seconds: int) -> bool:
        return self._done(lambda rules: rules.acquire("leases", name, seconds, lease))

    def take_over(self, name: str, old: str, lease: str) -> bool:
        return self._done(lambda rules: rules.change("leases", name, old, lease)) and self.renew(name, lease)

    def write(self, name: str, lease: str, note: Mapping[str, str]) -> None:
        self._rules().let_write("leases", name, lease)
        self._gateway.notes[name] = note

    def renew(self, name: str, lease: str) -> bool:
        return self._done(lambda rules: rules.renew("leases", name, lease))

    def release(self, name: str, lease: str) -> None:
        self._done(lambda rules: rules.release("leases", name, lease))

    def end(self, name: str) -> bool:
        return self._done(lambda rules: rules.end("leases", name, 0))

    def read(self, name: str) -> Leased | None:
        held = self._rules().look("leases", name).locks
        return Leased(name, held, self._gateway.notes[name]) if name in self._gateway.notes else None

    def list(self, project: str = "") -> list[Leased]:
        found = [self.read(name) for name in self._gateway.notes if name.startswith(f"{project}/" if project else "")]
        return [entry for entry in found if entry is not None]

    def _done(self, change: Callable[[Leases], Any]) -> bool:
        try:
            change(self._rules())
        except AzureError as error:
            assert error.status in (409, 412), error
            return False
        return True

    def _rules(self) -> Leases:
        # Of a dead client nothing is given back; that the holder is gone is what the next apply has to find out.
        if self._gateway.dead or self._gateway.refuses_leases:
            raise FineforgeError(Diagnostic("FF532", "nothing reaches the storage any more"))
        return self._gateway.cloud.leases


class Killed(Exception):
    """From here on nothing reaches the service any more."""


def _diagnosed(error: AzureError) -> FineforgeError:
    return FineforgeError(Diagnostic("FF400", f"{error.status} {error.code}: {error.message}"))
