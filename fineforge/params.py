"""Every parameter of a training job: which value wins, where it came from, whether it is valid.

Precedence, lowest first: component default, fineforge's task default, the model's `model_specific_defaults`, the project's
defaults, the spec, `--set`. (The official walkthrough lets the model's defaults win over what the user wrote, silently.)
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fineforge.catalog.facts import ComponentFact, InputFact, ModelFact, SizeFact
from fineforge.catalog.parse import typed
from fineforge.core import SpecPath
from fineforge.diagnostics import Diagnostic, Severity
from fineforge.spec import Spec

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
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)


Layer = tuple[str, Mapping[str, Any]]


def resolve(
    component: ComponentFact,
    model: ModelFact | None,
    spec: Spec,
    size: SizeFact | None,
    project_defaults: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> tuple[dict[str, Parameter], tuple[Diagnostic, ...]]:
    """Effective parameters by name, in the component's order, and every problem with them at once (FF13x)."""
    found: list[Diagnostic] = []
    layers: list[Layer] = [
        ("model default", dict(model.defaults) if model else {}),
        ("compute", _from_compute(component, spec, size)),
        ("project", project_defaults),
        ("spec", spec.parameters),
        ("--set", overrides),
    ]
    bounds = _bounds(model, component)
    parameters = {}
    for name, fact in component.inputs.items():
        if _is_asset(fact):
            continue
        parameter = _choose(name, fact, layers, spec, bounds, found)
        if parameter is not None:
            parameters[name] = parameter
    for origin, values in layers[2:]:
        found += [_unknown(name, origin, component, spec) for name in values if _unsettable(name, component)]
    return parameters, tuple(found)


def effective(parameters: Mapping[str, Parameter]) -> dict[str, str]:
    """What the job's digest sees: the text of every input that affects the result, defaults filled in."""
    return {name: parameter.wire for name, parameter in parameters.items() if parameter.input.affects == "result"}


def explicit(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """What a job names: every parameter that is not just the component's own default."""
    return {name: parameter for name, parameter in parameters.items() if parameter.origin != "component default"}


def _from_compute(component: ComponentFact, spec: Spec, size: SizeFact | None) -> dict[str, Any]:
    compute = spec.compute
    if compute is None:
        return {}
    where: dict[str, Any] = dict.fromkeys(COMPUTE_INPUTS, compute.name or "serverless")
    if compute.serverless:
        where |= dict.fromkeys(SERVERLESS_INPUTS, compute.size)
    if size is not None and size.gpus:
        where["number_of_gpu_to_use_finetuning"] = size.gpus
    if spec.job.nodes > 1:
        where["num_nodes_finetune"] = spec.job.nodes
    return {name: value for name, value in where.items() if name in component.inputs}


def _choose(
    name: str, fact: InputFact, layers: list[Layer], spec: Spec, bounds: Mapping[str, float], found: list[Diagnostic]
) -> Parameter | None:
    opinions: list[tuple[str, Any]] = [] if fact.default is None else [("component default", fact.default)]
    for origin, values in layers:
        if name not in values or (name in DERIVED and origin in ("project", "spec", "--set")):
            continue
        value = _fit(values[name], fact)
        problem = _problem(name, value, fact, bounds)
        if problem is None:
            opinions.append((origin, value))
        else:
            found.append(_refusal(name, origin, problem, fact, spec))
    if not opinions:
        if not fact.optional and not any(d.path[-1:] == (name,) for d in found):
            hint = f"the component wants it: {fact.description.lower()}" if fact.description else ""
            found.append(Diagnostic("FF133", f"`training.{name}` is missing", path=("training",), hint=hint))
        return None
    origin, value = opinions[-1]
    lower = tuple((where, other) for where, other in opinions[:-1] if where != "component default" and other != value)
    if origin in ("spec", "--set") and any(where == "model default" for where, _ in lower):
        model_value = next(other for where, other in lower if where == "model default")
        message = f"`{name}: {_text(value)}` overrides the model's own default, `{_text(model_value)}`"
        found.append(Diagnostic("FF136", message, Severity.NOTE, spec_path(spec, name)))
    return Parameter(name, value, origin, fact, lower)


def spec_path(spec: Spec, name: str) -> SpecPath:
    """Where the spec sets a parameter."""
    return ("optimization", name) if name in spec.optimization else ("training", name) if name in spec.training else ("training",)


def _fit(value: Any, fact: InputFact) -> Any:
    """A value in the form that the component takes: text enums from booleans and numbers, numbers from text."""
    if fact.enum or fact.type == "string":
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value if isinstance(value, bool) and fact.type != "boolean" else typed(value, fact.type)


def _problem(name: str, value: Any, fact: InputFact, bounds: Mapping[str, float]) -> str | None:
    """What is wrong with a value, in words that follow `name: value`; None when nothing is."""
    if fact.enum:
        return None if value in fact.enum else "is not one of " + ", ".join(f"`{option}`" for option in fact.enum)
    if fact.type == "integer" and (isinstance(value, bool) or not isinstance(value, int)):
        return "must be a whole number"
    if fact.type == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
        return "must be a number"
    if fact.type not in ("integer", "number"):
        return None
    low = max((b for b in (fact.minimum, bounds.get(f"{name}_min")) if b is not None), default=None)
    high = min((b for b in (fact.maximum, bounds.get(f"{name}_max")) if b is not None), default=None)
    if low is not None and value < low:
        return f"must be {_text(low)} or more"
    return f"must be {_text(high)} or less" if high is not None and value > high else None


def _refusal(name: str, origin: str, problem: str, fact: InputFact, spec: Spec) -> Diagnostic:
    if origin == "model default":
        message = f"the model's own default for `{name}` {problem}"
        return Diagnostic(
            "FF135", message, Severity.WARNING, ("model",), hint="the component's default is used; set it in the spec to be sure"
        )
    value = spec.parameters.get(name) if origin == "spec" else None
    shown = f"`{name}: {_text(value)}`" if value is not None else f"`{name}` ({origin})"
    near = difflib.get_close_matches(str(value), fact.enum, 1) if fact.enum else []
    return Diagnostic(
        "FF132", f"{shown} {problem}", path=spec_path(spec, name), hint=f"did you mean `{near[0]}`?" if near else ""
    )


def _unsettable(name: str, component: ComponentFact) -> bool:
    fact = component.inputs.get(name)
    return fact is None or name in DERIVED or _is_asset(fact)


def _unknown(name: str, origin: str, component: ComponentFact, spec: Spec) -> Diagnostic:
    path = spec_path(spec, name) if origin == "spec" else ("training",)
    if name in DERIVED:
        return Diagnostic("FF134", f"`{name}` is decided by `compute` and `job.nodes`", path=path, hint="delete it here")
    if name in component.inputs:
        return Diagnostic("FF134", f"`{name}` is an asset, not a parameter", path=path, hint="`model` and `dataset` decide it")
    known = [key for key, fact in component.inputs.items() if not _is_asset(fact) and key not in DERIVED]
    near = difflib.get_close_matches(name, known, 2, cutoff=0.6)
    hint = (
        "did you mean " + " or ".join(f"`{entry}`" for entry in near) + "?"
        if near
        else f"`fineforge explain {component.name}` lists them"
    )
    return Diagnostic("FF131", f"`{component.name}` {component.version} has no input `{name}`", path=path, hint=hint)


def _bounds(model: ModelFact | None, component: ComponentFact) -> dict[str, float]:
    """Metadata keys that are no inputs but bounds of one: `learning_rate_min`, `learning_rate_max`."""
    found = {}
    for key, value in (model.defaults if model else {}).items():
        number = typed(value, "number")
        if key.endswith(("_min", "_max")) and key[:-4] in component.inputs and isinstance(number, int | float):
            found[key] = float(number)
    return found


def _is_asset(fact: InputFact) -> bool:
    return fact.type not in ("string", "integer", "number", "boolean")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
