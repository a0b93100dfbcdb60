"""What can be said against a spec before anything is created, given the facts.

Here belong checks that need the catalog, the region's sizes or the target; the shape of the spec is `fineforge.spec`, the
training parameters are `fineforge.params`. Every check returns diagnostics; none stops the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fineforge.catalog.facts import ComponentFact, ModelFact, SizeFact
from fineforge.catalog.snapshot import near_names
from fineforge.core import Facts, SpecPath
from fineforge.diagnostics import Diagnostic, Severity
from fineforge.params import Parameter
from fineforge.spec import Spec

K80_SIZES = frozenset({"standard_nc6", "standard_nc12", "standard_nc24", "standard_nc24r"})
"""What the official walkthrough refuses where a model carries no allow list."""

KNOWN_METRICS = frozenset({"loss", "eval_loss", "train_loss", "test_loss", "learning_rate", "epoch", "grad_norm", "perplexity"})
"""Metrics that the chat-completion pipeline logs; others may exist, so an unknown one is a warning."""


def check(spec: Spec, facts: Facts, parameters: Mapping[str, Parameter], target: str) -> tuple[Diagnostic, ...]:
    """Every problem of a spec, in the order of the spec's blocks."""
    return (
        *_targets(spec, target),
        *_model(spec, facts),
        *_dataset(spec, facts.component),
        *_compute(spec, facts),
        *_nodes(spec, facts, parameters),
        *_gates(spec),
        *_deployment(spec, facts),
        *_lifecycle(spec),
    )


def _targets(spec: Spec, target: str) -> list[Diagnostic]:
    if spec.targets is None or target in spec.targets:
        return []
    allowed = ", ".join(f"`{name}`" for name in spec.targets)
    hint = f"use `--target {spec.targets[0]}`, or add `{target}` to `targets`"
    return [Diagnostic("FF140", f"this spec is for {allowed}, not for `{target}`", path=("targets",), hint=hint)]


def _model(spec: Spec, facts: Facts) -> list[Diagnostic]:
    model, component = facts.model, facts.component
    if model is None:
        return []
    found = [Diagnostic("FF143", f"metadata of `{model.name}`: {note}", Severity.WARNING, ("model",)) for note in model.notes]
    found += _retirement(spec, model, facts.today)
    if spec.task not in model.tasks and component is not None:
        tasks = ", ".join(f"`{task}`" for task in model.tasks) or "no task at all"
        found.append(Diagnostic("FF144", f"`{model.name}` can be fine-tuned for {tasks}, not for `{spec.task}`", path=("task",)))
    return found


def _retirement(spec: Spec, model: ModelFact, today: str) -> list[Diagnostic]:
    """Retirement stops training, not what is deployed already; the planner asks only where a job must be created."""
    path: SpecPath = ("model", "version")
    if model.finetune_retirement and model.finetune_retirement <= today:
        message = f"fine-tuning of `{model.name}` was retired on {model.finetune_retirement}"
        if spec.model.allow_retired:
            return [Diagnostic("FF141", message, Severity.WARNING, path)]
        return [
            Diagnostic(
                "FF141", message, path=path, hint="choose a model that is still offered, or set `model.allow_retired: true`"
            )
        ]
    found = []
    if model.finetune_deprecation and model.finetune_deprecation <= today:
        until = f", it ends on {model.finetune_retirement}" if model.finetune_retirement else ""
        message = f"fine-tuning of `{model.name}` is deprecated since {model.finetune_deprecation}{until}"
        found.append(Diagnostic("FF142", message, Severity.WARNING, path))
    if model.inference_retirement and model.inference_retirement <= today:
        message = f"`{model.name}` was retired for inference on {model.inference_retirement}"
        found.append(Diagnostic("FF142", message, Severity.WARNING, path))
    return found


def _dataset(spec: Spec, component: ComponentFact | None) -> list[Diagnostic]:
    if spec.dataset is None:
        return []
    source = spec.dataset.source
    if "://" in source or source.startswith("azureml:"):
        hint = "use a local .jsonl file, or a folder of them"
        return [
            Diagnostic(
                "FF145", f"`{source}`: only local files can be a source in this version", path=("dataset", "source"), hint=hint
            )
        ]
    if component is None:
        return []
    return [
        Diagnostic("FF145", f"`{component.name}` takes no `{split}` split", path=("dataset", "splits", split))
        for split in spec.dataset.splits.given()
        if f"{split}_file_path" not in component.inputs
    ]


def _compute(spec: Spec, facts: Facts) -> list[Diagnostic]:
    compute = spec.compute
    if compute is None or compute.size is None or not spec.trains:
        return []
    path: SpecPath = ("compute", "size")
    size = facts.sizes.get(compute.size.lower())
    allowed = facts.model.finetune_sizes if facts.model else None
    found = _size(compute.size, size, facts, path, "training")
    if found:
        return found
    if facts.model is not None and allowed is None:
        found.append(_no_list(facts.model.name, compute.size, path))
    elif facts.model is not None and allowed is not None and compute.size.lower() not in {name.lower() for name in allowed}:
        found.append(_unlisted(compute.size, facts.model.name, "fine-tuning", allowed, facts, spec, path))
    return found


def _size(name: str, size: SizeFact | None, facts: Facts, path: SpecPath, use: str) -> list[Diagnostic]:
    if size is None:
        near = near_names(name, (fact.name for fact in facts.sizes.values()))
        hint = "did you mean " + " or ".join(f"`{entry}`" for entry in near) + "?" if near else ""
        return [Diagnostic("FF150", f"there is no VM size `{name}`", path=path, hint=hint)]
    if size.retired and size.retired <= facts.today:
        return [Diagnostic("FF151", f"`{size.name}` ({size.gpu_model}) was retired on {size.retired}", path=path)]
    if not (size.training if use == "training" else size.endpoint):
        what = "training clusters" if use == "training" else "managed online endpoints"
        return [Diagnostic("FF152", f"`{size.name}` cannot be used for {what}", path=path)]
    return []


def _no_list(model: str, size: str, path: SpecPath) -> Diagnostic:
    if size.lower() in K80_SIZES:
        return Diagnostic("FF153", f"`{size}` (K80) cannot train `{model}`", path=path)
    return Diagnostic(
        "FF154", f"`{model}` carries no list of sizes for fine-tuning; `{size}` is not checked", Severity.WARNING, path
    )


def _unlisted(size: str, model: str, use: str, allowed: tuple[str, ...], facts: Facts, spec: Spec, path: SpecPath) -> Diagnostic:
    live = [
        fact for name in allowed if (fact := facts.sizes.get(name.lower())) and not (fact.retired and fact.retired <= facts.today)
    ]
    hint = "listed: " + (", ".join(f"`{fact.name}`" for fact in live) or "none that is still offered")
    severity = Severity.WARNING if spec.lifecycle.allow_unlisted else Severity.ERROR
    return Diagnostic("FF153", f"`{size}` is not in the list of sizes for {use} `{model}`", severity, path, hint=hint)


def _nodes(spec: Spec, facts: Facts, parameters: Mapping[str, Parameter]) -> list[Diagnostic]:
    compute = spec.compute
    if compute is None:
        return []
    found = []
    if not compute.serverless and spec.job.nodes > compute.max_nodes and not compute.existing:
        message = f"`job.nodes` is {spec.job.nodes}, the cluster has at most {compute.max_nodes}"
        found.append(Diagnostic("FF155", message, path=("job", "nodes"), hint="raise `compute.max_nodes`"))
    size = facts.sizes.get((compute.size or "").lower())
    gpus: Any = parameters["number_of_gpu_to_use_finetuning"].value if "number_of_gpu_to_use_finetuning" in parameters else None
    if size is not None and isinstance(gpus, int) and gpus > size.gpus:
        message = f"`number_of_gpu_to_use_finetuning` is {gpus}, a `{size.name}` node has {size.gpus}"
        block = "optimization" if "number_of_gpu_to_use_finetuning" in spec.optimization else "training"
        found.append(Diagnostic("FF156", message, path=(block, "number_of_gpu_to_use_finetuning")))
    return found


def _gates(spec: Spec) -> list[Diagnostic]:
    return [
        Diagnostic(
            "FF157", f"`{gate.name}` is not a metric that fineforge knows", Severity.WARNING, ("gates", "metrics", index, "name")
        )
        for index, gate in enumerate(spec.gates.metrics)
        if gate.name not in KNOWN_METRICS
    ]


def _deployment(spec: Spec, facts: Facts) -> list[Diagnostic]:
    deployment = spec.deployment
    if deployment is None:
        return []
    path: SpecPath = ("deployment", "size")
    found = _size(deployment.size, facts.sizes.get(deployment.size.lower()), facts, path, "endpoint")
    allowed = facts.model.inference_sizes if facts.model else None
    if not found and facts.model and allowed is not None and deployment.size.lower() not in {name.lower() for name in allowed}:
        found.append(_unlisted(deployment.size, facts.model.name, "serving", allowed, facts, spec, path))
    return found


def _lifecycle(spec: Spec) -> list[Diagnostic]:
    kinds = ("compute", "data", "job", "model", "endpoint", "deployment")
    return [
        Diagnostic(
            "FF158", f"`{name}` is not a kind of object", path=("lifecycle", "prevent_destroy", index), hint=", ".join(kinds)
        )
        for index, name in enumerate(spec.lifecycle.prevent_destroy)
        if name not in kinds
    ]
