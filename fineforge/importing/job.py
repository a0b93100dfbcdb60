"""What a fine-tuning job would be in a spec: its component, model, data assets, compute, and every parameter that would be
another one if the spec did not name it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fineforge.catalog.parse import typed
from fineforge.catalog.snapshot import TASK_COMPONENTS
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic, FineforgeError, errors
from fineforge.core.facts import Facts
from fineforge.core.gateway import Reader
from fineforge.core.objects import Observed, Raw, ResourceKey
from fineforge.engine import facts as live_facts
from fineforge.importing.writing import Draft, read, spec_name, user_tags
from fineforge.planner import checks
from fineforge.resources import parameters as params
from fineforge.resources.bindings import SPLITS
from fineforge.resources.fields import FORMS

_COMPONENT = re.compile(r"azureml://registries/([^/]+)/components/([^/]+)/versions/([^/]+)\Z")
_MODEL = re.compile(r"azureml://registries/([^/]+)/models/([^/]+)/versions/([^/]+)\Z")
_PARENT = re.compile(r"\$\{\{\s*parent\.inputs\.(\w+)\s*\}\}\Z")
_SHOULD_FIT = re.compile(r"^apply_|lora|deepspeed|^ort|offload|gradient_checkpointing|quantiz|precision")
"""Parameters that make a training fit, rather than say what is learned: they go into `optimization`."""


def draft(key: ResourceKey, gateway: Reader, today: str, called: str | None) -> Draft:
    """The job as a spec. FF423 where it is none that a spec could make."""
    raw, have = read(gateway, key)
    step = _step(key, raw)
    registry, component, version = _matched(_COMPONENT, str(step.get("componentId")))
    inputs = _inputs(step, raw)
    made = Draft({"version": 1, "name": spec_name(called or (have.owner.spec if have.owner else key.name))})
    _name_component(made, registry, component, version)
    _model(made, key, inputs)
    _data(made, inputs)
    _compute(made, gateway, inputs, raw)
    _job(made, raw, have, inputs)
    made.note("register", "The name of the trained model.")
    made.data["register"] = {"name": made.data["name"]}
    if tags := user_tags(have):
        made.data["tags"] = tags
    _finish(made, gateway, inputs, today)
    if have.owner is not None:
        made.head.append(f"It was created by the spec `{have.owner.spec}` of the project `{have.owner.project}`.")
    made.head.append(f"The job is `{have.word}`. It is not taken over: the next apply trains again from the same inputs.")
    return made


def _step(key: ResourceKey, raw: Raw) -> Mapping[str, Any]:
    """The one step of the pipeline that a spec could stand for."""
    properties = raw.get("properties") or {}
    if str(properties.get("jobType")).lower() != "pipeline":
        raise _not_a_spec(key, f"is a job of type `{properties.get('jobType')}`, not a pipeline of a registry component")
    nodes = (properties.get("jobs") or {}).values() or [properties]  # a job may be a component itself, without steps
    steps = [step for step in nodes if _COMPONENT.match(str(step.get("componentId")))]
    tuning = [step for step in steps if _matched(_COMPONENT, str(step["componentId"]))[1] in TASK_COMPONENTS.values()]
    chosen = tuning or steps
    if len(chosen) != 1:
        raise _not_a_spec(key, f"has {len(chosen)} steps from registry components, but a spec describes one")
    found: Mapping[str, Any] = chosen[0]
    return found


def _not_a_spec(key: ResourceKey, words: str) -> FineforgeError:
    hint = "only fine-tuning pipelines of a registry can be imported"
    return FineforgeError(Diagnostic("FF423", f"`{key}` {words}", hint=hint))


def _matched(pattern: re.Pattern[str], text: str) -> tuple[str, str, str]:
    found = pattern.match(text)
    assert found is not None
    return found[1], found[2], found[3]


def _inputs(step: Mapping[str, Any], raw: Raw) -> dict[str, Mapping[str, Any]]:
    """The step's inputs; those that the pipeline passes on, as the pipeline has them."""
    given = (raw.get("properties") or {}).get("inputs") or {}
    found = {}
    for name, entry in (step.get("inputs") or {}).items():
        parent = _PARENT.match(str(entry.get("value") or entry.get("uri") or ""))
        found[str(name)] = given.get(parent[1]) or {} if parent else entry
    return found


def _value(entry: Mapping[str, Any]) -> str | None:
    value = entry.get("uri") or entry.get("value")
    return None if value is None else str(value)


def _is_literal(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("job_input_type") or entry.get("jobInputType") or "").lower() == "literal"


def _name_component(made: Draft, registry: str, component: str, version: str) -> None:
    task = next((task for task, name in TASK_COMPONENTS.items() if name == component), None)
    made.data["task"] = task or "chat-completion"
    block = {} if task else {"name": component}
    block |= {"registry": registry} if registry != "azureml" else {}
    made.data["component"] = {**block, "version": version}


def _model(made: Draft, key: ResourceKey, inputs: Mapping[str, Mapping[str, Any]]) -> None:
    found = [(name, _MODEL.match(_value(entry) or "")) for name, entry in inputs.items()]
    models = [(name, match) for name, match in found if match is not None]
    if len(models) != 1:
        raise _not_a_spec(key, "does not start from one model of a registry")
    name, match = models[0]
    registry = {"registry": match[1]} if match[1] != "azureml" else {}
    made.data["model"] = {"name": match[2], **registry, "version": match[3]}
    if name not in ("mlflow_model_path", "pytorch_model_path"):
        made.data["component"]["assets"] = {"model": name}


def _data(made: Draft, inputs: Mapping[str, Mapping[str, Any]]) -> None:
    splits: dict[str, Any] = {}
    for name, entry in inputs.items():
        split = next((split for split, words in SPLITS.items() if re.search(words, name, re.IGNORECASE)), None)
        if _is_literal(entry) or split is None or split in splits or _MODEL.match(_value(entry) or ""):
            continue
        splits[split] = {"source": _asset(made, split, _value(entry) or "")}
        if name != f"{split}_file_path":
            made.data["component"].setdefault("assets", {})[split] = name
    if "train" not in splits:
        splits["train"] = {"source": _asset(made, "train", "")}
    made.data["dataset"] = {"splits": {split: splits[split] for split in SPLITS if split in splits}}


def _asset(made: Draft, split: str, uri: str) -> str:
    """A data asset of the workspace; files that are none become one that somebody has to make."""
    named = FORMS["asset"].read(uri if uri.startswith(("azureml:", "/")) or ":" not in uri else f"azureml:{uri}")
    if re.match(r"azureml:[^:/]+:[^:/]+\Z", str(named)):
        return str(named)
    asset = f"{made.data['name']}-{split}"
    if uri:
        made.note("dataset", f"The job read `{split}` from a path that is not a data asset. This command creates one:")
        made.note("dataset", f"  az ml data create --name {asset} --version 1 --type uri_file --path {uri}")
    else:
        made.note("dataset", f"The job does not record the source of `{split}`.")
    return f"azureml:{asset}:1"


def _compute(made: Draft, gateway: Reader, inputs: Mapping[str, Mapping[str, Any]], raw: Raw) -> None:
    """Where it ran: a cluster that somebody else looks after, or serverless."""
    places = {name: _value(inputs[name]) for name in params.COMPUTE_INPUTS if name in inputs}
    default = str(((raw.get("properties") or {}).get("settings") or {}).get("default_compute") or "")
    main = places.get("compute_finetune") or next((place for place in places.values() if place), None) or default
    name = main.rstrip("/").split("/")[-1].removeprefix("azureml:")
    if others := {place: where for place, where in places.items() if where and where != main}:
        listed = ", ".join(f"`{place}` on `{where}`" for place, where in others.items())
        made.note("compute", f"A spec runs all steps on one cluster; in this job, other steps ran elsewhere: {listed}.")
    if not name or name == "serverless":
        made.data["compute"] = _serverless(made, inputs)
        return
    cluster = gateway.get(ResourceKey("compute", name))
    size = None if cluster is None else ((cluster.get("properties") or {}).get("properties") or {}).get("vmSize")
    if cluster is None:
        made.note("compute", f"The cluster `{name}` no longer exists: choose another one, or let the spec create one.")
    made.data["compute"] = {"name": name, **({"size": str(size)} if size else {}), "existing": True}


def _serverless(made: Draft, inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    sizes = {name: _value(inputs[name]) for name in params.SERVERLESS_INPUTS if name in inputs}
    size = sizes.get("instance_type_finetune") or next((size for size in sizes.values() if size), None)
    if size is None:
        made.note("compute", "The job does not record its VM size; choose one.")
        size = "Standard_NC24ads_A100_v4"
    steps = {name.removeprefix("instance_type_"): other for name, other in sizes.items() if other and other != size}
    steps.pop("finetune", None)
    return {"serverless": True, "size": size, **({"step_sizes": steps} if steps else {})}


def _job(made: Draft, raw: Raw, have: Observed, inputs: Mapping[str, Mapping[str, Any]]) -> None:
    properties = raw.get("properties") or {}
    nodes = typed(_value(inputs.get("num_nodes_finetune") or {}), "integer")
    block = {"display_name": properties.get("displayName"), "experiment": properties.get("experimentName")}
    found: dict[str, Any] = {name: str(value) for name, value in block.items() if value}
    if isinstance(nodes, int) and nodes > 1:
        found["nodes"] = nodes
    if found:
        made.data["job"] = found


def _finish(made: Draft, gateway: Reader, inputs: Mapping[str, Mapping[str, Any]], today: str) -> None:
    """What needs facts: parameters, spellings of sizes, and what must be allowed for the spec to be valid."""
    spec = made.parsed()
    facts = live_facts.read_facts(gateway, spec, today, {})
    size = facts.size(made.data["compute"].get("size"))
    if size is not None:
        made.data["compute"]["size"] = size.name
    _parameters(made, spec, facts, inputs)
    for block, key, words in (
        (
            "model",
            "allow_retired",
            "Fine-tuning of this model is retired: training again needs this key, and the service may still reject the job.",
        ),
        ("lifecycle", "allow_unlisted", "The model's metadata does not list this VM size."),
    ):
        trial = replace(made, data={**made.data, block: {**made.data.get(block, {}), key: True}})
        if len(_wrong(trial, facts)) < len(_wrong(made, facts)):
            made.data = trial.data
            made.note(block, words)
    for found in dict.fromkeys(_wrong(made, facts)):
        made.head.append(f"To be fixed: {found.message}.")


def _parameters(made: Draft, spec: Spec, facts: Facts, inputs: Mapping[str, Mapping[str, Any]]) -> None:
    """Every parameter whose value in the job is another one than it would be in a spec that does not name it."""
    component = facts.component
    if component is None:
        return
    otherwise, _ = params.resolve(spec, facts)
    bound = {name for name in spec.component.assets.model_dump().values() if name}
    for name, fact in component.inputs.items():
        if fact.is_asset or name in params.DERIVED or name in bound or name == "task_name":
            continue
        given = _value(inputs[name]) if name in inputs and _is_literal(inputs[name]) else None
        value = fact.default if given is None else typed(given, fact.type)
        usual = otherwise[name].value if name in otherwise else None
        if value is None and usual is not None:
            made.note("training", f"The job has no `{name}`, and a spec would use `{usual}`.")
        elif value is not None and str(value).lower() != str(usual).lower():
            block = "optimization" if _SHOULD_FIT.search(name) else "training"
            made.data.setdefault(block, {})[name] = _as_written(value) if fact.enum else value
    for name in inputs:
        if name not in component.inputs:
            made.head.append(f"The job sets `{name}`, which is not an input of the component.")


def _as_written(value: Any) -> Any:
    """Enumerated inputs are text to the component, and to people what they look like."""
    text = str(value)
    return {"true": True, "false": False}.get(text.lower(), int(text) if re.fullmatch(r"[1-9]\d{0,8}|0", text) else value)


def _wrong(made: Draft, facts: Facts) -> tuple[Diagnostic, ...]:
    spec = made.parsed()
    parameters, problems = params.resolve(spec, facts)
    return errors([*problems, *checks.check(spec, facts, parameters, "")])
