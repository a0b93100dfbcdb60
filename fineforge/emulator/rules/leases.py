"""Leases on blobs: who alone may write to one, for how long, and what the storage answers to whom.

States and refusals are those of `rest/api/storageservices/lease-blob` (its tables of outcomes) and `blob-service-error-codes`.
Where they leave a choice, Azurite 3.35 was asked: tests/unit/execution/lease runs the same client against both.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from fineforge.emulator.lifecycle import Lifecycle
from fineforge.emulator.rules.errors import AzureError
from fineforge.emulator.storage.store import Store

FOR_EVER = -1
_PRESENT = "There is already a lease present."
_OTHER = "The lease ID specified did not match the lease ID for the blob."
_LOST = "A lease ID was specified, but the lease for the blob has expired."
REFUSALS = {
    "InvalidHeaderValue": (400, "The value for one of the HTTP headers is not in the correct format."),
    "LeaseAlreadyPresent": (409, _PRESENT),
    "LeaseIdMismatchWithLeaseOperation": (409, _OTHER),
    "LeaseNotPresentWithLeaseOperation": (409, "There is currently no lease on the blob."),
    "LeaseIsBreakingAndCannotBeAcquired": (409, "The lease is breaking and cannot be acquired until it is broken."),
    "LeaseIsBreakingAndCannotBeChanged": (409, "The lease is breaking and cannot be changed."),
    "LeaseIsBrokenAndCannotBeRenewed": (409, "The lease has been broken explicitly and cannot be renewed."),
    "LeaseIdMissing": (412, "There is currently a lease on the blob and no lease ID was specified in the request."),
    "LeaseIdMismatchWithBlobOperation": (412, _OTHER),
    "LeaseNotPresentWithBlobOperation": (412, "There is currently no lease on the blob."),
    "LeaseLost": (412, _LOST),
}
"""Code -> status and words. Clients decide by the code."""


@dataclass(frozen=True, slots=True)
class Lease:
    """As it is at one moment."""

    state: str = "available"
    """`available`, `leased`, `expired`, `breaking` or `broken`."""
    id: str = ""
    seconds: int = 0
    """What it was acquired for; -1 for ever."""
    left: int = 0
    """Whole seconds until a lease that ends by itself, or breaks, is over."""

    @property
    def locks(self) -> bool:
        return self.state in ("leased", "breaking")


class Leases:
    """Every method may be called from any thread; refusals are `AzureError`."""

    def __init__(self, store: Store, lifecycle: Lifecycle) -> None:
        self._store, self._lifecycle = store, lifecycle

    def look(self, container: str, name: str) -> Lease:
        kept = self._store.get("blob_lease", (container, name))
        if kept is None:
            return Lease()
        now, breaks, ends = self._lifecycle.clock(), kept["breaks"], kept["ends"]
        if breaks is not None:
            return _lease("breaking" if now < breaks else "broken", kept, breaks - now)
        if ends is not None and now >= ends:
            return _lease("expired", kept, 0)
        return _lease("leased", kept, 0 if ends is None else ends - now)

    def acquire(self, container: str, name: str, seconds: int, proposed: str) -> str:
        """The lease's id: the proposed one, or a new one."""
        with self._store.transaction():
            lease = self.look(container, name)
            if seconds != FOR_EVER and not 15 <= seconds <= 60:
                raise refuse_lease("InvalidHeaderValue")
            mine = bool(proposed) and _same(proposed, lease.id)
            if lease.state == "breaking" and mine:
                raise refuse_lease("LeaseIsBreakingAndCannotBeAcquired")
            if lease.locks and not mine:
                raise refuse_lease("LeaseAlreadyPresent")
            return self._keep(container, name, _guid(proposed) if proposed else str(uuid.uuid4()), seconds)

    def renew(self, container: str, name: str, lease_id: str) -> str:
        """Also of one that has expired, where nobody wrote or leased since."""
        with self._store.transaction():
            lease = self._mine(container, name, lease_id)
            if lease.state in ("breaking", "broken"):
                raise refuse_lease("LeaseIsBrokenAndCannotBeRenewed")
            return self._keep(container, name, lease.id, lease.seconds)

    def change(self, container: str, name: str, lease_id: str, proposed: str) -> str:
        """It goes on under another id, and ends when it would have ended."""
        with self._store.transaction():
            lease = self.look(container, name)
            if not lease.locks:
                raise refuse_lease("LeaseNotPresentWithLeaseOperation")
            if not _same(lease_id, lease.id) and not _same(proposed, lease.id):
                raise refuse_lease("LeaseIdMismatchWithLeaseOperation")
            if lease.state == "breaking":
                raise refuse_lease("LeaseIsBreakingAndCannotBeChanged")
            kept = self._store.get("blob_lease", (container, name)) or {}
            self._store.put("blob_lease", (container, name), {**kept, "id": _guid(proposed)})
            return proposed

    def release(self, container: str, name: str, lease_id: str) -> None:
        with self._store.transaction():
            self._mine(container, name, lease_id)
            self.forget(container, name)

    def end(self, container: str, name: str, period: int | None) -> int:
        """Breaks it, whoever has it: after `period` seconds, or when it would have ended. Seconds until then."""
        with self._store.transaction():
            lease = self.look(container, name)
            if period is not None and not 0 <= period <= 60:
                raise refuse_lease("InvalidHeaderValue")
            if lease.state == "available":
                raise refuse_lease("LeaseNotPresentWithLeaseOperation")
            rest = lease.left if lease.seconds != FOR_EVER or lease.state == "breaking" else 60 if period else 0
            seconds = min(rest, rest if period is None else period) if lease.locks else 0
            kept = self._store.get("blob_lease", (container, name)) or {}
            self._store.put("blob_lease", (container, name), {**kept, "breaks": self._lifecycle.clock() + seconds})
            return seconds

    def let_write(self, container: str, name: str, lease_id: str | None) -> None:
        """Whether a request with this lease id, or none, may write. A write ends what is left of a lease that is over."""
        with self._store.transaction():
            lease = self.look(container, name)
            if lease.locks and lease_id is None:
                raise refuse_lease("LeaseIdMissing")
            self.let_read(container, name, lease_id)
            if not lease.locks and lease.state != "available":
                self.forget(container, name)

    def let_read(self, container: str, name: str, lease_id: str | None) -> None:
        """Who names a lease must have it; who names none may always read."""
        lease = self.look(container, name)
        if lease_id is None:
            return
        if not lease.locks:
            raise refuse_lease("LeaseLost" if _same(lease_id, lease.id) else "LeaseNotPresentWithBlobOperation")
        if not _same(lease_id, lease.id):
            raise refuse_lease("LeaseIdMismatchWithBlobOperation")

    def forget(self, container: str, name: str) -> None:
        """The blob is gone, or its lease was given back."""
        self._store.delete("blob_lease", (container, name))

    def _mine(self, container: str, name: str, lease_id: str) -> Lease:
        lease = self.look(container, name)
        if not _same(lease_id, lease.id):
            raise refuse_lease("LeaseIdMismatchWithLeaseOperation")
        return lease

    def _keep(self, container: str, name: str, lease_id: str, seconds: int) -> str:
        ends = None if seconds == FOR_EVER else self._lifecycle.clock() + seconds
        kept = {"id": lease_id, "seconds": seconds, "ends": ends, "breaks": None}
        self._store.put("blob_lease", (container, name), kept)
        return lease_id


def refuse_lease(code: str) -> AzureError:
    """Raise what it returns."""
    status, words = REFUSALS[code]
    return AzureError(status, code, words)


def _lease(state: str, kept: dict[str, Any], left: float) -> Lease:
    return Lease(state, kept["id"], kept["seconds"], max(0, round(left)))


def _same(one: str, other: str) -> bool:
    return bool(one) and one.lower() == other.lower()


def _guid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise refuse_lease("InvalidHeaderValue") from None
