"""What is submitted is what the official walkthrough submits, seen through azure-ai-ml's own loaders; no network.

`official_job.json` is the body that azure-ai-ml makes of the official fine-tuning notebook for Phi-3-mini-4k-instruct.
"""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import offline

pytestmark = pytest.mark.filterwarnings("ignore")
"""The SDK warns about its own dependencies when it is imported."""

OFFICIAL: dict[str, Any] = json.loads((Path(__file__).parent / "official_job.json").read_text(encoding="utf-8"))

PHI3 = """\
version: 1
name: phi3
component: {version: "0.0.82"}
model: {name: Phi-3-mini-4k-instruct, version: "15", allow_retired: true}
dataset:
  source: data/ultrachat_200k
  splits: {train: {from: train_sft, percent: 5}, test: {from: test_sft, percent: 5}}
compute: {name: gpu-cluster-big, size: Standard_ND96asr_v4}
training:
  num_train_epochs: 1
  per_device_train_batch_size: 1
  per_device_eval_batch_size: 1
  learning_rate: 5.0e-6
  lr_scheduler_type: cosine
optimization:
  apply_lora: true
  apply_deepspeed: true
  deepspeed_stage: 2
register: {name: phi3-support}
"""

LOADERS = {
    "compute": "load_compute",
    "data": "load_data",
    "job": "load_job",
    "model": "load_model",
    "endpoint": "load_online_endpoint",
    "deployment": "load_online_deployment",
}


def loaded(kind: str, text: str) -> Any:
    from azure.ai import ml

    return getattr(ml, LOADERS[kind])(io.StringIO(text))


def submitted(text: str) -> dict[str, Any]:
    body: dict[str, Any] = loaded("job", text)._to_rest_object().as_dict()
    return body


def test_the_official_job() -> None:
    made = offline.make(PHI3)
    assert not [problem for problem in made.problems if problem.severity == "error"]
    ours, theirs = submitted(made["job"].text)["properties"], copy.deepcopy(OFFICIAL["properties"])
    inputs, official = (body["jobs"]["chat_completion_pipeline"].pop("inputs") for body in (ours, theirs))

    for split in ("train", "test"):
        data = inputs.pop(f"{split}_file_path")
        assert data["job_input_type"] == official.pop(f"{split}_file_path")["job_input_type"]
        assert data["uri"].startswith(f"phi3-{split}:")
    assert inputs == official

    assert set(ours.pop("tags")) >= {"fineforge-project", "fineforge-spec", "fineforge-digest"}
    assert theirs.pop("tags") == {}
    ours["settings"].pop("_source"), theirs["settings"].pop("_source")
    assert theirs["outputs"]["trained_model"].pop("description")
    assert ours == theirs


def test_every_official_input_is_compared() -> None:
    """So that a shortened copy of the body would be noticed."""
    assert len(OFFICIAL["properties"]["jobs"]["chat_completion_pipeline"]["inputs"]) == 23


@pytest.mark.parametrize("kind", LOADERS)
def test_the_sdk_loads_what_every_template_writes(kind: str) -> None:
    assert set(LOADERS) == set(offline.KINDS) - {"publication"}  # the one thing that no `az ml` file describes
    made = offline.make(offline.FULL)
    for want in (entry for entry in made.desired if entry.key.kind == kind):
        entity = loaded(kind, want.text)
        assert entity.name == want.key.name
        assert entity.tags["fineforge-spec"] == "support"
        assert str(getattr(entity, "version", None) or want.key.version) == str(want.key.version)


def test_the_sdk_understands_each_field_of_a_deployment() -> None:
    entity = loaded("deployment", offline.make(offline.FULL)["deployment"].text)
    assert (entity.instance_type, entity.instance_count) == ("Standard_NC24ads_A100_v4", 1)
    assert entity.request_settings.request_timeout_ms == 90000
    assert entity.liveness_probe.initial_delay == 600
    assert entity.environment_variables == {"LOG_LEVEL": "info"}
    assert entity.environment == "serving:3"
    assert (entity.code_configuration.code, entity.code_configuration.scoring_script) == ("azureml:scoring:1", "score.py")
    assert entity.egress_public_network_access == "disabled"


def test_the_sdk_understands_each_field_of_a_cluster() -> None:
    entity = loaded("compute", offline.make(offline.FULL)["compute"].text)
    assert (entity.size, entity.tier) == ("Standard_NC96ads_A100_v4", "dedicated")
    assert (entity.min_instances, entity.max_instances, entity.idle_time_before_scale_down) == (0, 1, 120)
    entity._set_full_subnet_name("sub", "group")
    sent = entity._to_rest_object().as_dict()
    cluster = sent["properties"]["properties"]
    assert cluster["subnet"]["id"].startswith("/subscriptions/00000000-") and cluster["enableNodePublicIp"] is False
    assert sent["identity"]["type"] == "UserAssigned"
    assert [name.rsplit("/", 1)[1] for name in sent["identity"]["userAssignedIdentities"]] == ["i"]


def test_a_job_without_a_cluster_names_instance_types() -> None:
    text = offline.SUPPORT.replace("{name: gpu-a100,", "{serverless: true,")
    made = offline.make(text)
    inputs = submitted(made["job"].text)["properties"]["jobs"]["chat_completion_pipeline"]["inputs"]
    assert not [want for want in made.desired if want.key.kind == "compute"]
    assert inputs["instance_type_finetune"]["value"] == "Standard_NC96ads_A100_v4"
    assert inputs["compute_finetune"]["value"] == "serverless"
