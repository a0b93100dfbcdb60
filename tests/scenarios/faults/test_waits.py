"""What a wait of hours outlives, what ends it, and that the next run goes on from there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from fineforge import engine
from fineforge.azure import AzureGateway, connection
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, Mode, Plan
from fineforge.emulator.http.credentials import issue
from fineforge.host import emulator as local
from tests.scenarios.invariants.client import Client, inventory
from tests.support import single
from tests.support.running_emulator import ARM_AUDIENCE, ML_AUDIENCE, RunningEmulator

ENDPOINT = r"/onlineEndpoints/quickstart[^/]*\Z"
DEPLOYMENT = r"/deployments/[^/]+\Z"
AT_ONCE = {"headers": {"retry-after-ms": "10"}}
THROTTLED = {"what": "error", "status": 429, "body": {"error": {"code": "TooManyRequests", "message": "later"}}, **AT_ONCE}
EXPIRED = {
    "error": {"code": "ExpiredAuthenticationToken", "message": "The access token expiry is earlier than the current time."}
}

PASSING: dict[str, list[dict[str, Any]]] = {
    "connections that drop": [{"what": "drop", "nth": 1}, {"what": "drop", "nth": 3, "when": "after"}],
    "throttling": [{**THROTTLED, "nth": number} for number in (1, 2, 4)],
    "faults of the service": [{"what": "error", "status": status, "nth": status - 501, **AT_ONCE} for status in (502, 503, 504)],
    "a token that is taken no longer": [{"what": "error", "status": 401, "body": EXPIRED, "nth": number} for number in (1, 3)],
    "late answers": [{"what": "delay", "seconds": 0.2, "nth": number} for number in (1, 2)],
}


def endpoint_of(made: Plan) -> str:
    return next(step.key.name for step in made.steps if step.key.kind == "endpoint")


def deployment_of(made: Plan) -> ResourceKey:
    return next(step.key for step in made.steps if step.key.kind == "deployment")


def codes(outcome: Outcome) -> dict[str, str]:
    return {step: diagnostic.code for step, diagnostic in outcome.failed.items()}


def converges(client: Client, mode: Mode = Mode.APPLY) -> None:
    client.emulator.faults()
    client.apply(mode)
    assert client.pending(mode) == []


@pytest.mark.parametrize("trouble", PASSING)
def test_a_wait_outlives(trouble: str, client: Client) -> None:
    """Every look at an endpoint that comes into being goes wrong so, now and then; the apply does not notice."""
    made, emulator = client.plan(), client.emulator
    emulator.plant("stall", "endpoint", [endpoint_of(made)], 3)
    emulator.faults(*({"method": "GET", "path": ENDPOINT, **rule} for rule in PASSING[trouble]))
    outcome = client.carry_out(made)
    assert engine.outcome_exit_code(outcome) == 0, outcome.failed
    met = [entry["status"] for entry in emulator.requests() if entry["method"] == "GET" and "/onlineEndpoints/" in entry["path"]]
    assert trouble == "late answers" or set(met) - {200, 404}, "it went wrong"
    converges(client)


class Expiring:
    """Signs in at the emulator; its first token of ARM has ended, whatever it says, as a clock that is wrong makes it."""

    def __init__(self, emulator: RunningEmulator) -> None:
        self.emulator, self.asked = emulator, 0

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked += 1
        audience = ML_AUDIENCE if "ml.azure.com" in scopes[0] else ARM_AUDIENCE
        ended = issue({"aud": audience, "exp": time.time() - 60})
        return AccessToken(ended if self.asked == 1 else self.emulator.token(audience), int(time.time() + 3600))


@pytest.mark.parametrize("write", [False, True])
def test_a_token_that_has_ended_is_asked_for_again(write: bool, emulator: RunningEmulator, tmp_path: Path) -> None:
    reached = connection.to_emulator(local.workspace(local.Emulator(emulator.facts)), emulator.facts)
    inner = Expiring(emulator)
    gateway = AzureGateway(
        connection.Connection(reached.workspace, connection.SharedCredential(inner), reached.proxy, reached.ca), tmp_path
    )
    cluster = ResourceKey("compute", "gpu")
    if write:
        gateway.create(cluster, "{name: gpu, type: amlcompute, size: Standard_NC24ads_A100_v4, max_instances: 1}")
        assert [entry["method"] for entry in emulator.requests(writes=True) if entry["status"] < 300] == ["PUT"]
    assert (gateway.get(cluster) is not None) == write
    assert inner.asked == 2
    gateway.close()


@pytest.mark.parametrize("kind", ["deployment", "compute", "endpoint"])
def test_an_operation_that_fails_inside_a_200(kind: str, client: Client) -> None:
    """It is told in the service's words, and healed by the next apply: deleted, and made again."""
    made = client.plan()
    key = next(step.key for step in made.steps if step.key.kind == kind)
    path = [part for part in (key.parent, key.name) if part]
    client.emulator.plant("failure", kind, path, "InternalServerError", f"{kind} broke")
    (told,) = client.carry_out(made).failed.values()
    assert (told.code, f"{kind} broke" in told.message) == ("FF503", True)
    healing = [step.action for step in client.plan().writes if step.key == key and "traffic" not in step.id]
    assert healing == [Action.DELETE, Action.CREATE]
    converges(client)


def test_an_update_that_fails_inside_a_200(client: Client) -> None:
    """The traffic's: the endpoint is there, and its last operation failed."""
    made, emulator = client.plan(), client.emulator
    endpoint = endpoint_of(made)

    def plant_when_up(event: Event) -> None:
        if (event.step.id, event.kind) == (f"create endpoint/{endpoint}", EventKind.DONE):
            emulator.plant("failure", "endpoint", [endpoint], "InternalServerError", "the router broke")

    loaded = single.load(client.spec)
    with engine.connect(loaded, "local") as gateway:
        outcome = single.apply(made, loaded, gateway, plant_when_up, threading.Event())
    (told,) = outcome.failed.values()
    assert "the router broke" in told.message
    converges(client)


@pytest.mark.parametrize(
    "said",
    [
        "The operation was overridden by another operation of higher priority.",
        "The operation waits for its lock; try again within a minute.",
    ],
)
def test_an_operation_that_the_service_cancels(said: str, client: Client) -> None:
    """TSG: OperationCanceled, for a higher priority or for a lock."""
    made = client.plan()
    key = deployment_of(made)
    client.emulator.plant("failure", "deployment", [key.parent, key.name], "OperationCanceled", said)
    outcome = client.carry_out(made)
    (told,) = outcome.failed.values()
    assert said.rstrip(".") in told.message
    converges(client)


def test_lists_that_lag(client: Client) -> None:
    """Every list says for ever what it said at first; existence is decided by a point GET, so nothing is done twice."""
    rule = {"what": "lag", "path": r"/(computes|jobs|onlineEndpoints|deployments|versions)\Z"}
    client.emulator.faults(rule)
    client.apply()
    assert client.pending() == []
    client.apply(Mode.DESTROY)
    assert client.pending(Mode.DESTROY) == []
    client.apply()
    converges(client)
    jobs = [path for path in inventory(client.emulator) if path.startswith("jobs/")]
    assert len(jobs) == 1


def test_an_endpoint_that_is_updating_again(client: Client) -> None:
    """Reported: an object that has succeeded is busy again by itself. The plan waits for it."""
    client.apply()
    endpoint = endpoint_of(client.plan())
    client.emulator.plant("flip", "endpoint", [endpoint], 3)
    made = client.plan()
    assert next(step.action for step in made.steps if step.key.kind == "endpoint") is Action.WAIT
    converges(client)


def test_a_deployment_is_refused_while_its_endpoint_is_busy(client: Client) -> None:
    """azure-sdk-for-net#36961; what the service refuses for that is done by the next apply."""
    made = client.plan()
    busy = {"what": "error", "method": "PUT", "path": DEPLOYMENT, "words": "endpoint_busy"}
    client.emulator.faults(busy)
    outcome = client.carry_out(made)
    assert list(codes(outcome).values()) == ["FF414"]
    converges(client)


QUOTA: dict[str, tuple[dict[str, str], str]] = {
    "family_quota": ({"size": "NC24", "subscription": "s", "usage": "0", "limit": "6", "needed": "32"}, "FF410"),
    "total_quota": ({"needed": "8", "usage": "14", "limit": "20"}, "FF410"),
    "no_quota_entry": ({"needed": "72"}, "FF410"),
    "instance_type": ({"size": "Standard_NC24ads_A100_v4"}, "FF411"),
    "deployment_quota": ({"subscription": "s", "usage": "500", "limit": "500"}, "FF410"),
    "deployment_count": ({"endpoint": "e", "usage": "20", "limit": "20"}, "FF410"),
    "endpoint_quota": ({"subscription": "s", "usage": "100", "limit": "100"}, "FF410"),
    "cluster_quota": ({"family": "NCADSA100v4", "limit": "0", "cores": "24"}, "FF410"),
    "endpoint_name_taken": ({}, "FF412"),
}  # fmt: skip


@pytest.mark.parametrize("words", QUOTA)
def test_quota_in_each_of_azures_shapes(words: str, client: Client) -> None:
    """Nothing else is disturbed by it, and the next apply goes on once there is some."""
    values, code = QUOTA[words]
    path = {"endpoint_quota": ENDPOINT, "endpoint_name_taken": ENDPOINT, "cluster_quota": "/computes/"}.get(words, DEPLOYMENT)
    client.emulator.faults({"what": "error", "method": "PUT", "path": path, "words": words, "values": values})
    outcome = client.carry_out(client.plan())
    assert set(codes(outcome).values()) == {code}, outcome.failed
    (told,) = outcome.failed.values()
    assert told.hint
    converges(client)


def test_interrupted_twice(client: Client) -> None:
    """The first Ctrl-C stops waiting; the second leaves at once, in the middle of whatever hangs; the next apply goes on."""
    made = client.plan()
    endpoint = endpoint_of(made)
    client.emulator.plant("stall", "endpoint", [endpoint])
    client.emulator.faults({"what": "delay", "seconds": 600, "method": "PUT", "path": "/computes/"})
    words = [sys.executable, "-m", "fineforge", "apply", str(client.spec), "--target", "local", "--auto-approve", "--json"]
    with subprocess.Popen(
        words, env=client.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as apply:
        assert apply.stdout is not None and apply.stderr is not None
        for line in apply.stdout:
            event = json.loads(line)
            if event["type"] == "apply_progress" and event["id"].startswith("create endpoint"):
                break
        apply.send_signal(signal.SIGINT)
        assert any("interrupt again to exit at once" in line for line in apply.stderr), "the first one is heard"
        apply.send_signal(signal.SIGINT)
        assert apply.wait(60) == 130
    client.emulator.plant("go_on", "endpoint", [endpoint])
    client.emulator.faults()
    converges(client)


def test_a_wrong_plant_is_refused(client: Client) -> None:
    with pytest.raises(AssertionError, match="has not succeeded"):
        client.emulator.plant("flip", "endpoint", ["nowhere"], 1)
    with pytest.raises(AssertionError, match="Refused"):
        client.emulator.faults({"what": "error", "words": "no such words"})
    with pytest.raises(AssertionError, match="Refused"):
        client.emulator.faults({"what": "error", "words": "family_quota"})


def test_a_job_is_not_waited_for_for_ever_by_mistake(client: Client) -> None:
    """Troubles that do not pass end a wait, with what they are."""
    made, emulator = client.plan(), client.emulator
    emulator.plant("stall", "endpoint", [endpoint_of(made)])
    emulator.faults({"what": "error", "status": 401, "body": EXPIRED, "method": "GET", "path": ENDPOINT})
    try:
        outcome = client.carry_out(made)
        assert set(codes(outcome).values()) == {"FF402"}
    except FineforgeError as error:
        assert error.diagnostics[0].code == "FF402"
    emulator.plant("go_on", "endpoint", [endpoint_of(made)])
    converges(client)
