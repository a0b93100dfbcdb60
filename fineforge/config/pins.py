"""The lock file `fineforge.lock.yaml`: facts of the outside world, pinned per target, reviewed in git.

What a spec leaves open (`latest` model or component, the newest commit of a dataset) is resolved once; and what a version says
of itself (a model's defaults, a component's inputs, a size's GPUs) is kept, since a registry may edit it. So nothing trains
again because something moved upstream: a plan says that it has, and `fineforge lock --upgrade` takes it.

Here belong the file, reading and writing it, and laying pins over a spec and over live facts. What is read to make a pin is
`fineforge.engine.pinning`'s.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from fineforge.catalog import snapshot
from fineforge.catalog.facts import ComponentFact, ModelFact
from fineforge.config import source
from fineforge.config.names import LOCK_FILE
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic, FineforgeError, Severity
from fineforge.core.facts import Facts
from fineforge.host import files

FORMAT = 1


LATEST = "latest"


_HEAD = """\
# Facts pinned by `fineforge lock`: versions, defaults, dataset commits. Commit this file.
# Only `fineforge lock --upgrade SPEC` moves the pins.
"""


@dataclass(frozen=True, slots=True)
class Pins:
    """What one target's facts are held at. Keys say what a spec asks for: `azureml/Phi-4:latest`, `azureml/Phi-4:8`."""

    models: Mapping[str, ModelFact] = field(default_factory=dict)
    components: Mapping[str, ComponentFact] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    """Source, as the spec writes it -> commit, `etag:...` or `sha256:...`."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Lower-case VM size -> GPUs of a node."""


@dataclass(frozen=True, slots=True)
class Lock:
    path: Path
    targets: Mapping[str, Pins] = field(default_factory=dict)

    def at(self, target: str) -> Pins:
        """The pins of a target; none where the file does not know it."""
        return self.targets.get(target, Pins())


_RESTORE = "restore it from git, or delete it and run `fineforge lock`"


def find(root: Path, allow_outside: bool = False) -> Lock:
    """The lock file of a project, `root` its folder; an empty lock where there is none. Raises FF170 where it cannot be read."""
    path = root / LOCK_FILE
    if not os.path.lexists(path):
        return Lock(path)
    shown = files.shown_path(path)
    data = source.load(files.read(path, allow_outside=allow_outside), shown, _RESTORE).data
    if "version" not in data:
        raise FineforgeError(Diagnostic("FF170", f"`{shown}` is damaged: it has no `version`", hint=_RESTORE))
    if data["version"] != FORMAT:
        message = f"`{shown}` has format {data['version']}, but this version of fineforge reads {FORMAT}"
        raise FineforgeError(Diagnostic("FF170", message, hint="upgrade fineforge, or delete the file and run `fineforge lock`"))
    try:
        return Lock(path, {str(name): _from_data(entry) for name, entry in (data.get("targets") or {}).items()})
    except (KeyError, TypeError, ValueError, AttributeError):
        message = f"`{shown}` is damaged: its pins are not in the form that `fineforge lock` writes"
        raise FineforgeError(Diagnostic("FF170", message, hint=_RESTORE)) from None


def save(lock: Lock, before: Lock, allow_outside: bool = False) -> None:
    """Write what `lock` changes of `before`, which was read earlier, into the file as it is now.

    Another process may have written pins in between: those stay, unless both changed the same pin. Raises FF007, FF170.
    """
    with files.exclusive(lock.path.parent):
        now = find(lock.path.parent, allow_outside)
        merged = {name: _merged(now.at(name), before.at(name), pins) for name, pins in lock.targets.items()}
        write(replace(now, targets={**now.targets, **merged}))


def _merged(now: Pins, before: Pins, after: Pins) -> Pins:
    """Return the pins of `now` with each pin that differs between `before` and `after`."""
    kinds = {}
    for kind in (entry.name for entry in fields(Pins)):
        old, new = getattr(before, kind), getattr(after, kind)
        kinds[kind] = {**getattr(now, kind), **{key: pin for key, pin in new.items() if old.get(key) != pin}}
    return Pins(**kinds)


def write(lock: Lock) -> None:
    """The file, whole or not at all. Raises FF007."""
    data = {name: _to_data(pins) for name, pins in sorted(lock.targets.items())}
    text = yaml.safe_dump({"version": FORMAT, "targets": data}, sort_keys=False, width=120, default_flow_style=None)
    files.write(lock.path, _HEAD + text)


def model_key(spec: Spec) -> str:
    """What the spec asks for, as a key of `Pins.models`."""
    return f"{spec.model.registry}/{spec.model.name}:{spec.model.version or LATEST}"


@dataclass(frozen=True, slots=True)
class ComponentName:
    registry: str
    name: str
    version: str | None


def component_name(spec: Spec) -> ComponentName:
    """The component that the spec uses: named, given by id, or chosen by the task."""
    component = spec.component
    if component.id is not None:
        parts = component.id.removeprefix("azureml://registries/").split("/")
        return ComponentName(parts[0], parts[2], parts[4])
    return ComponentName(component.registry, component.name or snapshot.TASK_COMPONENTS[spec.task], component.version)


def component_key(spec: Spec) -> str:
    """Return the spec's key in `Pins.components`."""
    component = spec.component
    return component.id or f"{component.registry}/{component_name(spec).name}:{component.version or LATEST}"


def fill(spec: Spec, pins: Pins) -> Spec:
    """The spec with the versions that it leaves open, as far as they are pinned."""
    changes: dict[str, Any] = {}
    model = pins.models.get(model_key(spec))
    if spec.trains and spec.model.version is None and model is not None:
        changes["model"] = spec.model.model_copy(update={"version": model.version})
    component = pins.components.get(component_key(spec)) if spec.trains else None
    if spec.trains and spec.component.id is None and spec.component.version is None and component is not None:
        changes["component"] = spec.component.model_copy(update={"version": component.version})
    return spec.model_copy(update=changes) if changes else spec


def hold(facts: Facts, pins: Pins) -> Facts:
    """The facts with what decides a job's result as it was pinned. What only warns or refuses (lists, dates) stays live."""
    model, component = facts.model, facts.component
    if model is not None and (pinned := _of_version(pins.models, model)):
        model = replace(model, defaults=pinned.defaults)
    if component is not None and (held := _of_version(pins.components, component)):
        component = replace(component, inputs=held.inputs, outputs=held.outputs, type=held.type)
    known = {name: gpus for name, gpus in pins.sizes.items() if name in facts.sizes}
    sizes = {**facts.sizes, **{name: replace(facts.sizes[name], gpus=gpus) for name, gpus in known.items()}}
    return replace(facts, model=model, component=component, sizes=sizes)


def offline(facts: Facts, spec: Spec, pins: Pins) -> Facts:
    """The facts with pinned models and components that the snapshot does not hold: what was locked can be validated offline."""
    model = facts.model or (_pinned(pins.models, model_key(spec), spec.model.version) if spec.trains else None)
    component = facts.component
    if component is None and spec.trains:
        component = _pinned(pins.components, component_key(spec), spec.component.version)
    return replace(facts, model=model, component=component)


def moved(live: Facts, pins: Pins) -> Iterator[Diagnostic]:
    """FF171, a note for everything that upstream says otherwise by now than when it was pinned."""
    hint = "no retraining; `fineforge lock --upgrade` moves the pin"
    if live.model is not None and (model := _of_version(pins.models, live.model)):
        for what in _differs(model.defaults, live.model.defaults):
            message = f"`{model.name}` {model.version} has changed upstream: its default {what}"
            yield Diagnostic("FF171", message, Severity.NOTE, ("model",), hint=hint)
    if live.component is not None and (component := _of_version(pins.components, live.component)):
        now = {name: entry.default for name, entry in live.component.inputs.items()}
        for what in _differs({name: entry.default for name, entry in component.inputs.items()}, now):
            message = f"`{component.name}` {component.version} has changed upstream: its default {what}"
            yield Diagnostic("FF171", message, Severity.NOTE, ("component",), hint=hint)
    for name, gpus in pins.sizes.items():
        if name in live.sizes and live.sizes[name].gpus != gpus:
            message = f"`{live.sizes[name].name}` had {gpus} GPUs when it was pinned, and has {live.sizes[name].gpus} now"
            yield Diagnostic("FF171", message, Severity.NOTE, ("compute", "size"), hint=hint)


def newer(what: str, pinned: str, latest: str, path: tuple[str, ...]) -> Diagnostic:
    """FF171 where a newer version or commit than the pinned one exists."""
    hint = "no retraining; `fineforge lock --upgrade` moves the pin"
    message = f"{what} is pinned at {pinned}; the latest version is {latest}"
    return Diagnostic("FF171", message, Severity.NOTE, path, hint=hint)


def _of_version(pins: Mapping[str, Any], fact: ModelFact | ComponentFact) -> Any:
    """The pin of exactly this version, asked for by number or as the latest."""
    return next(
        (pin for pin in pins.values() if (pin.registry, pin.name, pin.version) == (fact.registry, fact.name, fact.version)), None
    )


def _pinned(pins: Mapping[str, Any], key: str, version: str | None) -> Any:
    base = key.rsplit(":", 1)[0] + ":" + LATEST
    found = pins.get(key)
    latest = pins.get(base)
    return found or (latest if latest is not None and latest.version == version else None)


def _differs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        if str(before.get(name)) != str(after.get(name)):
            yield f"`{name}` was {before.get(name, 'absent')}, is {after.get(name, 'absent')}"


_UNWRITTEN: dict[str, Any] = {
    "models": {"__all__": {"origin", "notes", "twin"}},
    "components": {"__all__": {"origin": True, "inputs": {"__all__": {"name"}}}},
}
"""Fields of facts that say where a fact was read, or that the key says already."""
_ORIGIN = "the lock file"


@cache
def _adapter() -> TypeAdapter[Pins]:
    return TypeAdapter(Pins)


def _to_data(pins: Pins) -> dict[str, Any]:
    """Return pins as plain values, sorted; fields that are at their default are left out."""
    data = _adapter().dump_python(pins, mode="json", exclude=_UNWRITTEN, exclude_defaults=True, exclude_none=True)
    sections = {entry.name: dict(sorted(data.get(entry.name, {}).items())) for entry in fields(Pins)}
    return {**sections, "sizes": {name: {"gpus": gpus} for name, gpus in sections["sizes"].items()}}


def _from_data(data: Mapping[str, Any]) -> Pins:
    """Raise ValueError, KeyError, TypeError or AttributeError if `data` is not what `_to_data` returns."""
    sections = {entry.name: data.get(entry.name) or {} for entry in fields(Pins)}
    unset = {entry.name: None for entry in fields(ModelFact) if entry.default is MISSING}
    pins = _adapter().validate_python(
        {
            "models": {key: {**unset, **entry, "origin": _ORIGIN} for key, entry in sections["models"].items()},
            "components": {key: _component(entry) for key, entry in sections["components"].items()},
            "datasets": sections["datasets"],
            "sizes": {name: entry["gpus"] for name, entry in sections["sizes"].items()},
        }
    )
    for dataset, revision in pins.datasets.items():
        _check_revision(dataset, revision)
    return pins


def _component(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "origin": _ORIGIN, "inputs": {name: {"name": name, **fact} for name, fact in entry["inputs"].items()}}


def _check_revision(dataset: str, revision: str) -> None:
    """Raise ValueError unless it is a commit or a digest: it becomes part of URLs and of file names."""
    if not re.fullmatch(r"[0-9a-f]{40}" if dataset.startswith("hf://") else r"etag:.+|sha256:[0-9a-f]{64}", revision):
        raise ValueError(f"not a revision: {revision}")
