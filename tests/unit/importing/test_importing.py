"""Specs written from what exists: they are valid, and mean what is there."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from fineforge import engine, importing
from fineforge.config import source
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import FineforgeError, errors
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action
from fineforge.resources import parameters
from fineforge.resources.fields import FORMS
from tests.scenarios.stories.telling import Telling
from tests.support import single
from tests.support.memory import answering

TODAY = "2026-11-24"
OFFICIAL: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "resources" / "templates" / "official_job.json").read_text(encoding="utf-8")
)


@pytest.fixture
def applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Telling:
    """A workspace with everything of a spec in it, some of it by nobody's default."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FINEFORGE_TARGET", raising=False)
    told = Telling(tmp_path)
    told.data["training"] = {"num_train_epochs": 3, "learning_rate": 2.5e-5, "warmup_steps": 7, "precision": 32}
    told.data["optimization"] = {"apply_lora": True, "lora_r": 64, "merge_lora_weights": False}
    told.data["tags"] = {"team": "helpdesk", "cost": "0012"}
    told.apply()
    return told


def key(told: Telling, kind: str) -> ResourceKey:
    return next(step.key for step in told.plan().steps if step.key.kind == kind)


def imported(told: Telling, word: str, name: str | None = None) -> tuple[str, engine.SpecFile]:
    """The text, and the spec that it is; valid, and in its canonical form."""
    text = importing.spec_of(word, told.gateway, TODAY, name)
    keys = list(source.load(text.encode(), "spec.yaml").data)
    assert keys == [key for name, entry in Spec.model_fields.items() if (key := entry.alias or name) in keys]
    file = told.folder / "imported.yaml"
    file.write_text(text, encoding="utf-8")
    loaded = single.load(file)
    assert not errors(engine.validate(loaded.at(), today=TODAY).diagnostics)
    return text, loaded


def test_a_job_of_ours_would_train_the_same(applied: Telling) -> None:
    job = key(applied, "job")
    text, loaded = imported(applied, job.name, "again")
    written = {**applied.data["training"], **applied.data["optimization"]}
    assert loaded.spec.parameters == {name: value for name, value in written.items() if name != "apply_lora"}, "Phi-4's default"
    before, after = single.plan(applied.loaded(), applied.gateway), single.plan(loaded, applied.gateway)
    assert parameters.effective(after.parameters) == parameters.effective(before.parameters)
    wanted = {want.key.kind: want.document for want in after.desired if want.key.kind in ("job",)}["job"]
    there = (applied.gateway.get(job) or {})["properties"]["jobs"]["chat_completion_pipeline"]["inputs"]
    steps = wanted["jobs"]["chat_completion_pipeline"]["inputs"]
    told = {name: entry["path"] if isinstance(entry, dict) else str(entry) for name, entry in steps.items()}
    assert told == {name: FORMS["asset"].read(entry.get("uri") or entry["value"]) for name, entry in there.items()}
    assert (loaded.spec.name, loaded.spec.tags) == ("again", {"team": "helpdesk", "cost": "0012"})
    assert "It was created by the spec `support` of the project `support`." in text
    steps_of = {str(step.key.kind): step.action for step in after.plan.steps}
    assert (steps_of["compute"], steps_of["data"]) == (Action.READ, Action.READ)


def put_job(told: Telling, name: str, **changes: Any) -> None:
    body = copy.deepcopy(OFFICIAL)
    body["properties"].update(changes)
    told.gateway.cloud.put("job", (name,), body)


def test_the_job_of_the_official_walkthrough(applied: Telling) -> None:
    put_job(applied, "jolly_sky_1")
    text, loaded = imported(applied, "job/jolly_sky_1")
    spec = loaded.spec
    assert (spec.name, spec.component.version, spec.model.name, spec.model.version) == (
        "jolly-sky-1",
        "0.0.82",
        "Phi-3-mini-4k-instruct",
        "15",
    )
    assert spec.model.allow_retired and "# Fine-tuning of this model is retired" in text
    assert spec.parameters == {"number_of_gpu_to_use_finetuning": 8}, "all others are the model's, or fineforge's, defaults"
    assert spec.compute is not None and spec.compute.existing and "`gpu-cluster-big` no longer exists" in text
    assert spec.dataset is not None and spec.dataset.source_of("test") == "azureml:jolly-sky-1-test:1"
    places = [
        entry["uri"] for entry in OFFICIAL["properties"]["jobs"]["chat_completion_pipeline"]["inputs"].values() if "uri" in entry
    ]
    for uri in (place for place in places if "LocalUpload" in place):
        assert f" --type uri_file --path {uri}\n" in text


def test_a_pipeline_that_passes_its_inputs_on(applied: Telling) -> None:
    """As `@pipeline` functions with parameters are submitted."""
    step = copy.deepcopy(OFFICIAL["properties"]["jobs"]["chat_completion_pipeline"])
    step["inputs"]["learning_rate"] = {"job_input_type": "literal", "value": "${{parent.inputs.rate}}"}
    step["inputs"]["train_file_path"] = {"job_input_type": "literal", "value": "${{parent.inputs.rows}}"}
    support = key(applied, "data")
    given = {
        "rate": {"jobInputType": "literal", "value": "0.00002"},
        "rows": {
            "jobInputType": "uri_file",
            "uri": f"/subscriptions/s/x/workspaces/w/data/{support.name}/versions/{support.version}",
        },
    }
    put_job(applied, "passing", jobs={"chat_completion_pipeline": step}, inputs=given)
    _, loaded = imported(applied, "passing")
    assert loaded.spec.parameters["learning_rate"] == 2e-5
    assert loaded.spec.dataset is not None
    assert loaded.spec.dataset.source_of("train") == f"azureml:{support.name}:{support.version}"


def test_what_nobody_would_let_a_spec_say_is_said(applied: Telling) -> None:
    step = copy.deepcopy(OFFICIAL["properties"]["jobs"]["chat_completion_pipeline"])
    step["inputs"]["learning_rate"]["value"] = "0.001"
    put_job(applied, "fast", jobs={"chat_completion_pipeline": step})
    text = importing.spec_of("fast", applied.gateway, TODAY)
    assert "# To be fixed: `learning_rate: 0.001` must be 5e-05 or less, says the model's metadata." in text


def test_defaults_that_a_job_did_not_have(applied: Telling) -> None:
    """What the job left to the component is named where a spec would have another default."""
    step = copy.deepcopy(OFFICIAL["properties"]["jobs"]["chat_completion_pipeline"])
    for name in ("save_total_limit", "apply_lora"):
        del step["inputs"][name]
    put_job(applied, "bare", jobs={"chat_completion_pipeline": step})
    _, loaded = imported(applied, "bare")
    assert loaded.spec.training["save_total_limit"] == -1
    assert loaded.spec.optimization["apply_lora"] is False


def test_serverless_jobs_of_several_nodes(applied: Telling) -> None:
    step = copy.deepcopy(OFFICIAL["properties"]["jobs"]["chat_completion_pipeline"])
    for name in [name for name in step["inputs"] if name.startswith("compute_")]:
        step["inputs"][name]["value"] = "serverless"
        smaller = "Standard_D4s_v3" if "preprocess" in name else "Standard_ND96asr_v4"
        step["inputs"][name.replace("compute", "instance_type", 1)] = {"job_input_type": "literal", "value": smaller}
    step["inputs"]["num_nodes_finetune"] = {"job_input_type": "literal", "value": "2"}
    put_job(applied, "wide", jobs={"chat_completion_pipeline": step})
    text = importing.spec_of("wide", applied.gateway, TODAY)
    assert "compute: {serverless: true, size: Standard_ND96asr_v4" in text or "  serverless: true\n" in text
    assert "preprocess: Standard_D4s_v3" in text and "nodes: 2" in text


def test_a_deployment_of_ours(applied: Telling) -> None:
    deployment = key(applied, "deployment")
    text, loaded = imported(applied, f"deployment/{deployment.parent}/{deployment.name}")
    spec, model = loaded.spec, key(applied, "model")
    assert spec.model.registered == f"azureml:{model.name}:{model.version}"
    assert spec.deployment is not None and spec.endpoint is not None and not spec.endpoint.existing
    assert spec.deployment.model_dump(exclude_unset=True) == {
        "size": "Standard_NC24ads_A100_v4",
        "instances": 1,
        "probe": {"initial_delay": 600},
        "request": {"timeout_ms": 90000},
        "environment_variables": {"LOG_LEVEL": "info"},
    }
    assert f"Current traffic: `{deployment.name}` 100 %." in text


def foreign(told: Telling, **properties: Any) -> None:
    """An endpoint by hand, with one deployment that has what a spec can and cannot say."""
    there = key(told, "deployment")
    raw = copy.deepcopy(dict(told.gateway.get(there) or {}))
    cloud = told.gateway.cloud
    endpoint = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "AMLToken"}, "tags": {}}
    cloud.put("endpoint", ("theirs",), endpoint)
    wait(told, ResourceKey("endpoint", "theirs"))
    wanted = {name: raw["properties"][name] for name in ("model", "instanceType", "endpointComputeType")}
    body = {
        "location": "eastus",
        "sku": {"name": "Default", "capacity": 2},
        "tags": {"by": "hand"},
        "properties": {**wanted, **properties},
    }
    for name in ("blue", "green"):
        cloud.put("deployment", ("theirs", name), copy.deepcopy(body))
        wait(told, ResourceKey("deployment", name, parent="theirs"))
    raw = dict(told.gateway.get(ResourceKey("endpoint", "theirs")) or {})
    told.gateway.update(
        ResourceKey("endpoint", "theirs"), {**raw, "properties": {**raw["properties"], "traffic": {"green": 100}}}
    )
    wait(told, ResourceKey("endpoint", "theirs"))


def wait(told: Telling, wanted: ResourceKey) -> None:
    assert told.gateway.wait(wanted, lambda _: None, lambda: False) is not None


def test_an_endpoint_of_somebody_else(applied: Telling) -> None:
    secret = {"HF_TOKEN": "hf_abcdefgh", "LEVEL": "1e5"}
    foreign(applied, environmentVariables=secret, appInsightsEnabled=True, livenessProbe={"initialDelay": "PT5M"})
    text, loaded = imported(applied, "endpoint/theirs")
    spec = loaded.spec
    assert spec.endpoint is not None and spec.deployment is not None
    assert (spec.endpoint.name, spec.endpoint.auth, spec.endpoint.existing) == ("theirs", "aml_token", True)
    assert spec.deployment.instances == 2 and spec.deployment.probe is not None and spec.deployment.probe.initial_delay == 300
    assert spec.deployment.environment_variables == {"LEVEL": "1e5"} and "hf_abc" not in text
    assert spec.tags == {"by": "hand"}
    for words in (
        "# Omitted because they look like secrets: `HF_TOKEN`.",
        "# A spec cannot express logging to Application Insights: `True`.",
        "# Current traffic: `green` 100 %.",
        "# Other deployments of the endpoint, not in this spec: `blue`.",
        "so apply makes one of its own beside `green`",
    ):
        assert words in text


NOT_IMPORTED = {
    "nobody": ("FF422", "`job/nobody`"),
    "endpoint/nobody": ("FF422", "`endpoint/nobody`"),
    "deployment/theirs/nobody": ("FF422", "`endpoint/theirs`"),
    "model/support/1": ("FF422", "`model/support/1` cannot be imported"),
    "": ("FF422", "`` cannot be imported"),
    "command": ("FF423", "is a job of type `Command`"),
    "two": ("FF423", "has 2 steps from registry components"),
    "ours": ("FF423", "has 0 steps from registry components"),
    "baseless": ("FF423", "does not start from one model of a registry"),
    "endpoint/empty": ("FF423", "has no deployment"),
}


@pytest.mark.parametrize("word", NOT_IMPORTED)
def test_what_cannot_be_imported(word: str, applied: Telling) -> None:
    code, words = NOT_IMPORTED[word]
    gateway: Any = applied.gateway
    step = OFFICIAL["properties"]["jobs"]["chat_completion_pipeline"]
    inputs = {**step["inputs"], "mlflow_model_path": {"job_input_type": "mlflow_model", "uri": "azureml:mine:1"}}
    pipelines = {
        "two": {"a": step, "b": step},
        "ours": {"a": {**step, "componentId": "azureml:mine:1"}},
        "baseless": {"a": {**step, "inputs": inputs}},
    }
    if word in pipelines:  # as the service may have them, and the emulator has none
        properties = {"jobType": "Pipeline", "status": "Completed", "jobs": pipelines[word]}
        gateway = answering(applied.gateway, get=lambda _: {"name": word, "properties": properties})
    if word == "command":
        gateway = answering(applied.gateway, get=lambda _: {"name": word, "properties": {"jobType": "Command"}})
    if word == "endpoint/empty":
        wanted = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}, "tags": {}}
        applied.gateway.cloud.put("endpoint", ("empty",), wanted)
        wait(applied, ResourceKey("endpoint", "empty"))
    before = list(applied.gateway.writes)
    with pytest.raises(FineforgeError) as refused:
        importing.spec_of(word, gateway, TODAY)
    [found] = refused.value.diagnostics
    assert found.code == code and words in found.message
    assert applied.gateway.writes == before


def test_a_job_that_is_a_component_itself(applied: Telling) -> None:
    step = OFFICIAL["properties"]["jobs"]["chat_completion_pipeline"]
    inputs = {
        name: {"jobInputType": entry["job_input_type"], **{part: entry[part] for part in ("uri", "value") if part in entry}}
        for name, entry in step["inputs"].items()
    }
    put_job(applied, "direct", jobs={}, componentId=step["componentId"], inputs=inputs)
    _, loaded = imported(applied, "direct")
    assert loaded.spec.model.name == "Phi-3-mini-4k-instruct"
    assert loaded.spec.parameters == {"number_of_gpu_to_use_finetuning": 8}


NAMES = ["x", "Jolly_Sky_0123456789_abcdefghijklmnop", "9lives", "a--b", "ÄÖÜ", "", "---"]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_becomes_one_of_a_spec(name: str, applied: Telling) -> None:
    put_job(applied, "jolly_sky_1")
    assert imported(applied, "jolly_sky_1", name or "?")[1].spec.name
