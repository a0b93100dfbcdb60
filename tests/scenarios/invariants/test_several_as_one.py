"""What holds for the command lines of a single spec holds for those of several specs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import yaml

from fineforge import engine
from tests.scenarios.invariants.client import Client
from tests.scenarios.stories.telling import row
from tests.support.offline import SUPPORT

WORDS = ("--target", "local")


@pytest.fixture
def specs(client: Client, tmp_path: Path) -> Path:
    """A project of two specs, each with data of its own."""
    (tmp_path / "fineforge.yaml").write_text("name: shop\n", encoding="utf-8")
    for name in ("one", "two"):
        data = {
            **yaml.safe_load(SUPPORT),
            "name": name,
            "register": {"name": name},
            "dataset": {"source": f"./{name}", "splits": {"train": {"from": "train"}, "validation": {"from": "validation"}}},
        }
        del data["deployment"], data["endpoint"]
        data["compute"]["name"] = f"gpu-{name}"
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
        (tmp_path / name).mkdir()
        for split, first in (("train", 0), ("validation", 500)):
            rows = "".join(row(number) + "\n" for number in range(first, first + 40))
            (tmp_path / name / f"{split}.jsonl").write_text(rows, encoding="utf-8")
    return tmp_path


def run(client: Client, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fineforge", *words]
    environment = {**client.environment(), "COLUMNS": "400"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL
    )


def test_check_data_checks_the_rows_of_every_spec(client: Client, specs: Path) -> None:
    file = specs / "two" / "train.jsonl"
    file.write_text(file.read_text(encoding="utf-8") + "{\n", encoding="utf-8")
    planned = run(client, specs, "plan", ".", *WORDS, "--check-data", "--json")
    document = json.loads(planned.stdout)
    assert planned.returncode == 1, planned.stdout
    assert {entry["file"]: entry["errored"] for entry in document["specs"]} == {"one.yaml": False, "two.yaml": True}
    assert all("two/train.jsonl" in problem["message"] for problem in document["diagnostics"])
    assert run(client, specs, "plan", ".", *WORDS).returncode == 0, "without it rows are not read"


def test_a_saved_plan_stays_where_a_lease_is_refused(client: Client, specs: Path) -> None:
    assert run(client, specs, "plan", ".", *WORDS, "--out", "plan.json").returncode == 0
    with engine.connect(engine.SpecFile.read(specs / "two.yaml"), "local") as gateway:
        leases, lease = gateway.leases(), str(uuid.uuid4())
        assert leases.take("shop/two", lease, 60)
        refused = run(client, specs, "apply", "plan.json")
        leases.release("shop/two", lease)
    assert refused.returncode == 5 and "FF530" in refused.stderr, refused.stderr
    assert (specs / "plan.json").exists() and not (specs / "plan.json.applied").exists()
    assert not [entry for entry in client.emulator.requests() if entry["write"]], "all of it is applied, or nothing"


def test_several_specs_are_planned_again_after_a_wait(client: Client, specs: Path) -> None:
    with engine.connect(engine.SpecFile.read(specs / "two.yaml"), "local") as gateway:
        leases, lease = gateway.leases(), str(uuid.uuid4())
        assert leases.take("shop/two", lease, 60)
        command = [sys.executable, "-m", "fineforge", "apply", ".", *WORDS, "--auto-approve", "--json", "--lock-timeout", "5m"]
        environment = {**os.environ, **client.environment()}
        with subprocess.Popen(
            command, cwd=specs, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            said = []
            for line in map(json.loads, process.stdout):
                if line["type"] == "lease" and "is held by" in line["@message"]:
                    leases.release("shop/two", lease)
                said.append(line["@message"])
                if line["type"] in ("planned_change", "outcome"):
                    process.kill()
    assert "the other apply has ended: planning again" in said


def test_lock_reports_an_error_in_the_file_of_its_spec(client: Client, specs: Path) -> None:
    file = specs / "two.yaml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump({**data, "model": {"name": "Phi-44"}}), encoding="utf-8")
    refused = run(client, specs, "lock", "one.yaml", "two.yaml", *WORDS)
    assert refused.returncode == 1 and "error[FF146]" in refused.stderr
    assert "--> two.yaml:" in refused.stderr and "one.yaml" not in refused.stderr, refused.stderr


def test_a_file_that_is_named_must_be_for_the_target(client: Client, specs: Path) -> None:
    """One that was found in a folder may be for other targets, and is left out."""
    file = specs / "two.yaml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump({**data, "targets": ["prod"]}), encoding="utf-8")
    named = run(client, specs, "plan", "one.yaml", "two.yaml", *WORDS, "--json")
    assert named.returncode == 1
    assert [(one["code"], one["file"]) for one in json.loads(named.stdout)["diagnostics"]] == [("FF140", "two.yaml")]
    assert run(client, specs, "plan", ".", *WORDS).returncode == 0
