"""Which input of a component takes what: the catalog's pipelines, and components that nobody has seen before."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml

from fineforge.catalog import snapshot
from fineforge.catalog.facts import ComponentFact
from fineforge.catalog.parse import parse_component
from fineforge.config import source, spec
from fineforge.core.facts import DatasetFact
from fineforge.resources.bindings import bind
from tests.support import offline

pytestmark = pytest.mark.filterwarnings("ignore")
"""The SDK warns about its own dependencies when it is imported."""

CATALOG = snapshot.load()

SPEC = """\
version: 1
name: support
component: {id: azureml://registries/labs/components/distil/versions/2}
model: {name: Phi-4, version: "8"}
dataset: {source: data, splits: {train: {}, validation: {}}}
compute: {name: gpu-a100, size: Standard_NC96ads_A100_v4}
register: {name: support}
"""

INPUTS: dict[str, Any] = {
    "base": {"type": "mlflow_model", "optional": "False"},
    "training_rows": {"type": "uri_file"},
    "dev_rows": {"type": "uri_file", "optional": "True"},
    "temperature": {"type": "number", "default": "2.0", "min": "0"},
}


def component(
    inputs: dict[str, Any] | None = None, outputs: dict[str, Any] | None = None, kind: str = "pipeline"
) -> ComponentFact:
    told = {
        "name": "distil",
        "version": "2",
        "type": kind,
        "inputs": INPUTS if inputs is None else inputs,
        "outputs": {"student": {"type": "mlflow_model"}} if outputs is None else outputs,
    }
    body = {"id": "azureml://registries/labs/components/distil/versions/2", "properties": {"componentSpec": told}}
    return parse_component(body, "labs", "live")


def read(changes: dict[str, Any] | None = None) -> spec.Spec:
    data = {**yaml.safe_load(SPEC), **(changes or {})}
    return spec.parse(source.load(yaml.safe_dump(data).encode(), "s.yaml"))


def test_a_component_that_nobody_knows_tells_by_types_and_names() -> None:
    bound, found = bind(read(), component(), "mlflow_model", {})
    assert found == ()
    assert (bound.model, dict(bound.splits), bound.trained_model) == (
        "base",
        {"train": "training_rows", "validation": "dev_rows"},
        "student",
    )


@pytest.mark.parametrize("name", sorted({name for name, _ in CATALOG.components}))
def test_every_component_of_the_catalog_needs_no_word(name: str) -> None:
    fact = next(fact for (known, _), fact in CATALOG.components.items() if known == name)
    bound, found = bind(read(), fact, "mlflow_model", {})
    assert found == ()
    assert bound.inputs == {"mlflow_model_path", "train_file_path", "validation_file_path"}
    assert bound.trained_model == "mlflow_model_folder"


ASSETS = {"id": "azureml://registries/labs/components/distil/versions/2"}


@pytest.mark.parametrize(
    ("inputs", "outputs", "assets", "said"),
    [
        ({}, None, {}, ["no input for the base model", "no input for the `train` split", "no input for the `validation` split"]),
        ({**INPUTS, "teacher": {"type": "mlflow_model", "optional": "true"}}, None, {}, ["several inputs for the base model"]),
        ({**INPUTS, "teacher": {"type": "mlflow_model", "optional": "true"}}, None, {"model": "teacher"}, ["needs `base`"]),
        (None, None, {"train": "rows"}, ["has no input `rows`"]),
        (None, {}, {}, ["no output for the trained model"]),
        (None, None, {"trained_model": "teacher"}, ["has no output `teacher`"]),
        ({**INPUTS, "vocabulary": {"type": "uri_file"}}, None, {}, ["needs `vocabulary` (uri_file)"]),
        ({**INPUTS, "training_rows": {"type": "mltable"}}, None, {}, ["takes mltable"]),
    ],
)
def test_what_cannot_be_told_is_said(inputs: Any, outputs: Any, assets: dict[str, str], said: list[str]) -> None:
    _, found = bind(read({"component": {**ASSETS, "assets": assets}}), component(inputs, outputs), "mlflow_model", {})
    assert len(found) == len(said)
    assert all(words in diagnostic.message for words, diagnostic in zip(said, found, strict=True)), found
    assert {diagnostic.code for diagnostic in found} <= {"FF149", "FF145"}
    assert all(diagnostic.hint for diagnostic in found)


def test_a_data_asset_may_be_of_the_type_that_is_wanted() -> None:
    tables = component({**INPUTS, "training_rows": {"type": "mltable"}})
    asset = DatasetFact("train", "azureml:rows:1", "", {}, asset="azureml:rows:1")
    assert bind(read(), tables, "mlflow_model", {"train": asset})[1] == ()


def test_another_binding_is_another_job() -> None:
    def name(component: dict[str, Any]) -> str:
        text = yaml.safe_dump({**yaml.safe_load(offline.SUPPORT), "component": {"version": "0.0.82", **component}})
        return offline.make(text)["job"].key.name

    assert name({}) == name({"assets": {}})
    assert name({"assets": {"train": "validation_file_path", "validation": "train_file_path"}}) != name({})


@pytest.mark.parametrize("kind", ["pipeline", "command"])
@pytest.mark.parametrize(
    "where", [{"name": "gpu", "size": "Standard_NC24ads_A100_v4"}, {"serverless": True, "size": "Standard_NC24ads_A100_v4"}]
)
def test_the_sdk_loads_a_job_of_such_a_component(kind: str, where: dict[str, Any]) -> None:
    """It has no inputs that say where it runs, so the job does."""
    from azure.ai import ml

    fact = component(kind=kind, inputs={**INPUTS, "base": {"type": "string"}})
    known = {**CATALOG.components, ("distil", "2"): fact}
    catalog = snapshot.Snapshot(CATALOG.date, CATALOG.models, known, CATALOG.sizes)
    data = {**yaml.safe_load(SPEC), "compute": where, "job": {"nodes": 1}}
    data["component"] = {**data["component"], "assets": {"model": "base"}}
    made = offline.make(yaml.safe_dump(data), catalog=catalog)
    assert not [problem for problem in made.problems if problem.severity == "error"]
    sent = ml.load_job(io.StringIO(made["job"].text))._to_rest_object().as_dict()["properties"]
    node = sent["jobs"]["distil"]
    assert node["type"] == kind
    assert node["inputs"]["base"] == {
        "job_input_type": "literal",
        "value": "azureml://registries/azureml/models/Phi-4/versions/8",
    }
    assert set(node["inputs"]) == {"base", "training_rows", "dev_rows"}
    assert (
        "gpu" in sent["settings"]["default_compute"] if "name" in where else sent["settings"]["default_compute"] == "serverless"
    )
    assert made["model"].document["type"] == "mlflow_model"
