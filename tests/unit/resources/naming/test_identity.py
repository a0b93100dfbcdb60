"""Names that must never change: a changed name is a new data upload, a new training run, a new deployment.

Golden constants on purpose. Whoever has to change one raises `ownership.DIGEST_FORMAT` and says so in the changelog.
"""

from __future__ import annotations

import re

import pytest

from fineforge.config.spec.names import ENDPOINT_NAME
from fineforge.core.facts import DatasetFact
from fineforge.resources import naming
from tests.support import offline

S = offline.SUPPORT
GOLDEN = {
    "compute": "compute/gpu-a100",
    "data-train": "data/support-train:5fe06bf9f1b6",
    "data-validation": "data/support-validation:9746b17db60b",
    "job": "job/support-ff64b9e1a085",
    "model": "model/support:267799455",
    "endpoint": "endpoint/support-cc842",
    "deployment": "deployment/support-cc842/d-b70899b74be3",
}


def keys(text: str, **more: object) -> dict[str, str]:
    made = offline.make(text, **more)  # type: ignore[arg-type]
    return {
        f"{want.key.kind}{'' if want.key.kind != 'data' else '-' + want.key.name.rsplit('-', 1)[1]}": str(want.key)
        for want in made.desired
    }


BASE = keys(S)


def test_golden_names() -> None:
    assert BASE == GOLDEN


def test_golden_digests() -> None:
    assert {want.key.kind: want.digest[:16] for want in offline.make(S).desired if want.key.kind != "data"} == {
        "compute": "0267911d62a6cd1d",
        "job": "ff64b9e1a0858e08",
        "model": "ff64b9e1a0858e08",
        "endpoint": "3b8a18a6d36b5e01",
        "deployment": "b70899b74be3906f",
    }


CHANGES: list[tuple[str, str, str, set[str]]] = [
    ("learning rate", "learning_rate: 5.0e-6", "learning_rate: 2.0e-6", {"job", "model", "deployment"}),
    ("rank", "apply_lora: true", "apply_lora: true, lora_r: 64", {"job", "model", "deployment"}),
    ("nodes", "register:", "job: {nodes: 2}\nregister:", {"job", "model", "deployment"}),
    ("rows", "rows: 20", "rows: 30", {"data-validation", "job", "model", "deployment"}),
    ("serving size", "size: Standard_NC24ads_A100_v4", "size: Standard_NC48ads_A100_v4", {"deployment"}),
    ("instances", "deployment:\n", "deployment:\n  instances: 3\n", set()),
    ("probe", "initial_delay: 600", "initial_delay: 300", set()),
    ("variables", "LOG_LEVEL: info", "LOG_LEVEL: debug", set()),
    ("tags", "team: helpdesk", "team: it", set()),
    ("display name", "register:", "job: {display_name: other}\nregister:", set()),
    ("gates", "register:", "gates: {metrics: [{name: eval_loss, max: 1}]}\nregister:", set()),
    ("logging", "learning_rate: 5.0e-6", "learning_rate: 5.0e-6, logging_steps: 50", set()),
    ("spelling", "learning_rate: 5.0e-6", "learning_rate: 0.000005", set()),
    ("what the default is", "num_train_epochs: 1, ", "", set()),
    ("cluster's name", "name: gpu-a100", "name: gpu-other", {"compute"}),
    ("cluster's limits", "gpu-a100, ", "gpu-a100, max_nodes: 2, idle_seconds: 300, ", set()),
    ("GPUs", "Standard_NC96ads_A100_v4", "Standard_NC48ads_A100_v4", {"job", "model", "deployment"}),
    ("registered name", "register: {name: support}", "register: {name: desk}", {"model", "deployment"}),
    ("endpoint's name", "endpoint: {}", "endpoint: {name: desk-eu}", {"endpoint", "deployment"}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "old", "new", "changed"), CHANGES, ids=[entry[0] for entry in CHANGES])
def test_what_a_change_renames(what: str, old: str, new: str, changed: set[str]) -> None:
    assert old in S
    now = keys(S.replace(old, new))
    assert {name for name in BASE if now.get(name) != BASE[name]} == changed


def test_one_changed_byte_of_the_data_is_another_version() -> None:
    spec = offline.read(S)
    facts = offline.invented(spec)
    facts["train"] = DatasetFact("train", "data/support", "f" * 64, facts["train"].selection)
    now = keys(S, datasets=facts)
    assert {name for name in BASE if now[name] != BASE[name]} == {"data-train", "job", "model", "deployment"}


def test_moving_the_file_is_no_change() -> None:
    assert keys(S.replace("data/support", "elsewhere/corpus")) == BASE


def test_a_retry_has_a_name_of_its_own_and_the_same_model() -> None:
    now = keys(S, attempt=2)
    assert now["job"] == BASE["job"] + "-r2"
    assert {name for name in BASE if now[name] != BASE[name]} == {"job"}
    assert "/jobs/support-ff64b9e1a085-r2/outputs/" in offline.make(S, attempt=2)["model"].document["path"]


@pytest.mark.parametrize(
    "name", ["abc", "a" * 31, "a" + "-" * 24 + "bcdefg", "a-b", "a--b", "abcdefghijklmnopqrstuvwxy-z", "a1-b2-"[:5]]
)
def test_the_default_endpoint_name_is_allowed(name: str) -> None:
    made = naming.default_endpoint_name(name, offline.WORKSPACE)
    assert re.fullmatch(ENDPOINT_NAME, made) and 3 <= len(made) <= 32
    assert made == naming.default_endpoint_name(name, offline.WORKSPACE.upper())


def test_two_workspaces_have_two_endpoint_names() -> None:
    assert naming.default_endpoint_name("support", "/a") != naming.default_endpoint_name("support", "/b")


@pytest.mark.parametrize("digest", ["0" * 64, "f" * 64, "0000001" + "0" * 57])
def test_a_model_version_is_a_positive_integer(digest: str) -> None:
    assert 1 <= int(naming.model_version(digest)) <= 2**28


def test_a_registered_model_is_deployed_without_training() -> None:
    text = """\
version: 1
name: support
model: {registered: "azureml:desk:7"}
endpoint: {}
deployment: {size: Standard_NC24ads_A100_v4}
"""
    made = offline.make(text)
    assert [want.key.kind for want in made.desired] == ["model", "endpoint", "deployment"]
    assert made["model"].existing
    assert made["deployment"].document["model"] == "azureml:desk:7"
