"""What a pipeline job says: its one step, the step's component and inputs. Pure; refusals at submission are raised here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fineforge.catalog.facts import ComponentFact, InputFact
from fineforge.emulator.rules import uris
from fineforge.emulator.rules.base import Body
from fineforge.emulator.rules.errors import failure, refuse

_BINDING = re.compile(r"\$\{\{\s*parent\.(inputs|outputs)\.([^}\s]+)\s*\}\}\Z")

SERVERLESS = "serverless"
LITERALS = ("string", "integer", "number", "boolean")


@dataclass(frozen=True, slots=True)
class Step:
    component: ComponentFact
    inputs: Mapping[str, str]
    """As given, bindings resolved: literal values and addresses, all text."""
    outputs: Mapping[str, str]
    """Output of the component -> output of the job."""
    size: str | None = None
    """`resources.instance_type` of the step."""

    def sizes(self) -> dict[str, str]:
        """VM sizes that the job names, for what runs serverless."""
        given = {name: text for name, text in self.inputs.items() if name.startswith("instance_type_")}
        return given | ({"resources.instance_type": self.size} if self.size else {})


def read(properties: Body, find: Callable[[str], ComponentFact | None]) -> Step:
    """The step of a submitted job. That unknown components and inputs are refused at once is assumed."""
    nodes = properties.get("jobs") or {}
    if nodes and len(nodes) > 1:
        raise refuse("job_steps", count=len(nodes))
    if not nodes and not properties.get("componentId"):
        raise refuse("job_empty")
    top = {name: _given(entry) for name, entry in (properties.get("inputs") or {}).items()}
    node = next(iter(nodes.values())) if nodes else properties
    component_id = str(node.get("componentId") or "")
    component = find(component_id)
    if component is None:
        raise refuse("asset_unknown", id=component_id)
    inputs = {name: _bound(_given(entry), top) for name, entry in (node.get("inputs") or {}).items()}
    given = {name: value for name, value in inputs.items() if value is not None}
    size = (node.get("resources") or {}).get("instance_type")
    step = Step(component, given, _outputs(component, node, bool(nodes)), size)
    _refuse_inputs(step)
    return step


def effective(step: Step) -> dict[str, str]:
    """Every input that has a value: given, else the component's default, as text."""
    defaults = {name: _wire(entry.default) for name, entry in step.component.inputs.items() if entry.default is not None}
    return defaults | dict(step.inputs)


def clusters(properties: Body, step: Step) -> list[str]:
    """Names of the clusters that a job runs on; serverless ones have none."""
    settings = properties.get("settings") or {}
    texts = [properties.get("computeId"), settings.get("default_compute")]
    texts += [text for name, text in effective(step).items() if name.startswith("compute_")]
    return sorted({uris.compute_name(str(text)) for text in texts if text} - {SERVERLESS})


def violation(step: Step) -> dict[str, str] | None:
    """What the pipeline's own validation would stop at. That it fails the job, not the submission, is assumed."""
    for name, text in step.inputs.items():
        entry = step.component.inputs[name]
        reason = _wrong(entry, text) if entry.type in LITERALS else None
        if reason:
            return failure("job_input_value", input=name, component=title(step.component), value=text, reason=reason)
    return None


def title(component: ComponentFact) -> str:
    return f"{component.name}:{component.version}"


def _given(entry: Any) -> str | None:
    """An input of a body: camelCase at the top, snake_case inside jobs (recorded), the value or the address either way."""
    if not isinstance(entry, Mapping):
        return None if entry is None else str(entry)
    value = entry.get("uri", entry.get("value"))
    return None if value is None else str(value)


def _bound(value: str | None, top: Mapping[str, str | None]) -> str | None:
    match = _BINDING.match(value or "")
    return top.get(match[2]) if match and match[1] == "inputs" else value


def _outputs(component: ComponentFact, node: Mapping[str, Any], nested: bool) -> dict[str, str]:
    outputs = {name: name for name in component.outputs}
    if nested:
        for name, entry in (node.get("outputs") or {}).items():
            match = _BINDING.match(_given(entry) or "")
            if match and match[1] == "outputs":
                outputs[name] = match[2]
    return outputs


def _refuse_inputs(step: Step) -> None:
    known = step.component.inputs
    for name in step.inputs:
        if name not in known:
            raise refuse("job_input_unknown", input=name, component=title(step.component))
    for name, entry in known.items():
        if not entry.optional and entry.default is None and name not in step.inputs:
            raise refuse("job_input_missing", input=name, component=title(step.component))


def _wrong(entry: InputFact, text: str) -> str | None:
    if entry.enum and text not in entry.enum:
        return f"it is not one of {', '.join(entry.enum)}"
    if entry.type == "boolean" and text.lower() not in ("true", "false"):
        return "it is not a boolean"
    if entry.type not in ("integer", "number"):
        return None
    try:
        number = float(text)
    except ValueError:
        return f"it is not of type {entry.type}"
    if entry.type == "integer" and not number.is_integer():
        return "it is not of type integer"
    if entry.minimum is not None and number < entry.minimum:
        return f"it is less than the minimum {entry.minimum:g}"
    if entry.maximum is not None and number > entry.maximum:
        return f"it is more than the maximum {entry.maximum:g}"
    return None


def _wire(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
