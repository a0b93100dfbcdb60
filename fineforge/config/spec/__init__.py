"""The spec: the user's YAML as typed, frozen values.

Here belong the keys, their types, patterns and defaults, and what keys demand of each other: `training` and `serving` hold the
blocks, `names` what they share. How a wrong shape is said is `config.validation`; checks that need facts (allow lists, component
inputs) are `planner.checks` and `resources.parameters`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from fineforge.config.source import Source
from fineforge.config.spec.names import PATTERNS, SPEC_NAME, Tags, Task
from fineforge.config.spec.serving import Deployment, Endpoint, Gates, MetricGate, Register
from fineforge.config.spec.training import Columns, Component, Compute, Dataset, Job, Model, Split
from fineforge.config.validation import ParameterValue, Shape, dotted, fit
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.objects import SpecPath

__all__ = [
    "Columns",
    "Component",
    "Compute",
    "Dataset",
    "Deployment",
    "Endpoint",
    "Gates",
    "Job",
    "MetricGate",
    "Model",
    "Register",
    "Spec",
    "Split",
    "Tags",
    "parse",
    "tag_problems",
]


class Lifecycle(Shape):
    prevent_destroy: Annotated[tuple[str, ...], Field(strict=False)] = ()
    ignore: Annotated[tuple[str, ...], Field(strict=False)] = ()
    allow_unlisted: bool = False


class Spec(Shape):
    version: Literal[1]
    name: Annotated[str, StringConstraints(pattern=SPEC_NAME)]
    task: Task = "chat-completion"
    targets: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    component: Component = Component()
    model: Model
    dataset: Dataset | None = None
    compute: Compute | None = None
    training: dict[str, ParameterValue] = Field(default_factory=dict)
    optimization: dict[str, ParameterValue] = Field(default_factory=dict)
    job: Job = Job()
    gates: Gates = Gates()
    register_: Register | None = Field(default=None, alias="register")
    endpoint: Endpoint | None = None
    deployment: Deployment | None = None
    tags: Tags = Field(default_factory=dict)
    lifecycle: Lifecycle = Lifecycle()

    @property
    def trains(self) -> bool:
        """Whether a job is wanted; `model.registered` deploys without one."""
        return self.model.registered is None

    @property
    def parameters(self) -> dict[str, ParameterValue]:
        """`training` and `optimization` are one namespace."""
        return {**self.training, **self.optimization}


def parse(source: Source) -> Spec:
    """The typed spec. Raises FineforgeError with every error at once, each placed in the file."""
    data = source.data
    spec, found = fit(Spec, source, PATTERNS)
    found += [*_namespace(data), *_blocks(data), *tag_problems(data.get("tags"), ("tags",))]
    if spec is None or found:
        raise FineforgeError(*sorted((source.place(diagnostic) for diagnostic in found), key=_position))
    return spec


def tag_problems(tags: Any, path: SpecPath) -> list[Diagnostic]:
    """FF126: what ARM refuses in the names of tags, and what fineforge keeps for itself."""
    if not isinstance(tags, dict):
        return []
    found: list[Diagnostic] = []
    seen: set[str] = set()
    if len(tags) > MAX_TAGS:
        found.append(Diagnostic("FF126", f"`{dotted(path)}` has {len(tags)} tags, but the maximum is {MAX_TAGS}", path=path))
    for name in tags:
        problem = _tag_problem(name, seen)
        seen.add(name.lower())
        if problem:
            what = f"the tag `{name[:60]}`" if name else "a tag's name"
            found.append(Diagnostic("FF126", f"{what} {problem}", path=(*path, name)))
    return found


MAX_TAGS = 40
"""An ARM object has at most 50; the others are for owner tags and for the tags that clusters get per spec."""

_NOT_IN_TAGS = frozenset("<>%&\\?/")


def _tag_problem(name: str, seen: set[str]) -> str:
    if bad := sorted(_NOT_IN_TAGS & set(name)):
        return f"has `{bad[0]}`, which Azure rejects"
    if name.lower().startswith("fineforge-"):
        return "starts with `fineforge-`, which is reserved for owner tags"
    if name.lower() in seen:
        return "differs from another tag only in case"
    return "" if 1 <= len(name) <= 512 else "must have 1 to 512 characters"


def _namespace(data: Mapping[str, Any]) -> list[Diagnostic]:
    training, optimization = data.get("training"), data.get("optimization")
    if not isinstance(training, dict) or not isinstance(optimization, dict):
        return []
    message = "`{}` is set in both `training` and `optimization`"
    twice = (key for key in optimization if key in training)
    return [Diagnostic("FF124", message.format(key), path=("optimization", key), hint="keep one of them") for key in twice]


_NEEDED = {
    "dataset": "it names the data to train on",
    "compute": "it sets where the job runs",
    "register": "it names the trained model",
}
"""Blocks that training needs, and what for."""

_ONLY_TO_TRAIN = ("component", "dataset", "compute", "training", "optimization", "job", "register")
"""Blocks without a meaning where `model.registered` deploys a model that exists."""


def _blocks(data: Mapping[str, Any]) -> list[Diagnostic]:
    """Blocks that depend on each other."""
    found = []
    model = data.get("model")
    if isinstance(model, dict) and "name" in model and "registered" not in model:
        found += [Diagnostic("FF121", f"`{block}` is missing", hint=why) for block, why in _NEEDED.items() if block not in data]
    if isinstance(model, dict) and "registered" in model and "name" not in model:
        found += [
            Diagnostic(
                "FF125",
                f"`{block}` has no effect with `model.registered`",
                path=(block,),
                hint="a registered model is not trained; delete it",
            )
            for block in _ONLY_TO_TRAIN
            if block in data
        ]
    if "deployment" in data and "endpoint" not in data:
        found.append(Diagnostic("FF121", "`endpoint` is missing", path=("deployment",), hint="a deployment needs an endpoint"))
    return [*found, *_idle_gates(data)]


def _idle_gates(data: Mapping[str, Any]) -> list[Diagnostic]:
    """Gates that nothing would ever ask: who wrote them believes that they guard something."""
    gates, model = data.get("gates"), data.get("model")
    if not isinstance(gates, dict):
        return []
    found = []
    if gates.get("metrics") and isinstance(model, dict) and "registered" in model:
        message = "`gates.metrics` has no effect with `model.registered`"
        found.append(Diagnostic("FF125", message, path=("gates", "metrics"), hint="a registered model is not trained; delete it"))
    if gates.get("smoke") and "deployment" not in data:
        message = "`gates.smoke` has no effect without `deployment`"
        found.append(Diagnostic("FF125", message, path=("gates", "smoke"), hint="add `endpoint` and `deployment`, or delete it"))
    return found


def _position(diagnostic: Diagnostic) -> tuple[str, int, int, str]:
    span = diagnostic.span
    return (span.file, span.line, span.column, diagnostic.code) if span else ("", 0, 0, diagnostic.code)
