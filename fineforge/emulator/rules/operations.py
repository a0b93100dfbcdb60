"""Long operations: one queue per object, finished when the lifecycle and, where it has a say, the runner agree.

What an operation does in the end is its kind's `finish`; when, is decided here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fineforge.emulator.lifecycle import Lifecycle
from fineforge.emulator.rules.base import Key, Operation, Settings
from fineforge.emulator.rules.errors import refuse
from fineforge.emulator.storage.store import Store

_ID_PREFIX = {"endpoint": "oe", "deployment": "od"}
_FAMILY = {"compute": "compute", "job": "job"}

Finish = Callable[[Operation], Mapping[str, str] | None]
"""Does the effect; answers the error where it turns out to fail."""


@dataclass(frozen=True, slots=True)
class Operations:
    store: Store
    lifecycle: Lifecycle
    settings: Settings

    def begin(self, kind: str, path: Key, action: str, waits: bool = False, error: Mapping[str, str] | None = None) -> Operation:
        """Puts an operation behind those that the object already has. `waits`: it also needs the runner's report.

        `error`: how it will fail, where the rules know from the start.
        """
        prefix = _ID_PREFIX.get(kind)
        number = str(uuid.uuid4())
        operation = Operation(
            id=f"{prefix}:{self.settings.workspace_id}:{number}" if prefix else number,
            family=_FAMILY.get(kind, "mfe"),
            kind=kind,
            path=path,
            action=action,
            status="Running",
            started=self.lifecycle.clock(),
            error=self._planted_failure(kind, path) or error,
        )
        self._save("pending", operation, {"active_since": None, "reads": 0, "waits": waits})
        return operation

    def pending(self, kind: str, path: Key) -> list[Operation]:
        """Those of one object that are not over, oldest first."""
        return [_operation(body) for _, body in self.store.list("pending") if (body["kind"], tuple(body["path"])) == (kind, path)]

    def find(self, operation_id: str) -> Operation:
        body = self.store.get("pending", (operation_id,)) or self.store.get("operation", (operation_id,))
        if body is None:
            raise refuse("operation_missing", id=operation_id)
        return _operation(body)

    def count_read(self, kind: str, path: Key) -> None:
        """A client looked: at the object, or at the operation (`kind` is `operation`)."""
        self._count_down(kind, path)
        bodies = [body for _, body in self.store.list("pending")]
        for body in bodies:
            target = (body["kind"], tuple(body["path"]))
            if (target == (kind, path) or (kind, path) == ("operation", (body["id"],))) and not body["waits"]:
                front = next(other for other in bodies if other is body or _blocks(other, body))
                front["reads"] += 1
                self.store.put("pending", (front["id"],), front)
                return

    def report(self, kind: str, path: Key, error: Mapping[str, str] | None) -> None:
        """The runner is ready, or has failed."""
        for key, body in self.store.list("pending"):
            if (body["kind"], tuple(body["path"])) == (kind, path) and body["waits"]:
                body |= {"waits": False, "error": body["error"] or error}
                self.store.put("pending", key, body)

    def advance(self, finish: Finish) -> bool:
        """Ends every operation that is due; whether there was any."""
        ended = False
        bodies = [body for _, body in self.store.list("pending")]
        for index, body in enumerate(bodies):
            if body.get("over") or any(not other.get("over") and _blocks(other, body) for other in bodies[:index]):
                continue
            if body["active_since"] is None:
                body["active_since"] = self.lifecycle.clock()
                self.store.put("pending", (body["id"],), body)
            if (
                body["waits"]
                or self._stalled(body)
                or not self.lifecycle.due(f"{body['kind']}.{body['action']}", body["active_since"], body["reads"])
            ):
                continue
            self._end(body, finish)
            body["over"] = ended = True
        return ended

    def drop(self, kind: str, path: Key) -> None:
        """Forgets what is pending for an object that is gone with its parent."""
        for operation in self.pending(kind, path):
            self.store.delete("pending", (operation.id,))
            self._save("operation", operation, {"status": "Canceled"})

    def _end(self, body: dict[str, Any], finish: Finish) -> None:
        operation = _operation(body)
        self.store.delete("pending", (operation.id,))
        error = finish(operation) or operation.error
        if operation.family != "job":
            self._save(
                "operation", operation, {"status": "Failed" if error else "Succeeded", "error": dict(error) if error else None}
            )

    def _save(self, collection: str, operation: Operation, more: dict[str, Any]) -> None:
        self.store.put(collection, (operation.id,), asdict(operation) | more)

    def _stalled(self, body: Mapping[str, Any]) -> bool:
        return self.store.get("stalled", (body["kind"], *body["path"])) is not None

    def _count_down(self, kind: str, path: Key) -> None:
        stalled = self.store.get("stalled", (kind, *path))
        if stalled is None or stalled["reads"] is None:
            return
        if stalled["reads"] > 1:
            self.store.put("stalled", (kind, *path), {"reads": stalled["reads"] - 1})
        else:
            self.store.delete("stalled", (kind, *path))

    def _planted_failure(self, kind: str, path: Key) -> Mapping[str, str] | None:
        failure = self.store.get("planted_failure", (kind, *path))
        if failure is not None:
            self.store.delete("planted_failure", (kind, *path))
        return failure


def _blocks(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> bool:
    """Deletes queue behind a running create (measured, FIELD 13); that an endpoint's waits for its deployments' is assumed."""
    if earlier["id"] == later["id"]:
        return False
    if later["kind"] == "endpoint" and earlier["kind"] == "deployment":
        return bool(earlier["path"][0] == later["path"][0])
    return bool((earlier["kind"], earlier["path"]) == (later["kind"], later["path"]))


def _operation(body: Mapping[str, Any]) -> Operation:
    fields = ("id", "family", "kind", "action", "status", "started", "error")
    return Operation(path=tuple(body["path"]), **{name: body[name] for name in fields})
