"""What a registry or a region answers, turned into facts.

Both eras of model metadata are read: lists in tags (until June 2026), and `systemMetadata` (since). One body mixes JSON, Python
literals, comma lists and text booleans; whatever cannot be read becomes a note, never an exception.
Sources: Azure/azureml-assets `publish_utils.stringify_dictionary`, recordings of azure-sdk-for-python.
"""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from fineforge.catalog.facts import ComponentFact, InputFact, ModelFact, SizeFact

EXECUTION_INPUTS = (
    "compute_*",
    "instance_type_*",
    "shm_size_*",
    "dataloader_num_workers",
    "logging_*",
    "task_name",
    "evaluation_config*",
)
"""Inputs that say where and how a job runs, not what comes out: they stay out of the digest. GPUs and nodes are not among them,
for they decide the global batch."""


def parse_model(body: Mapping[str, Any], registry: str, origin: str) -> ModelFact:
    """A registry model version: the new metadata where it has a value, else the old tag; notes on what cannot be read."""
    body = _mapping(body)
    properties = _mapping(body.get("properties"))
    tags, system = _mapping(properties.get("tags")), _mapping(properties.get("systemMetadata"))
    extra = _mapping(properties.get("properties"))
    name, version = _identity(str(body.get("id", "")), "models", body)
    notes: list[str] = []
    computes = _read_mapping(system.get("supportedComputes"), notes, "supportedComputes")
    tasks = _read_mapping(system.get("tasks"), notes, "tasks")
    dates = _read_mapping(system.get("deprecation"), notes, "deprecation")
    lower = {str(key).lower(): value for key, value in tags.items()}
    finetune = computes.get("finetuneComputes", lower.get("finetune_compute_allow_list", lower.get("computes_allow_list")))
    inference = computes.get("inferenceComputes", lower.get("inference_compute_allow_list"))

    def day(key: str) -> str | None:
        return _day(dates.get(key, lower.get(key.lower())), notes, key)

    return ModelFact(
        id=str(body.get("id", "")),
        name=name,
        version=version,
        registry=registry,
        type=str(properties.get("modelType") or "mlflow_model"),
        archived=_true(properties.get("isArchived")),
        tasks=_names(tasks.get("fineTuningTasks", extra.get("finetuning-tasks"))) or (),
        defaults=_read_mapping(tags.get("model_specific_defaults"), notes, "model_specific_defaults"),
        finetune_sizes=_names(finetune),
        inference_sizes=_names(inference),
        finetune_deprecation=day("finetuneDeprecationDate"),
        finetune_retirement=day("finetuneRetirementDate"),
        inference_retirement=day("inferenceRetirementDate"),
        context_length=_count(system.get("textContextWindow", tags.get("textContextWindow"))),
        era="system_metadata" if computes else "tags" if finetune is not None or inference is not None else "none",
        origin=origin,
        twin="fineforge-twin" in extra and _tag_is_set(extra["fineforge-twin"]),
        notes=tuple(notes),
    )


def parse_component(body: Mapping[str, Any], registry: str, origin: str, unused: Collection[str] = ()) -> ComponentFact:
    """A registry component version. Every scalar of `componentSpec` may be text: `"optional": "False"`, `"default": "1"`.

    `unused` are inputs that no step reads; the registry does not say so, the snapshot does.
    """
    body = _mapping(body)
    properties = _mapping(body.get("properties"))
    spec = _mapping(properties.get("componentSpec"))
    name, version = _identity(str(body.get("id", "")), "components", spec)
    inputs = {
        str(key): _input(str(key), _mapping(value), str(key) not in unused) for key, value in _mapping(spec.get("inputs")).items()
    }
    outputs = {str(key): str(_mapping(value).get("type", "")) for key, value in _mapping(spec.get("outputs")).items()}
    kind = str(spec.get("type") or "pipeline").lower()
    return ComponentFact(str(body.get("id", "")), name, version, registry, inputs, outputs, origin, kind)


def parse_sizes(body: Mapping[str, Any], known: Mapping[str, SizeFact]) -> dict[str, SizeFact]:
    """The region's sizes by lower-case name. What the list does not say (GPU model, retirement ...) is taken from `known`."""
    rows = _mapping(body).get("value")
    entries = [_mapping(row) for row in (rows if isinstance(rows, list) else ())]
    named = {str(entry["name"]).lower(): entry for entry in entries if entry.get("name")}
    return {name: _size(entry, known.get(name)) for name, entry in named.items()}


def _size(entry: Mapping[str, Any], known: SizeFact | None) -> SizeFact:
    types = _names(entry.get("supportedComputeTypes")) or ()
    return SizeFact(
        name=known.name if known else str(entry["name"]),
        gpus=_count(entry.get("gpus")) or 0,
        gpu_model=known.gpu_model if known else "",
        gpu_memory_gib=known.gpu_memory_gib if known else 0.0,
        vcpus=_count(entry.get("vCPUs")) or 0,
        memory_gib=_number(entry.get("memoryGB")) or 0.0,
        retired=known.retired if known else None,
        training="AmlCompute" in types if types else bool(known and known.training),
        endpoint="MIR" in types if types else bool(known and known.endpoint),
        skip_reserve=bool(known and known.skip_reserve),
        family=str(entry.get("family") or ""),
        price_hour=known.price_hour if known else {},
        low_priority_price_hour=known.low_priority_price_hour if known else {},
        origin="live",
    )


def typed(value: Any, kind: str) -> Any:
    """A default or a setting in its input's type; a value that does not fit comes back as it is."""
    if value is None:
        return None
    match kind:
        case "boolean":
            return _BOOLEANS.get(str(value).strip().lower(), value)
        case "integer" | "number":
            number = None if isinstance(value, bool) else _number(value)
            if number is None:
                return value
            return int(number) if kind == "integer" and number.is_integer() else number
        case _:
            return str(value).lower() if isinstance(value, bool) else str(value)


_BOOLEANS = {"true": True, "false": False}


def _input(name: str, entry: Mapping[str, Any], used: bool) -> InputFact:
    kind = str(entry.get("type") or "string").lower()
    return InputFact(
        name=name,
        type=kind,
        optional=_true(entry.get("optional")),
        default=typed(entry.get("default"), kind),
        enum=_names(entry.get("enum")) or (),
        minimum=_number(entry.get("min")),
        maximum=_number(entry.get("max")),
        description=str(entry.get("description") or ""),
        affects="execution" if any(fnmatchcase(name, pattern) for pattern in EXECUTION_INPUTS) else "result",
        used=used,
    )


def _identity(asset_id: str, collection: str, fallback: Mapping[str, Any]) -> tuple[str, str]:
    """Name and version; a registry's models and components disagree on what `name` is, the id does not."""
    match = re.search(rf"/{collection}/([^/]+)/versions/([^/]+)", asset_id)
    return (match[1], match[2]) if match else (str(fallback.get("name", "")), str(fallback.get("version", "")))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _read(value: Any) -> Any:
    """JSON, else a Python literal, else the text: one registry body holds all three."""
    if not isinstance(value, str):
        return value
    for reader in (json.loads, _literal):
        try:
            return reader(value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return value


def _literal(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wrong escape within a literal is a SyntaxWarning, and would reach the terminal
        return ast.literal_eval(text)


def _read_mapping(value: Any, notes: list[str], name: str) -> Mapping[str, Any]:
    found = _read(value)
    if isinstance(found, Mapping):
        return {str(key): entry for key, entry in found.items()}
    if found not in (None, ""):
        notes.append(f"`{name}` is not a mapping")
    return {}


def _read_list(value: Any) -> list[Any] | None:
    found = _read(value)
    if isinstance(found, list | tuple | set):
        return list(found)
    if isinstance(found, str) and found.strip():
        return [part.strip() for part in found.split(",") if part.strip()]
    return None


def _names(value: Any) -> tuple[str, ...] | None:
    found = _read_list(value)
    return None if found is None else tuple(str(entry) for entry in found)


def _true(value: Any) -> bool:
    """Text booleans: `"False"` is false."""
    return str(value).strip().lower() in ("true", "1")


def _tag_is_set(value: Any) -> bool:
    """In tags an EMPTY string means that the tag is set."""
    return value == "" or _true(value)


def _number(value: Any) -> float | None:
    if isinstance(value, str) and not value.isascii():  # `float` reads digits of every script
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _count(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _day(value: Any, notes: list[str], name: str) -> str | None:
    """`2025-08-30` and `2025-08-30T00:00:00.000000Z` are the same day."""
    if value in (None, ""):
        return None
    match = re.match(r"\d{4}-\d{2}-\d{2}", str(value))
    if match is None:
        notes.append(f"`{name}` is not a date: {str(value)[:40]}")
    return match.group() if match else None
