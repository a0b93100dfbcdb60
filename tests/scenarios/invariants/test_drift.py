"""What somebody else changed in the workspace shows as drift, and it alone is undone; what cannot be read is not absent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fineforge import engine
from fineforge.core.diagnostics import FineforgeError, errors
from fineforge.core.plan import Action
from tests.scenarios.invariants.client import Client, inventory
from tests.support import single
from tests.support.running_emulator import RunningEmulator


def put(emulator: RunningEmulator, path: str, change: Callable[[dict[str, Any]], None]) -> None:
    body = emulator.send("GET", path).json()
    change(body)
    answer = emulator.send("PUT", path, body)
    assert answer.status_code in (200, 201), answer.text


def cluster(body: dict[str, Any]) -> None:
    body["properties"]["properties"]["scaleSettings"] |= {
        "minNodeCount": 1,
        "maxNodeCount": 3,
        "nodeIdleTimeBeforeScaleDown": "PT1H",
    }
    body["properties"]["properties"]["isolatedNetwork"] = True
    body["tags"]["cost-centre"] = "42"


def deployment(body: dict[str, Any]) -> None:
    body["sku"]["capacity"] = 2
    body["properties"]["requestSettings"]["requestTimeout"] = "PT7S"
    body["properties"]["environmentVariables"] = {"THEIRS": "1"}
    body["tags"]["cost-centre"] = "42"


EDITS = {
    "compute": (cluster, ["idle_time_before_scale_down", "max_instances", "min_instances"]),
    "deployment": (deployment, ["instance_count", "request_settings.request_timeout_ms"]),
}
"""Kind -> an edit, and the paths under which it must show."""


def path_of(emulator: RunningEmulator, kind: str) -> str:
    prefix, depth = {"compute": ("computes/", 1), "deployment": ("onlineEndpoints/", 3)}[kind]
    (path,) = [path for path in inventory(emulator) if path.startswith(prefix) and path.count("/") == depth]
    return path


def test_drift_shows_by_name_and_is_undone_alone(applied: Client) -> None:
    emulator = applied.emulator
    paths = {kind: path_of(emulator, kind) for kind in EDITS}
    for kind, (edit, _) in EDITS.items():
        put(emulator, paths[kind], edit)
    edited = inventory(emulator)
    made = applied.apply()
    assert {step.key.kind: sorted(change.path for change in step.changes) for step in made.writes} == {
        kind: places for kind, (_, places) in EDITS.items()
    }
    assert {step.action for step in made.writes} == {Action.UPDATE}
    assert {change.reason for step in made.writes for change in step.changes} == {"drift"}
    assert {step.id for step in made.drift} == {step.id for step in made.writes}
    assert applied.pending() == []
    now = {kind: emulator.send("GET", path).json() for kind, path in paths.items()}
    assert now["compute"]["properties"]["properties"]["isolatedNetwork"] is True, "the SDK would lose it"
    assert now["deployment"]["properties"]["environmentVariables"] == {"THEIRS": "1"}
    assert all(body["tags"]["cost-centre"] == "42" for body in now.values())
    others = {path: body for path, body in edited.items() if path not in paths.values()}
    assert {path: body for path, body in inventory(emulator).items() if path in others} == others


def test_everything_is_back_as_it_was(applied: Client) -> None:
    """An update through the raw body changes exactly the fields of its step."""
    emulator, path = applied.emulator, path_of(applied.emulator, "compute")
    before = emulator.send("GET", path).json()

    def edit(body: dict[str, Any]) -> None:
        body["properties"]["properties"]["scaleSettings"]["maxNodeCount"] = 5

    put(emulator, path, edit)
    applied.apply()
    after = emulator.send("GET", path).json()
    for body in (before, after):
        body.pop("systemData", None)
        body["properties"].pop("modifiedOn", None)
    assert after == before


UNREADABLE = {
    "computes": ({"status": 403, "body": {"error": {"code": "AuthorizationFailed", "message":
        "The client does not have authorization to perform action 'computes/read'."}}}, "FF403"),
    "jobs": ({"status": 404, "body": {"error": {"code": "ResourceGroupNotFound", "message":
        "Resource group 'x' could not be found."}}}, "FF405"),
    "onlineEndpoints": ({"status": 400, "body": {"error": {"code": "Surprise", "message": "Something new."}}}, "FF400"),
    "models": ({"status": 501, "body": {"error": {"code": "NotImplemented", "message": "Not here."}}}, "FF408"),
}  # fmt: skip
"""Collection -> how a read of it fails, and the code that says so."""


@pytest.mark.parametrize("collection", UNREADABLE)
def test_unread_is_never_absent(collection: str, applied: Client) -> None:
    """Nothing is created because it could not be seen, and nothing that depends on it either."""
    answer, code = UNREADABLE[collection]
    applied.emulator.faults({"what": "error", "method": "GET", "path": f"/workspaces/local/{collection}/", **answer})
    loaded = single.load(applied.spec)
    with engine.connect(loaded, "local") as gateway:
        made = single.plan(loaded, gateway).plan
        assert code in {found.code for found in errors(made.diagnostics)}
        assert not made.writes
        with pytest.raises(FineforgeError):
            single.apply(made, loaded, gateway, lambda _: None)
    assert applied.emulator.requests(writes=True) == []
