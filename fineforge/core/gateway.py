"""The gateway protocol: the only door to Azure.

`observe`, `apply` and `engine` know this and nothing else of the service. `fineforge.azure` implements it over HTTPS;
the tests have one that calls the emulator's rules directly.
Every method raises `FineforgeError` with FF4xx diagnostics, the service's own message kept; none returns a failure as data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fineforge.core.objects import Raw, ResourceKey
from fineforge.core.runs import LogPosition, LogText, Series

LOCAL = "local"
"""The target that is the emulator; it always exists."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a target is. `id` is the ARM id, lower case."""

    target: str
    subscription_id: str
    resource_group: str
    name: str

    @property
    def id(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourcegroups/{self.resource_group}"
            f"/providers/microsoft.machinelearningservices/workspaces/{self.name}"
        ).lower()


READS = 24
"""Reads of one plan that are under way at once; a workspace answers them in one round trip."""
Progress = Callable[[Raw], None]
"""Called with each body that was read while waiting."""


@dataclass(frozen=True, slots=True)
class Leased:
    """What the storage says of a lease."""

    name: str
    """`project/spec`."""
    held: bool
    note: Mapping[str, str]
    """What its last holder wrote beside it."""


class Leases(Protocol):
    """Leases on blobs of the default datastore, by `project/spec`. No resource writes; FF532 where the storage refuses."""

    def take(self, name: str, lease: str, seconds: int) -> bool:
        """Takes it under an id of ours; False where somebody has it. Taking it twice under one id is taking it once."""

    def take_over(self, name: str, old: str, lease: str) -> bool:
        """Takes it from a holder who is gone; False where `old` does not have it any more."""

    def write(self, name: str, lease: str, note: Mapping[str, str]) -> None:
        """Who we are, for others to read."""

    def renew(self, name: str, lease: str) -> bool:
        """False where it is ours no longer."""

    def release(self, name: str, lease: str) -> None:
        """Gives it back; one that is ours no longer is no error."""

    def end(self, name: str) -> bool:
        """Ends it at once, whoever has it; False where nobody has."""

    def read(self, name: str) -> Leased | None:
        """None where it was never taken."""

    def list(self, project: str = "") -> Sequence[Leased]:
        """Those that were ever taken, of one project or of all."""


class Reader(Protocol):
    """What a plan needs: it reads, and asks for no secret."""

    @property
    def workspace(self) -> Workspace: ...

    @property
    def parallel(self) -> int:
        """Reads that one plan may have under way at once; 1 where many plans are made at the same time."""

    def location(self) -> str:
        """Region of the workspace (one GET, cached); a workspace that does not exist is FF4xx."""

    def get(self, key: ResourceKey) -> Raw | None:
        """The object's body; None only where the service answered that it does not exist."""

    def list(self, kind: str, parent: str | None = None) -> Mapping[ResourceKey, Raw]:
        """All objects of a kind, archived ones included, every page. Lists lag behind writes.

        `parent` is the endpoint of deployments, the name whose versions are wanted of data and models, the `project/spec`
        of jobs; without it, all of fineforge's.
        """

    def names(self, kind: str) -> Sequence[str]:
        """The names of all data assets or models, archived ones too; their versions are lists of their own."""

    def wait(self, key: ResourceKey, progress: Progress, stopped: Callable[[], bool]) -> Raw | None:
        """Polls until the object is no longer busy; None when it is gone. Gives up, without error, when `stopped()`.

        A failed object is returned with the service's words merged into `["fineforge-error"]`: {"code", "message"}.
        """

    def read_metrics(self, job: str) -> Mapping[str, Series]:
        """Metric name -> its values, and which run of the job they are from; the runs of its steps included."""

    def read_model(self, registry: str, name: str, version: str | None) -> Raw | None:
        """A registry model version's body; without a version the newest that is not archived."""

    def read_component(self, registry: str, name: str, version: str | None) -> Raw | None:
        """A registry component version's body, likewise."""

    def read_sizes(self) -> Raw:
        """The region's VM sizes as the service lists them."""


class Gateway(Reader, Protocol):
    """What an apply needs beside it, and whoever looks at a job or asks a model."""

    def create(self, key: ResourceKey, text: str) -> None:
        """One resource write: submits the rendered YAML through azure-ai-ml and returns without waiting."""

    def update(self, key: ResourceKey, body: Raw) -> None:
        """One resource write: PUT of a whole body that came from `get`; returns without waiting."""

    def delete(self, key: ResourceKey) -> None:
        """One resource write; an object that is already gone is no error."""

    def cancel(self, key: ResourceKey) -> None:
        """One resource write: asks a running job to stop."""

    def upload(self, source: Path, destination: str) -> None:
        """Puts a file at a path of the default datastore; a complete blob that is already there is left alone."""

    def leases(self) -> Leases:
        """Where applies keep out of each other's way. Asks for the storage's secrets, where it has any."""

    def output_bytes(self, job: str, output: str) -> int | None:
        """Bytes, at most of the first page of files, that a completed job left in an output; None where the service does not
        say where it lies, or the storage may not be listed."""

    def read_log(self, job: str, seen: LogPosition) -> tuple[Sequence[LogText], LogPosition]:
        """New text of the job's logs, those of its steps included, since `seen`; and what `seen` is next time."""

    def read_deployment_log(self, key: ResourceKey, lines: int) -> str:
        """The last lines of the container's log, at most so many. FF420 where the service cannot tell them yet."""

    def invoke(self, endpoint: str, deployment: str | None, request: Mapping[str, Any]) -> Any:
        """Scores; with `deployment`, by header, whatever the traffic says. Returns the decoded answer."""

    def close(self) -> None: ...
