"""Every request of an apply and of a destroy that changes something goes wrong in every way; run again, it converges.

`make torture` walks all also in and prints the table (`-s` shows it); the reduced walk has each place and each fault once,
and more where a loss would cost most.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fineforge.core.plan import Mode
from tests.scenarios.faults.walk import APPLY, DESTROY, FAULTS, SPLITS, Place, strike, struck, table
from tests.scenarios.invariants.client import Client
from tests.support.running_emulator import RunningEmulator

KILLS = tuple(fault for fault in FAULTS if fault.startswith("kill"))
QUICK = tuple(fault for fault in FAULTS if fault not in (*KILLS, "drop after, for good"))
COSTLY = ("job", "traffic", "blob and its metadata train")


def turns(places: tuple[Place, ...]) -> list[tuple[Place, str]]:
    """Each place with one of the faults, in turn."""
    return [(place, QUICK[number % len(QUICK)]) for number, place in enumerate(places)]


REDUCED = [*turns(APPLY), *[(place, fault) for place in APPLY if place.name in COSTLY for fault in ("drop after", "409")]]


@pytest.fixture
def start(emulator: RunningEmulator, client: Client, tmp_path: Path) -> Path:
    """A snapshot of a workspace that holds what somebody else has in it, and nothing else."""
    emulator.snapshot(tmp_path / "start")
    return tmp_path / "start"


def walked(client: Client, mode: Mode, start: Path, cases: list[tuple[Place, str]]) -> dict[tuple[str, str], str]:
    """Each case from the same snapshot; all that went wrong is told at once, by place and fault."""
    rows: dict[tuple[str, str], str] = {}
    wrong: dict[str, str] = {}
    for place, fault in cases:
        client.emulator.restore(start)
        client.emulator.control("DELETE", "/requests")
        try:
            rows[place.name, fault] = strike(client, mode, place, fault)
            assert struck(client, place), "the request never came"
        except AssertionError as error:
            wrong[f"{place.name}, {fault}"] = str(error)[:2000]
    print(f"\n{mode.value}\n{table(rows)}")
    assert not wrong, "\n\n".join(f"{case}:\n{words}" for case, words in wrong.items())
    return rows


def test_the_places_are_the_writes(client: Client) -> None:
    """And every upload: what the walk knows is what an apply and a destroy send."""
    for mode, places in ((Mode.APPLY, APPLY), (Mode.DESTROY, DESTROY)):
        client.emulator.control("DELETE", "/requests")
        made = client.apply(mode)
        sent = client.emulator.requests()
        blobs = client.emulator.uploads()
        leases = [entry for entry in sent if "/fineforge/leases/" in entry["path"]]
        writes = [place for place in places if place.method != "HEAD" and "listSecrets" not in place.path]
        assert len(writes) == len(made.writes) + len(blobs) + len(leases)
        assert len(blobs) == (len(SPLITS) if mode is Mode.APPLY else 0)
        assert all(struck(client, place) for place in places)


def test_an_apply(client: Client, start: Path) -> None:
    rows = walked(client, Mode.APPLY, start, REDUCED)
    assert {fault for _, fault in rows} == set(QUICK)
    assert {name for name, _ in rows} == {place.name for place in APPLY}
    assert rows["job", "409"] == "failed: FF414", "another operation on the same object is said, not retried blindly"


def test_a_destroy(applied: Client, applied_once: Path) -> None:
    rows = walked(applied, Mode.DESTROY, applied_once, turns(DESTROY))
    assert {name for name, _ in rows} == {place.name for place in DESTROY}


@pytest.mark.parametrize(("name", "fault"), [("blob and its metadata train", "kill after"), ("data train", "kill before")])
def test_killed_within_an_upload(name: str, fault: str, client: Client, start: Path) -> None:
    walked(client, Mode.APPLY, start, [(place, fault) for place in APPLY if place.name == name])


@pytest.mark.torture
@pytest.mark.parametrize("fault", FAULTS)
def test_an_apply_at_every_place(fault: str, client: Client, start: Path) -> None:
    assert len(walked(client, Mode.APPLY, start, [(place, fault) for place in APPLY])) == len(APPLY)


@pytest.mark.torture
@pytest.mark.parametrize("fault", FAULTS)
def test_a_destroy_at_every_place(fault: str, applied: Client, applied_once: Path) -> None:
    assert len(walked(applied, Mode.DESTROY, applied_once, [(place, fault) for place in DESTROY])) == len(DESTROY)
