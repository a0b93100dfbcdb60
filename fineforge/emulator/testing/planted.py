"""What tests make true of the emulated world: names that others took, quota, failures to come, components nobody has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fineforge.catalog import snapshot
from fineforge.emulator.lifecycle import Clock
from fineforge.emulator.rules.base import Key
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import failure
from fineforge.emulator.rules.registries import registry_body
from fineforge.emulator.rules.registry import publish
from fineforge.emulator.rules.runs import Runs
from fineforge.emulator.storage.store import Store


@dataclass(frozen=True, slots=True)
class Planted:
    context: Context

    @property
    def store(self) -> Store:
        return self.context.store

    def name_taken(self, name: str) -> None:
        """Another tenant of the region has an endpoint of this name."""
        self.store.put("region_name", (name.lower(),), {"owner": "another tenant"})

    def failure(self, kind: str, path: Key, code: str, message: str) -> None:
        """The next long operation of this object fails so."""
        self.store.put("planted_failure", (kind, *path), {"code": code, "message": message})

    def stall(self, kind: str, path: Key, reads: int | None = None) -> None:
        """What this object is busy with does not end: for so many reads of it, or until `go_on`."""
        self.store.put("stalled", (kind, *path), {"reads": reads})

    def go_on(self, kind: str, path: Key) -> None:
        self.store.delete("stalled", (kind, *path))

    def flip(self, kind: str, path: Key, reads: int) -> None:
        """An endpoint or deployment that had succeeded is `Updating` again by itself, for so many reads of it (reported)."""
        path = tuple(path)
        document = self.store.get(kind, path)
        if document is None or document["body"]["properties"]["provisioningState"] != "Succeeded":
            raise ValueError(f"{kind}/{'/'.join(path)} has not succeeded")
        document["body"]["properties"]["provisioningState"] = "Updating"
        self.store.put(kind, path, document)
        self.stall(kind, path, reads)
        self.context.operations.begin(kind, path, "update")

    def quota(self, family: str, limit: int | None) -> None:
        """Cores of a VM family (`standardDSv2Family`); None: no entry. Also the names of `sizes.DEFAULT_LIMITS`."""
        self.store.put("quota", (family,), {"limit": limit})

    def later(self, seconds: float) -> None:
        """Moves the clock: leases and `timed` operations come to their end."""
        clock = self.context.lifecycle.clock
        if not isinstance(clock, Clock):
            raise ValueError("this clock cannot be moved")
        clock.ahead += seconds

    def eviction(self, cluster: str) -> None:
        """Low-priority nodes are taken away: jobs that run on the cluster fail so, else the next one that starts there does."""
        found = self.store.get("compute", (cluster,))
        if found is None or found["properties"]["properties"]["vmPriority"] != "LowPriority":
            raise ValueError(f"{cluster} is no low-priority cluster: its nodes are not evicted")
        running = [path[0] for path, document in self.store.list("job") if _runs_on(document, cluster)]
        for job in running:
            Runs(self.context).finished(job, "Failed", failure("job_preempted"))
            self.context.effects.append(partial(self.context.runner.cancel, job))
        if not running:
            self.store.put("eviction", (cluster.lower(),), {})

    def registry(self, name: str) -> None:
        """A registry of somebody's own, empty."""
        self.store.put("registry", (name.lower(),), registry_body(name, self.context.settings, {}))

    def component(self, registry: str, name: str, version: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """A component that no catalog knows. Inputs and outputs as in its YAML: `{"rows": {"type": "integer", "min": 1}}`."""
        if registry.lower() != self.context.settings.registry:
            self.registry(registry)
        entry = {"name": name, "version": version, "display_name": name, "inputs": dict(inputs), "outputs": dict(outputs)}
        body = snapshot.component_body(entry, registry) | {"systemData": self.context.created()}
        publish(self.context, body)


def _runs_on(document: Mapping[str, Any], cluster: str) -> bool:
    active = document["body"]["properties"]["status"] in ("Queued", "Running")
    return active and cluster.lower() in [name.lower() for name in document["run"].get("clusters", ())]
