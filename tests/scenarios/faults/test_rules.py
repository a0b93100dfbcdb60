"""Rules of Azure that an apply or a destroy meets in the middle, over the wire. All of them: docs/azure-rules.md."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from fineforge import engine
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.plan import Action, Mode, Plan
from tests.scenarios.faults.test_waits import DEPLOYMENT, ENDPOINT, codes, converges, deployment_of
from tests.scenarios.invariants.client import Client, inventory
from tests.support import single


def carried_out(client: Client, made: Plan, listen: Callable[[Event], None], stop: threading.Event) -> Outcome:
    loaded = single.load(client.spec)
    with engine.connect(loaded, "local") as gateway:
        return single.apply(made, loaded, gateway, listen, stop)


def test_a_delete_waits_behind_a_create(client: Client) -> None:
    """FIELD 13: it queues. A destroy while the deployment of an interrupted apply is still being created ends when both have."""
    made, emulator, stop = client.plan(), client.emulator, threading.Event()
    deployment = deployment_of(made)
    path = [deployment.parent, deployment.name]
    emulator.plant("stall", "deployment", path)

    def interrupt(event: Event) -> None:
        if event.step.id == f"create {deployment}" and event.kind is EventKind.PROGRESS:
            stop.set()

    outcome = carried_out(client, made, interrupt, stop)
    assert engine.outcome_exit_code(outcome) == 130 and outcome.running == (f"create {deployment}",)

    waited = []

    def go_on(event: Event) -> None:
        if event.step.key.kind in ("endpoint", "deployment") and event.kind is EventKind.PROGRESS:
            waited.append(event.message)
            emulator.plant("go_on", "deployment", path)

    outcome = carried_out(client, client.plan(Mode.DESTROY), go_on, threading.Event())
    assert engine.outcome_exit_code(outcome) == 0 and waited, outcome
    assert client.pending(Mode.DESTROY) == []
    assert not [entry for entry in inventory(emulator) if entry.startswith("onlineEndpoints/quickstart")]
    converges(client)


def test_a_name_that_was_just_deleted(client: Client) -> None:
    """azure-cli-extensions#7660: making it again answers NotFound for a while. It is said, and the next apply makes it."""
    client.apply()
    client.apply(Mode.DESTROY)
    made = client.plan()
    client.emulator.faults({"what": "error", "method": "PUT", "path": ENDPOINT, "words": "resource_missing"})
    assert set(codes(client.carry_out(made)).values()) == {"FF404"}
    converges(client)
    assert len([path for path in inventory(client.emulator) if path.startswith("jobs/")]) == 1


@pytest.mark.parametrize("path", [ENDPOINT, DEPLOYMENT, "/jobs/", "/data/", "/computes/", "/models/"])
def test_a_role_that_does_not_count_yet(path: str, client: Client) -> None:
    """FIELD 14.6: an assignment takes minutes. The missing permission is named, and what went well stays done."""
    action = "Microsoft.MachineLearningServices/workspaces/write"
    message = f"The client 'c' with object id 'o' does not have authorization to perform action '{action}' over scope '/s'."
    body = {"error": {"code": "AuthorizationFailed", "message": message}}
    client.emulator.faults({"what": "error", "status": 403, "method": "PUT", "path": path, "body": body})
    outcome = client.carry_out(client.plan())
    assert set(codes(outcome).values()) == {"FF403"}
    assert all(action in (told.hint or "") for told in outcome.failed.values())
    converges(client)


def test_a_workspace_that_was_deleted_softly(client: Client) -> None:
    """Nothing can be planned for it; what to do is said (the words: CanadaPubSecALZ#380, the status assumed)."""
    said = "Soft-deleted workspace exists. Please purge or recover it. https://aka.ms/wsoftdelete"
    body = {"error": {"code": "BadRequest", "message": said}}
    client.emulator.faults({"what": "error", "status": 400, "path": "management.azure.com", "body": body})
    with pytest.raises(FineforgeError) as caught:
        client.plan()
    client.emulator.faults()
    assert "FF405" in {diagnostic.code for diagnostic in caught.value.diagnostics}
    converges(client)


def test_a_failed_first_provisioning_is_never_written_over(client: Client) -> None:
    """FIELD 5.1: every later PUT is refused. So there is none: it is deleted, then created."""
    made = client.plan()
    key = deployment_of(made)
    client.emulator.plant("failure", "deployment", [key.parent, key.name], "ResourceNotReady", "User container has crashed")
    client.carry_out(made)
    client.emulator.control("DELETE", "/requests")
    again = client.apply()
    assert [step.action for step in again.writes if step.key == key] == [Action.DELETE, Action.CREATE]
    sent = [entry for entry in client.emulator.requests(writes=True) if "/deployments/" in entry["path"]]
    assert [(entry["method"], entry["status"]) for entry in sent] == [("DELETE", 202), ("PUT", 201)]
