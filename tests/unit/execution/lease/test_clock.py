"""Leases run out: the emulator's clock is moved, nobody waits."""

from __future__ import annotations

from collections.abc import Callable

from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobLeaseClient

from fineforge.azure import AzureGateway
from tests.support.running_emulator import RunningEmulator
from tests.unit.execution.lease.conftest import NAME, new, of_emulator

Later = Callable[[float], None]
MINE, YOURS = new(), new()


def test_it_runs_out_by_itself(gateway: AzureGateway, later: Later) -> None:
    leases = gateway.leases()
    leases.take(NAME, MINE, 60)
    later(59)
    assert not leases.take(NAME, YOURS, 60)
    later(1)
    found = leases.read(NAME)
    assert found is not None and not found.held
    assert leases.take(NAME, YOURS, 60)
    assert not leases.renew(NAME, MINE)


def test_a_renewal_puts_it_off(gateway: AzureGateway, later: Later) -> None:
    leases = gateway.leases()
    leases.take(NAME, MINE, 60)
    for _ in range(4):
        later(40)
        assert leases.renew(NAME, MINE)
    assert not leases.take(NAME, YOURS, 60)


def test_one_that_ran_out_and_that_nobody_took_can_be_renewed(gateway: AzureGateway, later: Later) -> None:
    """As after a laptop has slept."""
    leases = gateway.leases()
    leases.take(NAME, MINE, 60)
    later(3600)
    assert leases.renew(NAME, MINE)
    assert not leases.take(NAME, YOURS, 60)


def test_what_the_service_says_of_a_lease_that_is_over(emulator: RunningEmulator, later: Later) -> None:
    with of_emulator(emulator) as container:
        blob = container.get_blob_client(NAME)
        blob.upload_blob(b"content")
        mine, yours = BlobLeaseClient(blob, MINE), BlobLeaseClient(blob, YOURS)

        def refusal(call: Callable[[], object]) -> str:
            try:
                call()
            except HttpResponseError as error:
                return str(error.response.headers["x-ms-error-code"])
            return ""

        def state() -> tuple[str, str, str | None]:
            lease = blob.get_blob_properties().lease
            (row,) = container.list_blobs(name_starts_with=NAME)
            assert (row.lease.state, row.lease.status) == (lease.state, lease.status)
            return lease.state, lease.status, lease.duration

        mine.acquire(15)
        assert state() == ("leased", "locked", "fixed")
        later(15)
        assert state() == ("expired", "unlocked", None)
        assert refusal(lambda: mine.change(YOURS)) == "LeaseNotPresentWithLeaseOperation"
        assert refusal(lambda: blob.set_blob_metadata({}, lease=mine)) == "LeaseLost"
        assert refusal(lambda: yours.renew()) == "LeaseIdMismatchWithLeaseOperation"
        mine.renew()
        later(15)
        blob.set_blob_metadata({"written": "since"})
        assert state() == ("available", "unlocked", None)
        assert refusal(lambda: mine.renew()) == "LeaseIdMismatchWithLeaseOperation", "somebody wrote meanwhile"

        mine.acquire(60)
        later(20)
        assert yours.break_lease() == 40, "what was left of it"
        assert state() == ("breaking", "locked", None)
        later(40)
        assert state() == ("broken", "unlocked", None)
        assert yours.break_lease() == 0
        yours.acquire(-1)
        assert state() == ("leased", "locked", "infinite")
        later(1_000_000)
        assert refusal(lambda: mine.acquire(60)) == "LeaseAlreadyPresent"
        assert mine.break_lease(lease_break_period=30) == 30
        later(30)
        assert state() == ("broken", "unlocked", None)
