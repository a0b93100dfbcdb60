"""Which input of a component takes the model and which takes each split, and which output is the trained model.

The names of the catalog's pipelines are known; of any other component its types and names tell, or `component.assets` of the
spec. Values of the other inputs are `fineforge.resources.parameters`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from fineforge.catalog.facts import ComponentFact
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic, did_you_mean
from fineforge.core.facts import DatasetFact

_MODELS = ("mlflow_model", "custom_model", "triton_model")
_KNOWN_MODELS = {"mlflow_model": "mlflow_model_path", "custom_model": "pytorch_model_path"}
SPLITS = {"train": r"train", "validation": r"valid|dev|eval", "test": r"test"}
"""How people call a split's input, where they do not call it as the catalog does."""


@dataclass(frozen=True, slots=True)
class Bindings:
    model: str | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    """Split -> input."""
    trained_model: str | None = None
    """The output that is registered."""
    output_type: str = "mlflow_model"

    @property
    def inputs(self) -> frozenset[str]:
        """Inputs that the spec's model and data decide."""
        return frozenset(name for name in (self.model, *self.splits.values()) if name)

    @property
    def registered_type(self) -> str:
        """A folder that is no MLflow model is registered as a model without flavour."""
        return self.output_type if self.output_type in _MODELS else "custom_model"


def bind(
    spec: Spec, component: ComponentFact, model_type: str, datasets: Mapping[str, DatasetFact]
) -> tuple[Bindings, tuple[Diagnostic, ...]]:
    """What goes where, and every part that cannot be told (FF149) or does not fit (FF145), all at once."""
    found: list[Diagnostic] = []
    model = _model(spec, component, model_type, found)
    splits = {}
    for split in spec.dataset.splits.made() if spec.dataset else ():
        taken = _split(spec, component, split, found)
        if taken is not None:
            splits[split] = taken
            found += _fits(component, split, taken, datasets.get(split))
    output = _output(spec, component, found)
    bindings = Bindings(model, splits, output, component.outputs.get(output or "", "mlflow_model"))
    found += [] if found else _unfilled(component, bindings)
    return bindings, tuple(found)


def _model(spec: Spec, component: ComponentFact, model_type: str, found: list[Diagnostic]) -> str | None:
    known = _KNOWN_MODELS.get(model_type, "")

    def candidates() -> list[str]:
        return [name for name, fact in component.inputs.items() if fact.type == model_type]

    return _choose(spec, "model", known, candidates, component, component.inputs, f"the base model ({model_type})", found)


def _split(spec: Spec, component: ComponentFact, split: str, found: list[Diagnostic]) -> str | None:
    def candidates() -> list[str]:
        assets = [name for name, fact in component.inputs.items() if fact.is_asset and fact.type not in _MODELS]
        called = [name for name in assets if re.search(SPLITS[split], name, re.IGNORECASE)]
        return [name for name in called if component.inputs[name].type == "uri_file"] or called

    return _choose(spec, split, f"{split}_file_path", candidates, component, component.inputs, f"the `{split}` split", found)


def _output(spec: Spec, component: ComponentFact, found: list[Diagnostic]) -> str | None:
    def candidates() -> list[str]:
        models = {name: kind for name, kind in component.outputs.items() if kind in _MODELS}
        return [name for name, kind in models.items() if kind == "mlflow_model"] or list(models)

    what = "the trained model"
    return _choose(spec, "trained_model", "mlflow_model_folder", candidates, component, component.outputs, what, found)


def _choose(
    spec: Spec,
    key: str,
    known: str,
    candidates: Callable[[], list[str]],
    component: ComponentFact,
    names: Collection[str],
    what: str,
    found: list[Diagnostic],
) -> str | None:
    """What the spec says, else the catalog's name, else the only candidate; FF149 where nothing tells."""
    given = getattr(spec.component.assets, key)
    path = ("component", "assets", key)
    port = "output" if key == "trained_model" else "input"
    if given is not None:
        if given in names:
            return str(given)
        message = f"`{component.name}` {component.version} has no {port} `{given}`"
        assets = [name for name in names if port == "output" or component.inputs[name].is_asset]
        found.append(Diagnostic("FF149", message, path=path, hint=did_you_mean(given, assets, _listed(assets))))
        return None
    if known in names:
        return known
    likely = candidates()
    if len(likely) == 1:
        return likely[0]
    several = f"several {port}s" if likely else f"no {port}"
    message = f"`{component.name}` {component.version} has {several} for {what}"
    hint = f"name one in `component.assets.{key}`" + (f"; {_listed(likely)}" if likely else "")
    at = ("dataset", "splits", key) if key in SPLITS and spec.dataset and key in spec.dataset.splits.given() else ("component",)
    found.append(Diagnostic("FF149", message, path=at, hint=hint))
    return None


def _fits(component: ComponentFact, split: str, name: str, fact: DatasetFact | None) -> list[Diagnostic]:
    """Prepared splits are single files; what a data asset is only the workspace knows."""
    kind = component.inputs[name].type
    if kind in ("uri_file", "string") or (fact is not None and fact.asset):
        return []
    message = f"input `{name}` of `{component.name}` takes {kind}; a prepared split is one file (uri_file)"
    hint = "name a data asset of that type as its `source`: `azureml:NAME:VERSION`"
    return [Diagnostic("FF145", message, path=("dataset", "splits", split), hint=hint)]


def _unfilled(component: ComponentFact, bindings: Bindings) -> Iterable[Diagnostic]:
    """Assets that the component cannot do without, and that nothing in a spec gives."""
    for name, fact in component.inputs.items():
        if fact.is_asset and not fact.optional and name not in bindings.inputs:
            message = f"`{component.name}` {component.version} needs `{name}` ({fact.type}), which this spec does not give"
            hint = "if it is the model or a split, say so in `component.assets`"
            yield Diagnostic("FF149", message, path=("component",), hint=hint)


def _listed(names: Iterable[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names)
    return f"it has {listed}" if listed else "it has none"
