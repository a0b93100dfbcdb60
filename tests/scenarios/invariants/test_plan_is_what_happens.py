"""What the plan says is what apply does, once: counted in the emulator's own log of requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from fineforge import engine
from fineforge.core.diagnostics import errors
from fineforge.core.plan import Mode
from fineforge.resources import fields
from fineforge.resources.kinds import KINDS
from tests.scenarios.invariants.client import SPECS, Client, inventory, promised, settled, written
from tests.support import single
from tests.support.hub import Hub


def writes(client: Client) -> list[tuple[str, str]]:
    return sorted(written(entry) for entry in client.emulator.requests(writes=True))


def test_the_specs_are_found() -> None:
    assert {path.stem for path in SPECS} >= {"quickstart", "phi4-ultrachat", "phi3-mini-ultrachat"}


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_the_life_of_a_spec(spec: Path, client: Client, dataset_hub: Hub, tmp_path: Path) -> None:
    """Apply, plan, destroy, destroy, apply: each does what its plan says, trains once, and touches nothing foreign."""
    client, emulator = Client(client.emulator, _allowed(spec, tmp_path)), client.emulator
    theirs = inventory(emulator)

    def tell(mode: Mode) -> list[tuple[str, str]]:
        emulator.control("DELETE", "/requests")
        made = client.apply(mode)
        done = writes(client)
        assert done == sorted(promised(step) for step in made.writes)
        assert client.pending(mode) == []
        return done

    first = tell(Mode.APPLY)
    assert len([key for _, key in first if key.startswith("job/")]) == 1
    assert tell(Mode.APPLY) == []
    tell(Mode.DESTROY)
    assert tell(Mode.DESTROY) == []
    again = tell(Mode.APPLY)
    assert {key for _, key in again if key.startswith("job/")} <= {key for _, key in first}, "no other job"
    assert len([entry for entry in inventory(emulator) if entry.startswith("jobs/")]) == 1
    untouched = {path: body for path, body in inventory(emulator).items() if path in theirs}
    assert settled(untouched) == settled(theirs)


def _allowed(spec: Path, folder: Path) -> Path:
    """The spec of a model that is retired, with the word that it may be used all the same."""
    if spec.stem != "phi3-mini-ultrachat":
        return spec
    (refusal,) = errors(engine.validate(single.load(spec).at("local")).diagnostics)
    assert refusal.code == "FF141" and "2025-08-30" in refusal.message
    assert "`Phi-4`" in refusal.hint and "allow_retired" in refusal.hint
    text = spec.read_text(encoding="utf-8").replace('version: "15"}', 'version: "15", allow_retired: true}')
    (folder / spec.name).write_text(text, encoding="utf-8")
    return folder / spec.name


def test_apply_after_destroy_restores_the_archived_job(applied: Client) -> None:
    """The same job as before, not one that was submitted again."""
    emulator = applied.emulator
    applied.apply(Mode.DESTROY)
    gone = inventory(emulator)
    assert not [path for path in gone if path.startswith(("computes/", "onlineEndpoints/"))]
    kept = [body for path, body in gone.items() if "/versions/" in path or path.startswith("jobs/")]
    assert len(kept) == 5 and all(body["properties"]["isArchived"] for body in kept)
    emulator.control("DELETE", "/requests")
    applied.apply()
    back = inventory(emulator)
    (job,) = [body for path, body in back.items() if path.startswith("jobs/")]
    before = next(body for path, body in gone.items() if path.startswith("jobs/"))
    assert job["systemData"]["createdAt"] == before["systemData"]["createdAt"]
    assert not emulator.uploads(), "nothing is uploaded again"


def test_a_plan_without_changes_reads_each_object_once(applied: Client) -> None:
    """One GET an object, no list but the endpoint's deployments and the jobs, no address twice, nothing that holds a secret."""
    emulator = applied.emulator
    made = applied.plan()
    assert made.writes == ()
    asked = [f"{entry['method']} {entry['host']}{entry['path']}" for entry in emulator.requests()]
    plain = [entry for entry in asked if "login.microsoftonline.com" not in entry]
    assert len(plain) == len(set(plain)), sorted(entry for entry in plain if plain.count(entry) > 1)
    assert all(entry.startswith("GET ") for entry in plain)
    objects = {str(step.key) for step in made.steps}
    others = ("/workspaces/local", "/deployments", "/jobs")
    read = [entry for entry in plain if "/workspaces/" in entry and not entry.endswith(others)]
    assert len(read) == len(objects) == 8
    assert len(plain) <= 8 + 7, plain


def test_as_it_was_rendered(applied: Client) -> None:
    """What azure-ai-ml sends for a YAML, and the service makes of it, is what our field rules want to see."""
    loaded = single.load(applied.spec)
    with engine.connect(loaded, "local") as gateway:
        planned = single.plan(loaded, gateway)
    compared = 0
    for want in planned.desired:
        have = planned.world.observed[want.key]
        assert have is not None
        rules = KINDS[want.key.kind].rules
        assert fields.differences(want.document, have.document, rules, have.owner.fields if have.owner else "") == ()
        compared += len(fields.compared(rules))
    assert len(planned.desired) == 8
    assert compared > 20
