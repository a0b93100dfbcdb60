"""Every parameter of a training job: which value wins, where it came from, whether it is valid.

Precedence, lowest first: component default, fineforge's task default, the model's `model_specific_defaults`, the project's
defaults, the spec, `--set`. (The official walkthrough lets the model's defaults win over what the user wrote, silently.)
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fineforge.catalog.facts import ComponentFact, InputFact, ModelFact
from fineforge.catalog.parse import typed
from fineforge.catalog.snapshot import TASK_DEFAULTS
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic, Severity, did_you_mean
from fineforge.core.facts import Facts
from fineforge.core.objects import SpecPath

COMPUTE_INPUTS = ("compute_model_import", "compute_preprocess", "compute_finetune", "compute_model_evaluation")
SERVERLESS_INPUTS = tuple(name.replace("compute", "instance_type", 1) for name in COMPUTE_INPUTS)
DERIVED = frozenset({*COMPUTE_INPUTS, *SERVERLESS_INPUTS, "num_nodes_finetune"})
"""Inputs that `compute` and `job.nodes` decide; `training` cannot set them."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """The effective value of one component input that is not an asset."""

    name: str
    value: Any
    origin: str
    """`component default`, `task default`, `model default`, `compute`, `project`, `spec` or `--set`."""
    input: InputFact
    overridden: tuple[tuple[str, Any], ...] = ()
    """Lower layers that had another opinion: (origin, value), lowest first."""

    @property
    def wire(self) -> str:
        """The text that the component receives: `true`, `16`, `5e-06`."""
        return _text(self.value)


Layer = tuple[str, Mapping[str, Any]]

_USERS = ("project", "spec", "--set")
"""Layers that people write; the others come from metadata."""


def resolve(
    spec: Spec, facts: Facts, project_defaults: Mapping[str, Any] | None = None, overrides: Mapping[str, Any] | None = None
) -> tuple[dict[str, Parameter], tuple[Diagnostic, ...]]:
    """Effective parameters by name, in the component's order, and every problem with them at once (FF13x). None of either where
    no component is known."""
    component, model = facts.component, facts.model
    if component is None:
        return {}, ()
    found: list[Diagnostic] = []
    layers: list[Layer] = [
        ("task default", {name: value for name, value in TASK_DEFAULTS.get(spec.task, {}).items() if name in component.inputs}),
        ("model default", dict(model.defaults) if model else {}),
        ("compute", _from_compute(component, spec, facts)),
        ("project", project_defaults or {}),
        ("spec", spec.parameters),
        ("--set", overrides or {}),
    ]
    bounds = _bounds(model, component)
    said: dict[str, list[tuple[str, Any]]] = {}
    for origin, values in layers:
        for name, value in values.items():
            said.setdefault(name, []).append((origin, value))
    parameters = {}
    assets = spec.component.assets
    bound = {getattr(assets, port) for port in type(assets).model_fields}
    for name, fact in component.inputs.items():
        if fact.is_asset or name in bound:
            continue
        if name not in said and fact.default is not None:  # most inputs of most specs
            parameters[name] = Parameter(name, fact.default, "component default", fact)
            continue
        parameter = _choose(name, fact, said.get(name, ()), spec, bounds, found)
        if parameter is not None:
            parameters[name] = parameter
    for origin, values in layers:
        if origin in _USERS:
            found += [_unknown(name, origin, component, spec) for name in values if _unsettable(name, component)]
            found += [_unused(name, origin, component, spec) for name in values if _is_unused(name, component)]
    return parameters, tuple(found)


def effective(parameters: Mapping[str, Parameter]) -> dict[str, str]:
    """What the job's digest sees: the text of every input that affects the result, defaults filled in."""
    return {name: parameter.wire for name, parameter in parameters.items() if parameter.input.affects == "result"}


def explicit(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """What a job names: every parameter that is not just the component's own default."""
    return {name: parameter for name, parameter in parameters.items() if parameter.origin != "component default"}


def _from_compute(component: ComponentFact, spec: Spec, facts: Facts) -> dict[str, Any]:
    compute = spec.compute
    if compute is None:
        return {}
    size = facts.size(compute.size)
    where: dict[str, Any] = dict.fromkeys(COMPUTE_INPUTS, compute.name or "serverless")
    if compute.serverless:
        smaller = compute.step_sizes.model_dump(exclude_none=True) if compute.step_sizes else {}
        where |= {name: smaller.get(name.removeprefix("instance_type_"), compute.size) for name in SERVERLESS_INPUTS}
    if size is not None and size.gpus:
        where["number_of_gpu_to_use_finetuning"] = size.gpus
    if spec.job.nodes > 1:
        where["num_nodes_finetune"] = spec.job.nodes
    return {name: value for name, value in where.items() if name in component.inputs}


def _choose(
    name: str,
    fact: InputFact,
    said: Sequence[tuple[str, Any]],
    spec: Spec,
    bounds: Mapping[str, float],
    found: list[Diagnostic],
) -> Parameter | None:
    """The highest of what the layers say, (origin, value), lowest first; what is wrong with any of it goes into `found`."""
    opinions: list[tuple[str, Any]] = [] if fact.default is None else [("component default", fact.default)]
    refused = False
    for origin, given in said:
        if name in DERIVED and origin in _USERS:
            continue
        value = _fit(given, fact)
        problem = _problem(name, value, fact, bounds)
        if problem is None:
            opinions.append((origin, value))
        else:
            refused = True
            found.append(_refusal(name, origin, given, problem, fact, spec))
    if not opinions:
        if not fact.optional and not refused:
            hint = f"the component wants it: {fact.description.lower()}" if fact.description else ""
            found.append(Diagnostic("FF133", f"`training.{name}` is missing", path=("training",), hint=hint))
        return None
    origin, value = opinions[-1]
    lower = tuple((where, other) for where, other in opinions[:-1] if where != "component default" and other != value)
    found += _overriding(name, origin, value, lower, spec)
    return Parameter(name, value, origin, fact, lower)


def _overriding(name: str, origin: str, value: Any, lower: tuple[tuple[str, Any], ...], spec: Spec) -> list[Diagnostic]:
    """FF136 where somebody overrides what the model's publisher recommends."""
    recommended = next((other for where, other in lower if where == "model default"), None)
    if origin not in _USERS or recommended is None:
        return []
    message = f"`{name}: {_short(value)}`{_WHERE[origin]} overrides the model's own default, `{_text(recommended)}`"
    return [Diagnostic("FF136", message, Severity.NOTE, _place(spec, name, origin))]


_WHERE = {"project": " (`defaults` of the project file)", "spec": "", "--set": " (--set)"}
"""What a message adds where the spec itself is not at fault, and no line can be shown."""


def _place(spec: Spec, name: str, origin: str) -> SpecPath:
    """Only what the spec says has a place in it; the others are named in the message."""
    return spec_path(spec, name) if origin == "spec" else ()


def spec_path(spec: Spec, name: str) -> SpecPath:
    """Where the spec sets a parameter."""
    return ("optimization", name) if name in spec.optimization else ("training", name) if name in spec.training else ("training",)


def _fit(value: Any, fact: InputFact) -> Any:
    """A value in the form that the component takes: words whatever their capitals, numbers from text."""
    if fact.enum:
        text = typed(value, "string")
        return next((option for option in fact.enum if option.lower() == text.lower()), text)
    return typed(value, fact.type)


def _problem(name: str, value: Any, fact: InputFact, bounds: Mapping[str, float]) -> str | None:
    """What is wrong with a value, in words that follow `name: value`; None when nothing is."""
    if fact.enum:
        return None if value in fact.enum else "is not one of " + ", ".join(f"`{option}`" for option in fact.enum)
    if fact.type == "boolean":
        return None if isinstance(value, bool) else "must be true or false"
    if fact.type == "integer" and (isinstance(value, bool) or not isinstance(value, int)):
        return "must be a whole number"
    if fact.type == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
        return "must be a number"
    if fact.type not in ("integer", "number"):
        return None
    limits = (
        (fact.minimum, fact.maximum, ""),
        (bounds.get(f"{name}_min"), bounds.get(f"{name}_max"), ", says the model's metadata"),
    )
    for low, high, source in limits:
        if low is not None and value < low:
            return f"must be {low:g} or more{source}"
        if high is not None and value > high:
            return f"must be {high:g} or less{source}"
    return None


def _refusal(name: str, origin: str, given: Any, problem: str, fact: InputFact, spec: Spec) -> Diagnostic:
    shown = f"`{name}: {_short(given)}`"
    if origin not in _USERS:
        message = f"{shown}, the {origin}, {problem}"
        hint = "the next lower default is used; set it in the spec to be sure"
        return Diagnostic("FF135", message, Severity.WARNING, ("model",), hint=hint)
    hint = did_you_mean(_text(given).lower(), fact.enum)
    return Diagnostic("FF132", f"{shown}{_WHERE[origin]} {problem}", path=_place(spec, name, origin), hint=hint)


def _unsettable(name: str, component: ComponentFact) -> bool:
    fact = component.inputs.get(name)
    return fact is None or name in DERIVED or fact.is_asset


def _unknown(name: str, origin: str, component: ComponentFact, spec: Spec) -> Diagnostic:
    path, where = _place(spec, name, origin), _WHERE[origin]
    if name in DERIVED:
        message = f"`{name}`{where} is decided by `compute` and `job.nodes`"
        return Diagnostic("FF134", message, path=path, hint="delete it here")
    if name in component.inputs:
        message = f"`{name}`{where} is an asset, not a parameter"
        return Diagnostic("FF134", message, path=path, hint="`model` and `dataset` decide it")
    known = [key for key, fact in component.inputs.items() if not fact.is_asset and key not in DERIVED]
    near = difflib.get_close_matches(name.lower(), known, 2, cutoff=0.6)
    listed = " or ".join(f"`{entry}`" for entry in near)
    hint = f"did you mean {listed}?" if near else f"`fineforge explain {component.name}` lists them"
    return Diagnostic("FF131", f"`{component.name}` {component.version} has no input `{name}`{where}", path=path, hint=hint)


def _is_unused(name: str, component: ComponentFact) -> bool:
    return not _unsettable(name, component) and not component.inputs[name].used


def _unused(name: str, origin: str, component: ComponentFact, spec: Spec) -> Diagnostic:
    message = f"`{name}` has no effect: no step of `{component.name}` {component.version} reads it"
    return Diagnostic("FF137", message, Severity.WARNING, _place(spec, name, origin), hint="delete it")


def _bounds(model: ModelFact | None, component: ComponentFact) -> dict[str, float]:
    """Metadata keys that are no inputs but bounds of one: `learning_rate_min`, `learning_rate_max`."""
    found = {}
    for key, value in (model.defaults if model else {}).items():
        number = typed(value, "number")
        if key.endswith(("_min", "_max")) and key[:-4] in component.inputs and isinstance(number, int | float):
            found[key] = float(number)
    return found


def _short(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
