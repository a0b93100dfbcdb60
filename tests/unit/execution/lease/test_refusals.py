"""A storage that refuses, breaks off, or takes a credential no longer: what is said, and what is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from fineforge.azure import AzureGateway
from fineforge.azure.lease import BlobLeases
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from tests.support.running_emulator import RunningEmulator
from tests.unit.execution.lease.conftest import NAME, new

LEASES = "/fineforge/leases/"


def refused(code: str, status: int = 403, **more: Any) -> dict[str, Any]:
    body = {"error": {"code": code, "message": "The storage does not want to."}}
    return {"what": "error", "path": LEASES, "status": status, "headers": {"x-ms-error-code": code}, "body": body, **more}


def found_by(gateway: AzureGateway) -> Diagnostic:
    with pytest.raises(FineforgeError) as caught:
        gateway.leases().take(NAME, new(), 60)
    (found,) = caught.value.diagnostics
    assert found.code == "FF532" and "--lock=false" in found.hint
    return found


CAUSES = {
    "AuthorizationPermissionMismatch": "the role Storage Blob Data Contributor on the storage account",
    "AuthorizationFailure": "the firewall of the storage account `fineforgelocal`",
    "KeyBasedAuthenticationNotPermitted": "`fineforgelocal` rejects keys",
    "AuthorizationServiceMismatch": "it needs the role Storage Blob Data Contributor on `fineforgelocal`, and a network",
}


@pytest.mark.parametrize("code", CAUSES)
def test_the_storage_refuses(code: str, emulator: RunningEmulator, gateway: AzureGateway) -> None:
    emulator.faults(refused(code))
    found = found_by(gateway)
    assert found.hint.startswith(CAUSES[code]) and code in found.message


def test_the_storage_is_out_of_reach(emulator: RunningEmulator, gateway: AzureGateway) -> None:
    emulator.faults({"what": "drop", "path": LEASES})
    assert "may only be reachable from its own network" in found_by(gateway).hint


def test_a_container_that_is_not_there(emulator: RunningEmulator, gateway: AzureGateway) -> None:
    emulator.faults(refused("ContainerNotFound", 404))
    assert "ContainerNotFound" in found_by(gateway).message


def test_the_storage_is_busy(emulator: RunningEmulator, gateway: AzureGateway) -> None:
    """That is nobody's missing role."""
    emulator.faults(refused("ServerBusy", 503))
    assert found_by(gateway).hint.startswith("an error of the service")


def test_the_secrets_may_not_be_listed(emulator: RunningEmulator, gateway: AzureGateway) -> None:
    action = "Microsoft.MachineLearningServices/workspaces/datastores/listSecrets/action"
    message = f"The client does not have authorization to perform action '{action}'."
    body = {"error": {"code": "AuthorizationFailed", "message": message}}
    emulator.faults({"what": "error", "path": "listSecrets", "status": 403, "body": body})
    assert action in found_by(gateway).hint


def test_a_signature_that_ran_out_is_asked_for_anew(emulator: RunningEmulator, gateway: AzureGateway) -> None:
    """A SAS of the datastore lives for an hour, an apply for many."""
    leases, mine = gateway.leases(), new()
    assert leases.take(NAME, mine, 60)
    emulator.control("DELETE", "/requests")
    emulator.faults(refused("AuthenticationFailed", nth=1))
    assert leases.renew(NAME, mine)
    assert len([entry for entry in emulator.requests() if entry["path"].endswith("/listSecrets")]) == 1


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("fault", [{"what": "drop", "when": "after"}, {"what": "drop"}, refused("ServerBusy", 503)])
def test_an_answer_that_is_lost(fault: dict[str, Any], nth: int, emulator: RunningEmulator, gateway: AzureGateway) -> None:
    """Each of the first three requests, once: the lease is taken all the same, under the id that is ours."""
    emulator.faults({**fault, "path": LEASES, "nth": nth})
    leases, mine = gateway.leases(), new()
    assert leases.take(NAME, mine, 60)
    assert leases.renew(NAME, mine)
    leases.release(NAME, mine)
    assert leases.take(NAME, new(), 60)


def test_taken_over_though_the_answer_is_lost(emulator: RunningEmulator, gateway: AzureGateway) -> None:
    leases, old, mine = gateway.leases(), new(), new()
    leases.take(NAME, old, 60)
    emulator.faults({"what": "drop", "when": "after", "path": LEASES, "nth": 1})
    assert leases.take_over(NAME, old, mine)
    assert leases.renew(NAME, mine)


def test_by_the_callers_own_identity(emulator: RunningEmulator, gateway: AzureGateway) -> None:
    """A datastore without secrets: no account key, no SAS, a token for the storage."""
    from tests.unit.execution.lease.conftest import of_emulator

    with of_emulator(emulator) as container:
        leases = BlobLeases(lambda: ("account", container))
        assert leases.take(NAME, new(), 60)
    assert not gateway.leases().take(NAME, new(), 60), "it is one and the same lease"
