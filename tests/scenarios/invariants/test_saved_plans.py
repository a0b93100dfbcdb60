"""A saved plan is applied exactly as it was reviewed, once, or not at all; what changed since the plan is never written over."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fineforge import engine
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.plan import Mode, Plan
from fineforge.documents.plan import plan_data
from fineforge.engine import planfile
from fineforge.planner import check_plan
from fineforge.views.paint import Paint
from fineforge.views.text import write_plan
from tests.scenarios.invariants.client import QUICKSTART, Client, inventory, promised, written
from tests.support.running_emulator import RunningEmulator


@pytest.fixture
def changed(applied: Client, tmp_path: Path) -> Callable[..., Client]:
    """The quickstart with some of its blocks changed, where the quickstart itself has been applied."""

    def change(**blocks: dict[str, Any]) -> Client:
        document = yaml.safe_load(QUICKSTART.read_text(encoding="utf-8"))
        for name, values in blocks.items():
            document[name] = {**document.get(name, {}), **values}
        spec = tmp_path / "quickstart.yaml"
        spec.write_text(yaml.safe_dump(document), encoding="utf-8")
        shutil.copytree(QUICKSTART.parent / "data", tmp_path / "data")
        return Client(applied.emulator, spec)

    return change


def edit(emulator: RunningEmulator, path: str, change: Callable[[dict[str, Any]], None]) -> None:
    """As somebody with another tool: read, change, put."""
    body = emulator.send("GET", path).json()
    change(body)
    answer = emulator.send("PUT", path, body)
    assert answer.status_code in (200, 201), answer.text


def only(emulator: RunningEmulator, prefix: str, depth: int) -> str:
    (path,) = [path for path in inventory(emulator) if path.startswith(prefix) and path.count("/") == depth]
    return path


def test_applied_exactly_and_once(changed: Callable[..., Client], tmp_path: Path) -> None:
    client = changed(compute={"max_nodes": 3}, tags={"team": "nursery"})
    emulator, file = client.emulator, tmp_path / "plan.json"
    assert client.run("plan", "{spec}", "--target", "local", "--out", str(file)).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    ((spec, made),) = planfile.load(file)
    assert made == client.plan() and spec == client.spec
    emulator.control("DELETE", "/requests")
    assert client.run("apply", str(file)).returncode == 0
    assert sorted(written(entry) for entry in emulator.requests(writes=True)) == sorted(promised(step) for step in made.writes)
    assert made.writes and client.pending() == []
    assert client.run("apply", str(file)).returncode == 1, "the file was used up"
    emulator.control("DELETE", "/requests")
    assert client.run("apply", f"{file}.applied").returncode == 5
    assert emulator.requests(writes=True) == [], "what it was made for is no longer so"


def test_of_another_format_or_damaged(applied: Client, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    planfile.save([(applied.spec, applied.plan())], file)
    saved = json.loads(file.read_text())
    (entry,) = saved["plans"]
    exploding = {**entry, "plan": {**entry["plan"], "mode": "explode"}}
    edits: list[Any] = [{"format": 99}, {"kind": "another"}]
    plans: list[Any] = [7, [7], [{}], [{**entry, "plan": {}}], [exploding], [{**entry, "plan": 7}]]
    plans += [[], [entry, entry], [{**entry, "spec_path": str(tmp_path)}]]
    edits += [{"plans": wrong} for wrong in plans]
    step, *others = entry["plan"]["steps"]
    odd = [{**step, "key": {**step["key"], "kind": "moon"}}, {**step, "text": 7}, {**step, "more": 1}, without(step, "expected")]
    edits += [{"plans": [{**entry, "plan": {**entry["plan"], "steps": [one, *others]}}]} for one in odd]
    facts = ({"workspace": "w"}, {"context_length": "many"}, None)
    edits += [{"plans": [{**entry, "plan": {**entry["plan"], "facts": wrong}}]} for wrong in facts]
    for change in edits:
        file.write_text(json.dumps(planfile.sealed({**saved, **change})))
        with pytest.raises(FineforgeError) as caught:
            planfile.load(file)
        assert [found.code for found in caught.value.diagnostics] == ["FF521"], change
    for text in ("", "[]", "{", "\0"):
        file.write_text(text)
        with pytest.raises(FineforgeError, match="FF521"):
            planfile.load(file)


ODD: list[Any] = [None, True, 0, -1, 1.5, "", "x", "\x00", "²", "/etc/passwd", [], ["x"], {}, {"x": 1}, [[]], 2**62]


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything inside the document."""
    entries = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    return [place for key, value in entries for place in ((*path, key), *places(value, (*path, key)))]


def edited(document: Any, chance: random.Random) -> Any:
    """Return a copy with one random place removed, renamed, replaced by an odd value, or by a value from elsewhere."""
    copied = copy.deepcopy(document)
    *parents, last = chance.choice(places(copied))
    inner = copied
    for key in parents:
        inner = inner[key]
    how = chance.choice(("remove", "rename", "odd", "odd", "odd", "elsewhere"))
    if how == "remove":
        del inner[last]
    elif how == "rename" and isinstance(inner, dict):
        inner[f"{last}_"] = inner.pop(last)
    else:
        value = chance.choice(ODD)
        if how == "elsewhere":
            value = document
            for key in chance.choice(places(document)):
                value = value[key]
        inner[last] = copy.deepcopy(value)
    return copied


def read_out(file: Path) -> None:
    """Everything that reads a saved plan before its first write: each fact, step and diagnostic of it."""
    plans = planfile.load(file)
    for path, plan in plans:
        write_plan(plan, Paint())
        plan_data([plan], files={plan.spec: str(path)})
        check_plan(plan)


def test_random_edits(client: Client, tmp_path: Path) -> None:
    """Every edit is noticed; where the digest was made to fit, the types refuse what cannot be read."""
    file, chance = tmp_path / "plan.json", random.Random(16)
    planfile.save([(client.spec, client.plan())], file)
    saved = json.loads(file.read_text())
    read_out(file)
    accepted = 0
    for number in range(600):
        document = edited(saved, chance)
        for version in (document, planfile.sealed(document)):
            file.write_text(json.dumps(version))
            try:
                read_out(file)
            except FineforgeError as error:
                assert [found.code for found in error.diagnostics] == ["FF521"], (number, error)
            else:
                assert version == saved or version is not document, number
                accepted += version is not document
    assert 0 < accepted < 300


def test_an_edited_plan_writes_nothing(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    planfile.save([(client.spec, client.plan())], file)
    file.write_text(file.read_text().replace("Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4"))
    client.emulator.control("DELETE", "/requests")
    refused = client.run("apply", str(file))
    assert refused.returncode == 1 and "FF521" in refused.stderr and "was edited" in refused.stderr
    assert client.emulator.requests(writes=True) == [] and file.exists()


def without(step: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name != key}


def test_a_spec_is_no_plan_whatever_it_is_called(tmp_path: Path) -> None:
    """`plan --out` writes over older plans only."""
    file = tmp_path / "spec.yaml"
    file.write_text("version: 1\nname: fineforge-plan-demo\n", encoding="utf-8")
    assert not planfile.is_plan(file)
    planfile.save([], file)
    assert planfile.is_plan(file)


def test_where_nothing_can_be_written(applied: Client, tmp_path: Path) -> None:
    with pytest.raises(FineforgeError, match="FF007"):
        planfile.save([(applied.spec, applied.plan())], tmp_path / "nowhere" / "plan.json")
    with pytest.raises(FineforgeError, match="FF007"):
        planfile.consume(tmp_path / "nowhere.json")


def test_for_another_workspace(applied: Client, tmp_path: Path) -> None:
    made = applied.plan()
    elsewhere = copy.deepcopy(dict(made.facts))
    elsewhere["workspace"] = {**elsewhere["workspace"], "name": "another"}
    with pytest.raises(FineforgeError, match="FF522") as caught:
        applied.carry_out(replace(made, facts=elsewhere))
    assert caught.value.exit_code == 5


def test_the_data_changed_since(client: Client, tmp_path: Path) -> None:
    shutil.copytree(QUICKSTART.parent, tmp_path / "specs")
    client = Client(client.emulator, tmp_path / "specs" / QUICKSTART.name)
    made = client.plan()
    with (tmp_path / "specs" / "data" / "quickstart" / "train.jsonl").open("a") as file:
        file.write('{"messages": [{"role": "user", "content": "One more?"}, {"role": "assistant", "content": "One more."}]}\n')
    with pytest.raises(FineforgeError, match="FF606") as caught:
        client.carry_out(made)
    assert caught.value.exit_code == 5
    assert client.emulator.requests(writes=True) == []


def test_the_spec_changed_since(changed: Callable[..., Client], tmp_path: Path) -> None:
    """What was reviewed is not what the file says by now; a comment more is nothing."""
    client, file = changed(compute={"max_nodes": 3}), tmp_path / "plan.json"
    assert client.run("plan", "{spec}", "--target", "local", "--out", str(file)).returncode == 0
    reviewed = client.spec.read_text(encoding="utf-8")
    client.spec.write_text(reviewed.replace("max_nodes: 3", "max_nodes: 4"), encoding="utf-8")
    client.emulator.control("DELETE", "/requests")
    refused = client.run("apply", str(file))
    assert refused.returncode == 5 and "FF523" in refused.stderr
    assert client.emulator.requests(writes=True) == [] and file.exists()
    client.spec.write_text(f"# as it was\n{reviewed}", encoding="utf-8")
    assert client.run("apply", str(file)).returncode == 0
    assert client.pending() == []


def bigger(body: dict[str, Any]) -> None:
    body["properties"]["properties"]["scaleSettings"]["maxNodeCount"] = 9


def stripped(body: dict[str, Any]) -> None:
    body["tags"] = {name: value for name, value in body["tags"].items() if not name.startswith("fineforge-")}


def moved(client: Client, made: Plan) -> list[str]:
    """Applies a plan that the world has moved away from; the objects that moved."""
    client.emulator.control("DELETE", "/requests")
    outcome = client.carry_out(made)
    assert engine.outcome_exit_code(outcome) == 5, outcome
    assert {found.code for found in outcome.moved.values()} == {"FF501"}
    keys = {step.id: str(step.key) for step in made.steps}
    at_fault = [keys[step] for step in outcome.moved]
    touched = {key for _, key in (written(entry) for entry in client.emulator.requests(writes=True))}
    assert not touched & set(at_fault)
    return at_fault


def test_edited_between_plan_and_update(changed: Callable[..., Client]) -> None:
    client = changed(compute={"max_nodes": 3})
    made = client.plan()
    edit(client.emulator, "computes/quickstart-gpu", bigger)
    assert moved(client, made) == ["compute/quickstart-gpu"]
    assert (
        client.emulator.send("GET", "computes/quickstart-gpu").json()["properties"]["properties"]["scaleSettings"]["maxNodeCount"]
        == 9
    )


def test_gone_between_plan_and_update(changed: Callable[..., Client]) -> None:
    client = changed(compute={"max_nodes": 3})
    made = client.plan()
    assert client.emulator.send("DELETE", "computes/quickstart-gpu?underlyingResourceAction=Delete").status_code == 202
    assert moved(client, made) == ["compute/quickstart-gpu"]


def test_made_between_plan_and_create(client: Client) -> None:
    made = client.plan()
    theirs = client.emulator.send("GET", "computes/theirs").json()
    assert client.emulator.send("PUT", "computes/quickstart-gpu", theirs).status_code in (200, 201)
    assert moved(client, made) == ["compute/quickstart-gpu"]


def test_disowned_between_plan_and_destroy(applied: Client) -> None:
    """Whose tags were taken off is not ours to delete."""
    made = applied.plan(Mode.DESTROY)
    edit(applied.emulator, "computes/quickstart-gpu", stripped)
    assert "compute/quickstart-gpu" in moved(applied, made)
    assert applied.emulator.send("GET", "computes/quickstart-gpu").status_code == 200


def test_a_stranger_moved_in_before_the_destroy(applied: Client) -> None:
    """An endpoint takes its deployments with it: not one that somebody made since."""
    emulator, made = applied.emulator, applied.plan(Mode.DESTROY)
    endpoint, ours = only(emulator, "onlineEndpoints/", 1), only(emulator, "onlineEndpoints/", 3)
    body = emulator.send("GET", ours).json()
    stripped(body)
    assert emulator.send("PUT", f"{endpoint}/deployments/theirs", body).status_code == 201
    assert moved(applied, made) == [f"endpoint/{endpoint.split('/')[1]}"]
    assert emulator.send("GET", f"{endpoint}/deployments/theirs").status_code == 200
