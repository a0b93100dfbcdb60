"""Facts that need no network: the dated snapshot of the catalog, and what an unknown model or component is reported as."""

from __future__ import annotations

from collections.abc import Mapping

from fineforge.catalog import snapshot
from fineforge.catalog.facts import ComponentFact
from fineforge.catalog.parse import parse_component
from fineforge.config.pins import Pins, component_name, hold, offline
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic
from fineforge.core.facts import DatasetFact, Facts
from fineforge.core.objects import Raw


def snapshot_facts(
    spec: Spec,
    today: str,
    datasets: Mapping[str, DatasetFact],
    workspace_id: str,
    pins: Pins | None = None,
    known: snapshot.Snapshot | None = None,
) -> tuple[Facts, tuple[Diagnostic, ...]]:
    """Facts without a network: from the dated snapshot, and what was pinned; what neither holds is None and said."""
    known, pins = known or snapshot.load(), pins or Pins()
    name = component_name(spec)
    model = known.models.get((spec.model.name or "", spec.model.version or "")) if spec.trains else None
    component = known.components.get((name.name, name.version or "")) if spec.trains else None
    facts = Facts(workspace_id, "eastus", today, model, component, known.sizes, datasets)
    facts = hold(offline(facts, spec, pins), pins)
    problems = [unknown_model(spec)] if spec.trains and facts.model is None else []
    problems += [unknown_component(spec)] if spec.trains and facts.component is None else []
    return facts, tuple(problems)


def unknown_model(spec: Spec) -> Diagnostic:
    """FF146: near names, or near versions, of the snapshot."""
    known = snapshot.load().models
    name, version = spec.model.name or "", spec.model.version
    versions = [v for n, v in known if n == name]
    if versions or (version is None and name):
        listed = ", ".join(f"`{entry}`" for entry in versions)
        message = f"`{name}` has no version `{version}`" if version else "`model.version` is missing"
        hint = f"known: {listed}" if version else f"`fineforge lock` pins the latest{'; known: ' + listed if listed else ''}"
        return Diagnostic("FF146", message, path=("model", "version") if version else ("model",), hint=hint)
    near = snapshot.near_names(name, {n for n, _ in known})
    hint = (
        "did you mean " + " or ".join(f"`{entry}`" for entry in near) + "?" if near else "`fineforge explain models` lists them"
    )
    return Diagnostic(
        "FF146", f"there is no model `{name}` in registry `{spec.model.registry}`", path=("model", "name"), hint=hint
    )


def unknown_component(spec: Spec) -> Diagnostic:
    name = component_name(spec)
    known = [v for n, v in snapshot.load().components if n == name.name]
    listed = ", ".join(f"`{entry}`" for entry in known)
    if name.version is None:
        hint = f"`fineforge lock` pins the latest{'; known: ' + listed if listed else ''}"
        return Diagnostic("FF147", "`component.version` is missing", path=("component",), hint=hint)
    message = f"registry `{name.registry}` has no component `{name.name}` version `{name.version}`"
    path = ("component", "version") if spec.component.id is None else ("component", "id")
    return Diagnostic("FF147", message, path=path, hint=f"known: {listed}" if listed else "")


def component_fact(raw: Raw, registry: str) -> ComponentFact:
    """What a registry says of a component, and the snapshot beyond it: which inputs no step reads."""
    fact = parse_component(raw, registry, "live")
    known = snapshot.load().components.get((fact.name, fact.version))
    unused = [entry.name for entry in known.inputs.values() if not entry.used] if known else []
    return parse_component(raw, registry, "live", unused)
