"""One request of an apply or a destroy goes wrong in one way; what is said of it, and what must be true after running it again.

A place is a request by method and path, whatever the order in which parallel steps send theirs. A kill takes a process of its
own; everything else happens to the library, which fails and returns.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fineforge.core.diagnostics import FineforgeError
from fineforge.core.plan import Mode
from tests.scenarios.invariants.client import Client, inventory, settled
from tests.scenarios.invariants.test_kill_walk import count

APPLIED = {"computes": 1, "data": 3, "jobs": 1, "models": 1, "onlineEndpoints": 1, "deployments": 1}
DESTROYED = {"data": 3, "jobs": 1, "models": 1}
"""Assets and the job are archived; the rest is gone."""

THROTTLED = {"error": {"code": "TooManyRequests", "message": "Too many requests, retry later."}}
FAULTS: dict[str, dict[str, Any]] = {
    "kill before": {"what": "kill", "when": "before", "nth": 1},
    "kill after": {"what": "kill", "when": "after", "nth": 1},
    "drop before": {"what": "drop", "when": "before", "nth": 1},
    "drop after": {"what": "drop", "when": "after", "nth": 1},
    "500": {"what": "error", "status": 500, "nth": 1},
    "500 after": {"what": "error", "status": 500, "when": "after", "nth": 1},
    "429": {"what": "error", "status": 429, "body": THROTTLED, "headers": {"Retry-After": "0"}, "nth": 1},
    "409": {"what": "error", "words": "busy", "values": {"workspace": "local"}, "nth": 1},
    "503 for good": {"what": "error", "status": 503, "headers": {"Retry-After": "0"}},
    "drop after, for good": {"what": "drop", "when": "after"},
}
"""The last two go on for the whole first run: no retry within it helps."""


@dataclass(frozen=True)
class Place:
    name: str
    method: str
    path: str
    """Regular expression over host and path."""
    nth: int = 1

    def rule(self, fault: Mapping[str, Any]) -> dict[str, Any]:
        """Of two requests with one path the second is meant by its number."""
        where = {"method": rf"\A{self.method}\Z", "path": self.path}
        return {**fault, **where, **({"nth": self.nth} if "nth" in fault else {})}


SPLITS = ("train", "validation", "test")
_ENDPOINT = r"/onlineEndpoints/[^/]+\Z"
_LEASE = r"/fineforge/leases/"
_TAKEN = ("take the lease", "say who we are", "give the lease back")
LEASE = tuple(
    Place(name, "PUT", _LEASE, nth) for nth, name in enumerate(("ask for the lease", "make the blob of the lease", *_TAKEN), 1)
)
"""Of a spec that is applied for the first time; later the blob is there."""
UPLOADS = (
    Place("storage key", "POST", r"/listSecrets\Z"),
    *(Place(f"look at blob {split}", "HEAD", rf"/{split}\.jsonl\Z") for split in SPLITS),
    *(Place(f"blob and its metadata {split}", "PUT", rf"/{split}\.jsonl\Z") for split in SPLITS),
)
APPLY = (
    *LEASE,
    *UPLOADS,
    Place("cluster", "PUT", r"/computes/quickstart-gpu\Z"),
    *(Place(f"data {split}", "PUT", rf"/data/quickstart-{split}/versions/") for split in SPLITS),
    Place("job", "PUT", "/jobs/quickstart-"),
    Place("model", "PUT", "/models/quickstart/versions/"),
    Place("endpoint", "PUT", _ENDPOINT),
    Place("deployment", "PUT", "/deployments/"),
    Place("traffic", "PUT", _ENDPOINT, nth=2),
)
DESTROY = (
    *(Place(name, "PUT", _LEASE, nth) for nth, name in enumerate(_TAKEN, 1)),
    Place("model", "PUT", "/models/quickstart/versions/"),
    Place("job", "PUT", "/jobs/quickstart-"),
    *(Place(f"data {split}", "PUT", rf"/data/quickstart-{split}/versions/") for split in SPLITS),
    Place("endpoint", "DELETE", _ENDPOINT),
    Place("cluster", "DELETE", r"/computes/quickstart-gpu\Z"),
)


def strike(client: Client, mode: Mode, place: Place, fault: str) -> str:
    """Runs with the fault, then without; returns how the first run ended."""
    emulator, rule = client.emulator, place.rule(FAULTS[fault])
    before = inventory(emulator)
    theirs = {path: body for path, body in before.items() if "theirs" in path}
    said = _killed(client, mode, rule) if rule["what"] == "kill" else _failed(client, mode, rule)
    half = inventory(emulator)
    client.apply(mode)
    whole = inventory(emulator)
    assert client.pending(mode) == []
    assert count([path.split("/") for path in whole if path not in theirs]) == (APPLIED if mode is Mode.APPLY else DESTROYED)
    assert settled({path: whole[path] for path in theirs}) == settled(theirs), "somebody else's objects are as they were"
    _nothing_is_lost(half, whole, mode)
    return said


def struck(client: Client, place: Place) -> bool:
    """Whether the request of the place came at all: a walk that misses its places proves nothing."""
    return any(
        entry["method"] == place.method and re.search(place.path, entry["host"] + entry["path"])
        for entry in client.emulator.requests()
    )


def table(rows: Mapping[tuple[str, str], str]) -> str:
    """Place by fault: how the first run ended."""
    width = max(len(place) for place, _ in rows)
    return "\n".join(f"{place:{width}}  {fault:20}  {said}" for (place, fault), said in rows.items())


def _killed(client: Client, mode: Mode, rule: Mapping[str, Any]) -> str:
    command = "apply" if mode is Mode.APPLY else "destroy"
    code = client.killed({"writes": False, **rule}, command, "{spec}", "--target", "local", "--auto-approve", "--json")
    assert code == -signal.SIGKILL
    return "killed"


def _failed(client: Client, mode: Mode, rule: Mapping[str, Any]) -> str:
    made = client.plan(mode)
    client.emulator.faults(rule)
    try:
        outcome = client.carry_out(made)
    except FineforgeError as error:
        return f"refused: {error.diagnostics[0].code}"
    finally:
        client.emulator.faults()
    assert not outcome.moved and not outcome.refused, outcome
    codes = sorted({diagnostic.code for diagnostic in outcome.failed.values()})
    assert not {"FF400", "FF500", "FF001"} & set(codes), outcome.failed
    return f"failed: {', '.join(codes)}" if codes else "went on by itself"


def _nothing_is_lost(half: Mapping[str, Any], whole: Mapping[str, Any], mode: Mode) -> None:
    """What was there after the first run is no other one now."""
    jobs = [path for path in half if path.startswith("jobs/")]
    assert all(half[path]["systemData"]["createdAt"] == whole[path]["systemData"]["createdAt"] for path in jobs)
    if mode is Mode.APPLY:
        assert half.keys() <= whole.keys(), "nothing that was there is made anew under another name"
        (endpoint,) = [body for path, body in whole.items() if re.match(r"onlineEndpoints/quickstart[^/]*\Z", path)]
        assert list(endpoint["properties"]["traffic"].values()) == [100]
