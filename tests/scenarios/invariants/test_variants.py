"""What the quickstart does not say: other places to run and to serve, other components, models that come and go by registries."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fineforge import engine
from fineforge.core.diagnostics import FineforgeError, errors
from fineforge.core.events import Outcome
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Mode
from tests.scenarios.invariants.client import QUICKSTART, Client, inventory, promised, written
from tests.support import single
from tests.support.running_emulator import RunningEmulator

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
Variant = Callable[..., Client]


@pytest.fixture
def variant(emulator: RunningEmulator, tmp_path: Path) -> Variant:
    """A client of the quickstart with other blocks; None takes a block away."""
    shutil.copytree(QUICKSTART.parent / "data", tmp_path / "data")

    def make(name: str = "variant", **blocks: Any) -> Client:
        data = {**yaml.safe_load(QUICKSTART.read_text(encoding="utf-8")), "name": name, **blocks}
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}), encoding="utf-8")
        return Client(emulator, file)

    return make


def life(client: Client) -> list[tuple[str, str]]:
    """Apply as planned, nothing to do afterwards; returns the resource writes."""
    client.emulator.control("DELETE", "/requests")
    made = client.apply()
    done = sorted(written(entry) for entry in client.emulator.requests(writes=True))
    assert done == sorted(promised(step) for step in made.writes)
    assert client.pending() == []
    return done


def ask(client: Client) -> str:
    loaded = single.load(client.spec)
    with engine.connect(loaded, "local") as gateway:
        return engine.invoke(single.at(loaded, gateway), gateway, [{"role": "user", "content": "Hello?"}], {}, None)


def failed(client: Client) -> Outcome:
    outcome = client.carry_out(client.plan())
    assert engine.outcome_exit_code(outcome) == 1
    return outcome


def test_serverless(variant: Variant) -> None:
    sizes = {"model_import": "Standard_NC24ads_A100_v4", "preprocess": "Standard_DS3_v2"}
    client = variant(compute={"serverless": True, "size": "Standard_NC24ads_A100_v4", "step_sizes": sizes})
    life(client)
    (job,) = (body for path, body in inventory(client.emulator).items() if path.startswith("jobs/"))
    (node,) = job["properties"]["jobs"].values()
    given = {name: entry["value"] for name, entry in node["inputs"].items() if "value" in entry}
    assert given["instance_type_preprocess"] == "Standard_DS3_v2"
    assert given["instance_type_finetune"] == "Standard_NC24ads_A100_v4"
    assert given["compute_finetune"] == "serverless"
    assert not [path for path in inventory(client.emulator) if path.startswith("computes/")]


@pytest.mark.parametrize("auth", ["aad_token", "aml_token"])
def test_an_endpoint_that_takes_tokens(variant: Variant, auth: str) -> None:
    client = variant(endpoint={"auth": auth})
    life(client)
    assert ask(client)
    assert not [entry for entry in client.emulator.requests() if "listKeys" in entry["path"]]


def test_a_cluster_with_a_network_and_an_identity(variant: Variant) -> None:
    network = f"{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
    identity = f"{SUBSCRIPTION}/resourceGroups/ids/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
    more = {"subnet": network, "public_ip": False, "identity": "user_assigned", "user_identities": [identity]}
    cluster = {"name": "private-gpu", "size": "Standard_NC24ads_A100_v4", **more}
    life(variant(compute=cluster))
    other = variant(compute={**cluster, "identity": "system_assigned", "user_identities": []})
    (change,) = other.pending()
    assert "update compute/private-gpu" in change
    life(other)


def test_how_a_deployment_serves(variant: Variant) -> None:
    more = {"egress": "private", "environment_variables": {"A": "1"}, "probe": {"initial_delay": 600}}
    deployment = {"size": "Standard_NC24ads_A100_v4", **more}
    life(variant(deployment=deployment))
    changed = variant(deployment={**deployment, "egress": "public", "environment_variables": {"A": "2"}, "instances": 2})
    assert len(changed.pending()) == 1, "in place"
    life(changed)


def test_a_model_is_published_and_deployed_by_another_spec(variant: Variant) -> None:
    """What dev trained, prod deploys: nothing is trained for it."""
    emulator = variant().emulator
    emulator.plant("registry", "shop-models")
    dev = variant("dev", register={"name": "desk", "registry": "shop-models"}, endpoint=None, deployment=None, gates=None)
    done = life(dev)
    assert ("POST", "publication/shop-models") in done
    (model,) = (key for _, key in done if key.startswith("model/desk"))
    version = model.rpartition(":")[2]
    gone = dict.fromkeys(("component", "dataset", "compute", "training", "optimization", "register", "gates"))
    prod = variant("prod", model={"registered": f"azureml://registries/shop-models/models/desk/versions/{version}"}, **gone)
    assert not [key for _, key in life(prod) if key.startswith("job/")]
    assert ask(prod)
    dev.apply(Mode.DESTROY)
    assert prod.pending() == [], "what others rely on stays"
    assert dev.pending(Mode.DESTROY) == []


def test_a_model_of_the_workspace_is_deployed_by_another_spec(variant: Variant) -> None:
    life(variant("dev", register={"name": "desk"}, endpoint=None, deployment=None, gates=None))
    (model,) = (path for path in inventory(variant("dev").emulator) if path.startswith("models/") and "/versions/" in path)
    _, name, _, version = model.split("/")
    gone = dict.fromkeys(("component", "dataset", "compute", "training", "optimization", "register", "gates"))
    life(variant("prod", model={"registered": f"azureml:{name}:{version}"}, **gone))
    missing = variant("prod", model={"registered": f"azureml:{name}:1{version}"}, **gone)
    loaded = single.load(missing.spec)
    with engine.connect(loaded, "local") as gateway:
        found = errors(single.plan(loaded, gateway).plan.diagnostics)
    assert [diagnostic.code for diagnostic in found] == ["FF301"]


def test_a_model_carries_its_lineage(variant: Variant) -> None:
    client = variant(endpoint=None, deployment=None, gates=None)
    life(client)
    found = inventory(client.emulator)
    (model,) = (body for path, body in found.items() if path.startswith("models/") and "/versions/" in path)
    (job,) = (path.removeprefix("jobs/") for path in found if path.startswith("jobs/"))
    tags = model["properties"]["tags"]
    assert tags["fineforge-base-model"] == "azureml://registries/azureml/models/Phi-4/versions/8"
    assert tags["fineforge-component"].endswith("/chat_completion_pipeline/versions/0.0.82")
    assert tags["fineforge-job"] == job
    for split in ("train", "validation", "test"):
        name, version = tags[f"fineforge-data-{split}"].removeprefix("azureml:").split(":")
        assert f"data/{name}/versions/{version}" in found


def test_a_data_asset_is_used_as_it_is(variant: Variant) -> None:
    emulator = variant().emulator
    life(variant("maker", endpoint=None, deployment=None, gates=None))
    assets = {
        path.split("/")[1]: path.split("/")[3]
        for path in inventory(emulator)
        if path.startswith("data/maker-") and "/versions/" in path
    }
    splits = {name: {"source": f"azureml:maker-{name}:{assets[f'maker-{name}']}"} for name in ("train", "validation")}
    done = life(
        variant("user", dataset={"splits": splits}, register={"name": "user"}, endpoint=None, deployment=None, gates=None)
    )
    assert not [key for _, key in done if key.startswith("data/")]
    assert not emulator.uploads()


@pytest.mark.parametrize(
    ("task", "component", "model", "training"),
    [
        ("text-generation", "0.0.80", ("gpt2", "18"), {"text_key": "prompt"}),
        ("text-classification", "0.0.80", ("bert-base-uncased", "17"), {"sentence1_key": "prompt", "label_key": "prompt_id"}),
        ("summarization", "0.0.80", ("t5-small", "17"), {"document_key": "prompt", "summary_key": "prompt_id"}),
    ],
)
def test_a_task_that_the_emulator_does_not_train(
    variant: Variant, task: str, component: str, model: tuple[str, str], training: dict[str, Any]
) -> None:
    from fineforge.catalog import snapshot

    known = snapshot.load()
    name = snapshot.TASK_COMPONENTS[task]
    version = next(version for entry, version in known.components if entry == name)
    model_version = next(version for entry, version in known.models if entry == model[0])
    client = variant(
        "other",
        task=task,
        component={"version": version},
        model={"name": model[0], "version": model_version},
        training=training,
        optimization=None,
        register={"name": "other"},
        compute={"name": "gpu", "size": "Standard_NC24ads_A100_v4"},
        lifecycle={"allow_unlisted": True},
        endpoint=None,
        deployment=None,
        gates=None,
    )
    (failure,) = failed(client).failed.values()
    assert failure.code == "FF503" and name in failure.message and "emulator" in failure.message


def test_a_component_that_nobody_has_seen(variant: Variant) -> None:
    client = variant(
        "tailored",
        component={"id": "azureml://registries/shop/components/tailor/versions/3.1"},
        training={"stitches": 4},
        optimization=None,
        endpoint=None,
        deployment=None,
        gates=None,
    )
    inputs = {
        "cloth": {"type": "mlflow_model"},
        "train_rows": {"type": "uri_file"},
        "valid_rows": {"type": "uri_file", "optional": True},
        "test_rows": {"type": "uri_file", "optional": True},
        "stitches": {"type": "integer", "min": 1, "max": 9},
    }
    client.emulator.plant("component", "shop", "tailor", "3.1", inputs, {"suit": {"type": "mlflow_model"}})
    (failure,) = failed(client).failed.values()
    assert failure.code == "FF503" and "tailor" in failure.message

    wrong = variant("tailored", component={"id": client_id(client)}, training={"stitchs": 10}, optimization=None, gates=None)
    loaded = single.load(wrong.spec)
    with engine.connect(loaded, "local") as gateway, pytest.raises(FineforgeError) as caught:
        single.plan(loaded, gateway)
    assert {diagnostic.code for diagnostic in errors(caught.value.diagnostics)} == {"FF131", "FF133"}
    assert any("`stitches`" in diagnostic.hint for diagnostic in caught.value.diagnostics)


def client_id(client: Client) -> str:
    return str(single.load(client.spec).spec.component.id)


def test_a_job_that_leaves_nothing_is_not_registered(variant: Variant) -> None:
    """The service would register the path all the same (FIELD 10)."""
    client = variant(endpoint=None, deployment=None, gates=None)
    made = client.plan()
    loaded = single.load(client.spec)
    with engine.connect(loaded, "local") as gateway:
        job = next(step for step in made.steps if step.key.kind == "job")
        rest = next(step for step in made.steps if step.key.kind == "model")
        for step in made.steps:
            if step.key.kind in ("compute", "data"):
                for upload in step.uploads:
                    gateway.upload(QUICKSTART.parent / "data" / "quickstart" / f"{upload.split}.jsonl", upload.destination)
                gateway.create(step.key, step.text)
                gateway.wait(step.key, lambda _: None, lambda: False)
        gateway.create(job.key, job.text)
        raw = gateway.wait(job.key, lambda _: None, lambda: False)
        assert raw is not None
        uri = raw["properties"]["outputs"]["trained_model"]["uri"]
        assert (gateway.output_bytes(job.key.name, "trained_model") or 0) > 0
        for file in (client.emulator.home / "blobs").rglob("*"):
            if file.is_file() and uri.split("/paths/")[1].rstrip("/") in str(file):
                file.write_bytes(b"")
        assert gateway.output_bytes(job.key.name, "trained_model") == 0
    (failure,) = failed(client).failed.values()
    assert failure.code == "FF505" and job.key.name in failure.message
    assert ResourceKey("model", rest.key.name, rest.key.version) == rest.key
