"""The front of the rules: one object with the same verbs for every kind, usable without HTTP.

Here belong locking, transactions, the order of things within one request, and the runner's reports.
Rules of a kind are in that kind's file.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from fineforge.emulator.lifecycle import Lifecycle
from fineforge.emulator.rules import scoring
from fineforge.emulator.rules.base import Body, Key, Kind, Operation, Reply, Settings
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import AzureError
from fineforge.emulator.rules.kinds import all_kinds
from fineforge.emulator.rules.leases import Leases
from fineforge.emulator.rules.operations import Operations
from fineforge.emulator.rules.runner import Runner
from fineforge.emulator.rules.runs import Runs
from fineforge.emulator.storage.blobs import BlobFolder
from fineforge.emulator.storage.store import Store
from fineforge.emulator.testing.planted import Planted

T = TypeVar("T")


class Cloud:
    """Every method may be called from any thread. Refusals are `AzureError`; nothing is half done when one is raised."""

    def __init__(self, home: Path, runner: Runner, store: Store, lifecycle: Lifecycle, settings: Settings) -> None:
        self.settings = settings
        self.blobs = BlobFolder(home)
        self.leases = Leases(store, lifecycle)
        operations = Operations(store, lifecycle, settings)
        self._context = Context(settings, store, lifecycle, operations, self.blobs, runner)
        self._runs = Runs(self._context)
        self._kinds: Mapping[str, Kind] = all_kinds(self._context)
        self._lock = threading.RLock()
        self._draining = False
        self.planted = Planted(self._context)
        """What tests make true of the world: names taken, quota, failures to come."""
        runner.attach(self)

    # --- the verbs ---------------------------------------------------------------------------------------------------

    def put(self, kind: str, path: Key, body: Body) -> Reply:
        """201 or 200; with an operation where Azure works on."""
        return self._write(lambda: self._kinds[kind].put(path, body))

    def patch(self, kind: str, path: Key, body: Body) -> Reply:
        return self._write(lambda: self._kinds[kind].patch(path, body))

    def get(self, kind: str, path: Key = ()) -> Reply:
        """The point GET; 404 is raised. Counts as a read of a `stepped` lifecycle."""
        with self._turn():
            self._context.operations.count_read(kind, path)
        self._settle()
        with self._turn():
            return self._kinds[kind].get(path)

    def list(self, kind: str, parent: Key = (), view: str = "ActiveOnly") -> Reply:
        """{"value": [...]}, whole; assets and jobs newest first. `view`: ActiveOnly, ArchivedOnly, All."""
        self._settle()
        with self._turn():
            return self._kinds[kind].list(parent, view)

    def delete(self, kind: str, path: Key) -> Reply:
        """202 with an operation; 204 where there is nothing."""
        return self._write(lambda: self._kinds[kind].delete(path))

    def post(self, kind: str, path: Key, verb: str, body: Body | None = None) -> Reply:
        """job: cancel; endpoint: listKeys, regenerateKeys, token; deployment: getLogs; datastore: listSecrets;
        registry_model: import, upload, download."""
        return self._write(lambda: self._kinds[kind].post(path, verb, body or {}))

    def operation(self, number: str) -> Operation:
        """A long operation, over or not, as the rules keep it; 404 is raised."""
        with self._turn():
            return self._context.operations.find(number)

    # --- scoring -----------------------------------------------------------------------------------------------------

    def route(self, endpoint: str, token: str, deployment: str | None, draw: float) -> scoring.Route:
        """Which deployment answers. `draw` in [0, 1) stands for the weighted choice; a named deployment bypasses traffic."""
        with self._turn():
            return scoring.route(self._context, endpoint, token, deployment, draw)

    # --- Reports: what the runner says ---------------------------------------------------------------------------------

    def job_started(self, job: str) -> None:
        self._write(lambda: self._runs.started(job))

    def job_log(self, job: str, text: str) -> None:
        self._runs.log(job, text)

    def job_metric(self, job: str, metric: str, step: int, value: float, epoch: float | None = None) -> None:
        with self._turn():
            self._runs.metric(job, metric, step, value, epoch)

    def job_finished(self, job: str, status: str, error: Mapping[str, str] | None = None) -> None:
        self._write(lambda: self._runs.finished(job, status, error))

    def deployment_ready(self, endpoint: str, deployment: str) -> None:
        self._write(lambda: self._context.operations.report("deployment", (endpoint, deployment), None))

    def deployment_failed(self, endpoint: str, deployment: str, code: str, message: str) -> None:
        error = {"code": code, "message": message}
        self._write(lambda: self._context.operations.report("deployment", (endpoint, deployment), error))

    # --- life of the emulator ------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """After a restart: hands every unfinished job and every deployment to the runner again."""
        self._write(self._resume)

    def snapshot(self, folder: Path) -> None:
        """Everything, blobs included, into an empty folder."""
        with self._lock:
            folder.mkdir(parents=True, exist_ok=True)
            self._context.store.snapshot(folder / "state.sqlite")
            if self.blobs.root.exists():
                shutil.copytree(self.blobs.root, folder / "blobs")

    def restore(self, folder: Path) -> None:
        """Makes everything what it was. `resume()` then hands the runner what ran; what it runs now is not stopped."""
        with self._lock:
            self._context.store.restore(folder / "state.sqlite")
            shutil.rmtree(self.blobs.root, ignore_errors=True)
            if (folder / "blobs").exists():
                shutil.copytree(folder / "blobs", self.blobs.root)

    def close(self) -> None:
        self._context.store.close()

    # --- one request ---------------------------------------------------------------------------------------------------

    def _write(self, change: Callable[[], T]) -> T:
        """Due things first, then the change, then what it set in motion; the answer is as the service words it in between."""
        self._settle()
        with self._turn():
            answer = change()
        self._settle()
        return answer

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._lock:
            mark = len(self._context.effects)
            try:
                with self._context.store.transaction():
                    yield
            except BaseException as error:
                del self._context.effects[mark:]
                if isinstance(error, AzureError):
                    error.location, error.time = self.settings.location, self._context.now()
                raise

    def _settle(self) -> None:
        """Ends due operations and calls the runner, until nothing more happens."""
        while self._call_runner() or self._advance():
            pass

    def _advance(self) -> bool:
        with self._turn():
            return self._context.operations.advance(self._finish)

    def _finish(self, operation: Operation) -> Mapping[str, str] | None:
        return self._kinds[operation.kind].finish(operation)

    def _resume(self) -> None:
        for kind in self._kinds.values():
            kind.resume()

    def _call_runner(self) -> bool:
        """One thread at a time, outside the lock: a runner may wait for another thread that reports."""
        with self._lock:
            if self._draining or not self._context.effects:
                return False
            self._draining = True
        try:
            while effect := self._next_effect():
                effect()
        finally:
            self._draining = False
        return True

    def _next_effect(self) -> Callable[[], None] | None:
        with self._lock:
            return self._context.effects.pop(0) if self._context.effects else None
