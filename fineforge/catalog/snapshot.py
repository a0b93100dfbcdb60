"""The dated offline snapshot of the catalog: what `validate` knows without a network, and what the emulator's registry serves.

The data files hold facts of Azure/azureml-assets (MIT) and of Microsoft's size pages, with source and commit per entry.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from fineforge.catalog.facts import ComponentFact, ModelFact, SizeFact
from fineforge.catalog.parse import parse_component, parse_model

TASK_COMPONENTS = {
    "chat-completion": "chat_completion_pipeline",
    "text-generation": "text_generation_pipeline",
    "text-classification": "text_classification_pipeline",
    "summarization": "summarization_pipeline",
}
"""Task -> the pipeline of the registry that fine-tunes for it."""

TASK_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "chat-completion": {"save_total_limit": 1},
    "text-generation": {"save_total_limit": 1},
}
"""Task -> where fineforge differs from the component's defaults. These keep every checkpoint, and those of a large model
fill a node's disk, which may have 64 GB whatever the size."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    date: str
    models: Mapping[tuple[str, str], ModelFact]
    """By (name, version)."""
    components: Mapping[tuple[str, str], ComponentFact]
    sizes: Mapping[str, SizeFact]
    """By lower-case name."""


@cache
def load() -> Snapshot:
    """The whole snapshot, parsed."""
    date = _data("models.json")["date"]
    origin = f"snapshot {date}"
    models = (parse_model(body, "azureml", origin) for body in model_bodies())
    unused = [entry["not_used"] for entry in _data("components.json")["components"]]
    components = (parse_component(body, "azureml", origin, skip) for body, skip in zip(component_bodies(), unused, strict=True))
    return Snapshot(
        date=date,
        models={(model.name, model.version): model for model in models},
        components={(component.name, component.version): component for component in components},
        sizes=sizes(),
    )


@cache
def sizes() -> Mapping[str, SizeFact]:
    document = _data("sizes.json")
    return {row["name"].lower(): SizeFact(**row, origin=f"snapshot {document['date']}") for row in document["sizes"]}


def model_bodies(era: str = "B") -> list[dict[str, Any]]:
    """Registry model versions as the REST answer has them. Era A is the metadata before June 2026, B since."""
    document = _data("models.json")
    return [_model_body(entry, entry["eras"][era], document["registry"]) for entry in document["models"]]


def component_bodies() -> list[dict[str, Any]]:
    """Registry component versions as the REST answer has them: every scalar of `componentSpec` is text."""
    document = _data("components.json")
    return [component_body(entry, document["registry"]) for entry in document["components"]]


def near_names(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Names that somebody may have meant, best first; capitals do not count."""
    folded = {entry.lower(): entry for entry in known}
    return [folded[entry] for entry in difflib.get_close_matches(name.lower(), folded, count, cutoff=0.5)]


def offered(task: str, today: str) -> list[ModelFact]:
    """Base models of the snapshot that can be fine-tuned for the task."""
    return [
        model
        for model in load().models.values()
        if task in model.tasks and not model.archived and not (model.finetune_retirement and model.finetune_retirement <= today)
    ]


def still_offered(task: str, today: str) -> str:
    """Their names, for a hint."""
    names = sorted(model.name for model in offered(task, today))
    return f"still offered for {task}: " + (", ".join(f"`{name}`" for name in names) or "none that fineforge knows")


@cache
def _data(name: str) -> Any:
    return json.loads(files("fineforge.catalog").joinpath("data", name).read_text(encoding="utf-8"))


def _model_body(entry: Mapping[str, Any], era: Mapping[str, Any], registry: str) -> dict[str, Any]:
    return {
        "id": f"azureml://registries/{registry}/models/{entry['name']}/versions/{entry['version']}",
        "name": entry["name"],
        "type": "models",
        "properties": {
            "description": entry["name"],
            "tags": dict(era["tags"]),
            "properties": dict(era["properties"]),
            "isArchived": entry["archived"],
            "isAnonymous": False,
            "flavors": {"python_function": {"data": {}}},
            "modelType": "mlflow_model",
            "modelUri": f"azureml://registries/{registry}/models/{entry['name']}/versions/{entry['version']}/mlflow_model_folder",
            "jobName": None,
            "systemMetadata": dict(era["systemMetadata"]),
        },
    }


def component_body(entry: Mapping[str, Any], registry: str) -> dict[str, Any]:
    """What a registry answers for an entry of the data file: `name`, `version`, `display_name`, `inputs`, `outputs`."""
    name, version = entry["name"], entry["version"]
    return {
        "id": f"azureml://registries/{registry}/components/{name}/versions/{version}",
        "name": version,
        "type": "Microsoft.MachineLearningServices/registries/components/versions",
        "properties": {
            "description": None,
            "tags": {},
            "properties": {},
            "isArchived": False,
            "isAnonymous": False,
            "componentSpec": _as_text(
                {
                    "name": name,
                    "version": version,
                    "display_name": entry["display_name"],
                    "type": "pipeline",
                    "is_deterministic": True,
                    "inputs": entry["inputs"],
                    "outputs": entry["outputs"],
                }
            ),
        },
    }


def _as_text(value: Any) -> Any:
    """Booleans and numbers as the registry sends them: recorded in registry_component_version_get."""
    if isinstance(value, Mapping):
        return {key: _as_text(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_as_text(entry) for entry in value]
    return value if value is None or isinstance(value, str) else str(value)
