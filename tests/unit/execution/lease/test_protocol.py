"""The client of an apply against the emulator, and against Azurite: the same calls, the same answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobLeaseClient, ContainerClient

from fineforge.azure.lease import BlobLeases
from fineforge.core.diagnostics import FineforgeError
from fineforge.host.holder import Holder
from tests.unit.execution.lease.conftest import new

MINE, YOURS = new(), new()


def test_one_has_it(leases: BlobLeases, name: str) -> None:
    assert leases.read(name) is None
    assert leases.take(name, MINE, 60)
    assert leases.take(name, MINE, 60), "an acquire whose answer was lost is sent again"
    assert not leases.take(name, YOURS, 60)
    assert leases.renew(name, MINE) and not leases.renew(name, YOURS)
    leases.release(name, YOURS)
    assert not leases.take(name, YOURS, 60), "who does not have it cannot give it back"
    leases.release(name, MINE)
    assert not leases.renew(name, MINE)
    assert leases.take(name, YOURS, 60)


def test_who_has_it_is_told(leases: BlobLeases, name: str) -> None:
    holder = Holder("Zoë 50%", "build\\agent", "2026-03-01T12:00:05Z", "apply", "https://ci/run?id=7&x=y", "0" * 40)
    leases.take(name, MINE, 60)
    leases.write(name, MINE, holder.note())
    found = leases.read(name)
    assert found is not None and found.held and found.name == name
    assert Holder.read(found.note) == holder
    assert str(holder) == (
        "`Zoë 50%` on `build\\agent`, since 2026-03-01 12:00:05 UTC, `apply`, commit 000000000000, https://ci/run?id=7&x=y"
    )
    with pytest.raises(FineforgeError, match="FF532"):
        leases.write(name, YOURS, holder.note())
    assert [(entry.name, entry.held) for entry in leases.list("shop") if entry.name == name] == [(name, True)]
    assert not [entry for entry in leases.list("sho") if entry.name == name], "of another project"
    leases.release(name, MINE)
    assert [(entry.name, entry.held) for entry in leases.list() if entry.name == name] == [(name, False)]


def test_ended_by_hand(leases: BlobLeases, name: str) -> None:
    assert not leases.end(name), "it never was"
    leases.take(name, MINE, 60)
    assert leases.end(name)
    assert not leases.renew(name, MINE)
    assert leases.take(name, YOURS, 60)
    leases.release(name, MINE)
    assert leases.renew(name, YOURS)


def test_taken_over_by_one(leases: BlobLeases, name: str) -> None:
    third = new()
    leases.take(name, MINE, 60)
    assert leases.take_over(name, MINE, YOURS)
    assert not leases.take_over(name, MINE, third), "who comes second does not take it from who came first"
    assert leases.renew(name, YOURS) and not leases.renew(name, MINE)
    leases.release(name, YOURS)
    assert not leases.take_over(name, YOURS, third)


def test_many_at_once(leases: BlobLeases, name: str) -> None:
    won: list[str] = []

    def take(lease: str) -> None:
        if leases.take(name, lease, 60):
            won.append(lease)

    threads = [threading.Thread(target=take, args=(new(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert leases.renew(name, won[0])


STEPS: list[tuple[str, Callable[[BlobLeaseClient, BlobLeaseClient, Any], Any], str]] = [
    ("nothing to renew", lambda m, y, b: m.renew(), "409 LeaseIdMismatchWithLeaseOperation"),
    ("nothing to release", lambda m, y, b: m.release(), "409 LeaseIdMismatchWithLeaseOperation"),
    ("nothing to change", lambda m, y, b: m.change(new()), "409 LeaseNotPresentWithLeaseOperation"),
    ("nothing to break", lambda m, y, b: m.break_lease(), "409 LeaseNotPresentWithLeaseOperation"),
    ("too short", lambda m, y, b: m.acquire(14), "400 InvalidHeaderValue"),
    ("too long", lambda m, y, b: m.acquire(61), "400 InvalidHeaderValue"),
    ("written by a lease that is not", lambda m, y, b: b.set_blob_metadata({}, lease=m), "412 LeaseNotPresentWithBlobOperation"),
    ("acquired", lambda m, y, b: m.acquire(60), "leased"),
    ("acquired again", lambda m, y, b: m.acquire(15), "leased"),
    ("acquired by another", lambda m, y, b: y.acquire(60), "409 LeaseAlreadyPresent"),
    ("written without it", lambda m, y, b: b.set_blob_metadata({}), "412 LeaseIdMissing"),
    ("deleted without it", lambda m, y, b: b.delete_blob(), "412 LeaseIdMissing"),
    ("overwritten without it", lambda m, y, b: b.upload_blob(b"", overwrite=True), "412 LeaseIdMissing"),
    ("blocks without it", lambda m, y, b: b.stage_block("AAAA", b"x"), "412 LeaseIdMissing"),
    ("written by another", lambda m, y, b: b.set_blob_metadata({}, lease=y), "412 LeaseIdMismatchWithBlobOperation"),
    ("read by another", lambda m, y, b: b.get_blob_properties(lease=y), "412 LeaseIdMismatchWithBlobOperation"),
    ("read without it", lambda m, y, b: b.download_blob().readall(), "leased"),
    ("written with it", lambda m, y, b: b.set_blob_metadata({"a": "b"}, lease=m), "leased"),
    ("renewed by another", lambda m, y, b: y.renew(), "409 LeaseIdMismatchWithLeaseOperation"),
    ("changed by another", lambda m, y, b: y.change(new()), "409 LeaseIdMismatchWithLeaseOperation"),
    ("changed to what it is", lambda m, y, b: BlobLeaseClient(b, new()).change(m.id), "leased"),
    ("released by another", lambda m, y, b: y.release(), "409 LeaseIdMismatchWithLeaseOperation"),
    ("renewed", lambda m, y, b: m.renew(), "leased"),
    ("broken in a while", lambda m, y, b: y.break_lease(lease_break_period=15), "breaking"),
    ("acquired by its holder while it breaks", lambda m, y, b: m.acquire(60), "409 LeaseIsBreakingAndCannotBeAcquired"),
    ("acquired by another while it breaks", lambda m, y, b: y.acquire(60), "409 LeaseAlreadyPresent"),
    ("renewed while it breaks", lambda m, y, b: m.renew(), "409 LeaseIsBrokenAndCannotBeRenewed"),
    ("changed while it breaks", lambda m, y, b: m.change(new()), "409 LeaseIsBreakingAndCannotBeChanged"),
    ("written with it while it breaks", lambda m, y, b: b.set_blob_metadata({}, lease=m), "breaking"),
    ("written without it while it breaks", lambda m, y, b: b.set_blob_metadata({}), "412 LeaseIdMissing"),
    ("broken at once", lambda m, y, b: y.break_lease(lease_break_period=0), "broken"),
    ("renewed when it is broken", lambda m, y, b: m.renew(), "409 LeaseIsBrokenAndCannotBeRenewed"),
    ("changed when it is broken", lambda m, y, b: m.change(new()), "409 LeaseNotPresentWithLeaseOperation"),
    ("broken again", lambda m, y, b: y.break_lease(), "broken"),
    ("released when it is broken", lambda m, y, b: m.release(), "available"),
    ("for ever", lambda m, y, b: y.acquire(-1), "leased"),
    ("for ever, broken", lambda m, y, b: m.break_lease(), "broken"),
    ("written without it when it is broken", lambda m, y, b: b.set_blob_metadata({}), "available"),
    ("acquired in the end", lambda m, y, b: y.acquire(60), "leased"),
    ("deleted with it", lambda m, y, b: b.delete_blob(lease=y), "404 BlobNotFound"),
]  # fmt: skip
"""What is done, one after the other, and the refusal, or the lease's state afterwards."""


def test_the_tables_of_the_service(container: ContainerClient, name: str) -> None:
    blob = container.get_blob_client(name)
    blob.upload_blob(b"content")
    mine, yours = BlobLeaseClient(blob, new()), BlobLeaseClient(blob, new())
    answers = {what: outcome(lambda step=step: step(mine, yours, blob), blob) for what, step, _ in STEPS}
    assert answers == {what: expected for what, _, expected in STEPS}
    assert len(answers) == 40


def outcome(step: Callable[[], Any], blob: Any) -> str:
    try:
        step()
        return str(blob.get_blob_properties().lease.state)
    except HttpResponseError as error:
        return f"{error.status_code} {error.response.headers['x-ms-error-code']}"
