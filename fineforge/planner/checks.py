"""What can be said against a spec before anything is created, given the facts.

Here belong checks that need the catalog, the region's sizes or the target; the shape of the spec is `fineforge.spec`, the
training parameters are `fineforge.resources.parameters`. Every check returns diagnostics; none stops the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fineforge.catalog import snapshot
from fineforge.catalog.facts import ComponentFact, ModelFact
from fineforge.catalog.snapshot import TASK_COMPONENTS, near_names
from fineforge.config.spec import Spec
from fineforge.config.validation import known_keys
from fineforge.core.diagnostics import Diagnostic, Severity
from fineforge.core.facts import Facts
from fineforge.core.objects import SpecPath
from fineforge.resources.bindings import bind
from fineforge.resources.kinds import KINDS
from fineforge.resources.kinds.base import End
from fineforge.resources.parameters import Parameter, spec_path

K80_SIZES = frozenset({"standard_nc6", "standard_nc12", "standard_nc24", "standard_nc24r"})
"""What the official walkthrough refuses where a model carries no allow list."""

KNOWN_METRICS = frozenset({"loss", "eval_loss", "train_loss", "test_loss", "learning_rate", "epoch", "grad_norm", "perplexity"})
"""Metrics that the chat-completion pipeline logs; others may exist, so an unknown one is a warning."""


def check(spec: Spec, facts: Facts, parameters: Mapping[str, Parameter], target: str) -> tuple[Diagnostic, ...]:
    """Every problem of a spec, in the order of the spec's blocks."""
    return (
        *wrong_target(spec, target),
        *_model(spec, facts),
        *_assets(spec, facts),
        *_compute(spec, facts),
        *_nodes(spec, facts, parameters),
        *_gates(spec),
        *_deployment(spec, facts),
        *_lifecycle(spec),
    )


def wrong_target(spec: Spec, target: str) -> list[Diagnostic]:
    """FF140 where `targets` does not list it."""
    if spec.targets is None or target in spec.targets:
        return []
    allowed = ", ".join(f"`{name}`" for name in spec.targets)
    hint = f"use `--target {spec.targets[0]}`, or add `{target}` to `targets`"
    return [Diagnostic("FF140", f"this spec is for {allowed}, not for `{target}`", path=("targets",), hint=hint)]


def _model(spec: Spec, facts: Facts) -> list[Diagnostic]:
    model = facts.model
    if model is None:
        return _component(spec, facts.component)
    found = [Diagnostic("FF143", f"metadata of `{model.name}`: {note}", Severity.WARNING, ("model",)) for note in model.notes]
    found += [*_retirement(spec, model, facts.today), *_component(spec, facts.component)]
    if model.archived:
        message = f"`{model.name}` {model.version} is archived in registry `{model.registry}`"
        found.append(Diagnostic("FF148", message, Severity.WARNING, ("model", "name")))
    if spec.task not in model.tasks:
        tasks = ", ".join(f"`{task}`" for task in model.tasks) or "no task at all"
        message = f"`{model.name}` can be fine-tuned for {tasks}, not for `{spec.task}`"
        path = ("task",) if "task" in spec.model_fields_set else ("model", "name")
        found.append(Diagnostic("FF144", message, path=path, hint=snapshot.still_offered(spec.task, facts.today)))
    return found


def _component(spec: Spec, component: ComponentFact | None) -> list[Diagnostic]:
    """A pipeline that is known to be for another task; what it does not know, fineforge does not judge."""
    if component is None or component.name == TASK_COMPONENTS[spec.task] or component.name not in TASK_COMPONENTS.values():
        return []
    message = f"`{component.name}` is not for `{spec.task}`"
    hint = f"use `{TASK_COMPONENTS[spec.task]}`, or leave the name out"
    return [Diagnostic("FF144", message, path=("component",), hint=hint)]


def _retirement(spec: Spec, model: ModelFact, today: str) -> list[Diagnostic]:
    """Retirement stops training, not what is deployed already; the planner asks only where a job must be created."""
    path: SpecPath = ("model", "version")
    found = []
    if model.finetune_retirement and model.finetune_retirement <= today:
        message = f"fine-tuning of `{model.name}` was retired on {model.finetune_retirement}"
        severity = Severity.WARNING if spec.model.allow_retired else Severity.ERROR
        still = snapshot.still_offered(spec.task, today)
        hint = "" if spec.model.allow_retired else f"{still}; or set `model.allow_retired: true`"
        found.append(Diagnostic("FF141", message, severity, path, hint=hint))
    elif model.finetune_deprecation and model.finetune_deprecation <= today:
        until = f", it ends on {model.finetune_retirement}" if model.finetune_retirement else ""
        message = f"fine-tuning of `{model.name}` is deprecated since {model.finetune_deprecation}{until}"
        found.append(Diagnostic("FF142", message, Severity.WARNING, path))
    if spec.deployment is not None and model.inference_retirement and model.inference_retirement <= today:
        message = f"`{model.name}` was retired for inference on {model.inference_retirement}"
        found.append(Diagnostic("FF142", message, Severity.WARNING, path))
    return found


def _assets(spec: Spec, facts: Facts) -> tuple[Diagnostic, ...]:
    if facts.component is None or facts.model is None:
        return ()
    return bind(spec, facts.component, facts.model.type, facts.datasets)[1]


def _compute(spec: Spec, facts: Facts) -> list[Diagnostic]:
    if spec.compute is None or spec.compute.size is None or not spec.trains:
        return []
    allowed = facts.model.finetune_sizes if facts.model else None
    return _size_for(_Use("training clusters", "fine-tuning", ("compute", "size")), spec.compute.size, allowed, spec, facts)


def _deployment(spec: Spec, facts: Facts) -> list[Diagnostic]:
    if spec.deployment is None:
        return []
    allowed = facts.model.inference_sizes if facts.model else None
    use = _Use("managed online endpoints", "serving", ("deployment", "size"))
    return _size_for(use, spec.deployment.size, allowed, spec, facts)


@dataclass(frozen=True, slots=True)
class _Use:
    """What a size is used for, in words, and where the spec names it."""

    place: str
    purpose: str
    path: SpecPath


def _size_for(use: _Use, name: str, allowed: tuple[str, ...] | None, spec: Spec, facts: Facts) -> list[Diagnostic]:
    size, lenient = facts.size(name), Severity.WARNING if spec.lifecycle.allow_unlisted else Severity.ERROR
    if size is None:
        near = near_names(name, (fact.name for fact in facts.sizes.values()))
        hint = "did you mean " + " or ".join(f"`{entry}`" for entry in near) + "?" if near else ""
        return [Diagnostic("FF150", f"there is no VM size `{name}`", lenient, use.path, hint=hint)]
    if allowed is None and use.purpose == "fine-tuning" and name.lower() in K80_SIZES:
        return [Diagnostic("FF153", f"`{size.name}` (K80) is too old to fine-tune anything", path=use.path)]
    if size.retired and size.retired <= facts.today:
        hint = _listed(allowed, facts) if allowed else ""
        return [Diagnostic("FF151", f"`{size.name}` ({size.gpu_model}) was retired on {size.retired}", path=use.path, hint=hint)]
    found = []
    if size.retired:
        found.append(Diagnostic("FF151", f"`{size.name}` will be retired on {size.retired}", Severity.WARNING, use.path))
    if not (size.training if use.purpose == "fine-tuning" else size.endpoint):
        return [*found, Diagnostic("FF152", f"`{size.name}` cannot be used for {use.place}", path=use.path)]
    if facts.model is None:
        return found
    if allowed is None:
        message = f"`{facts.model.name}` carries no list of sizes for {use.purpose}; `{size.name}` is not checked"
        return [*found, Diagnostic("FF154", message, Severity.WARNING, use.path)]
    if name.lower() not in {entry.lower() for entry in allowed}:
        message = f"`{size.name}` is not in the list of sizes for {use.purpose} `{facts.model.name}`"
        found.append(Diagnostic("FF153", message, lenient, use.path, hint=_listed(allowed, facts)))
    return found


def _listed(allowed: tuple[str, ...], facts: Facts) -> str:
    """The sizes of a model's list that are still offered, for a hint."""
    known = [fact for name in allowed if (fact := facts.size(name))]
    live = [fact.name for fact in known if not (fact.retired and fact.retired <= facts.today)]
    return "listed: " + (", ".join(f"`{name}`" for name in live) or "none that is still offered")


def _nodes(spec: Spec, facts: Facts, parameters: Mapping[str, Parameter]) -> list[Diagnostic]:
    compute = spec.compute
    if compute is None:
        return []
    found = []
    if not compute.serverless and spec.job.nodes > compute.max_nodes and not compute.existing:
        message = f"`job.nodes` is {spec.job.nodes}, the cluster has at most {compute.max_nodes}"
        found.append(Diagnostic("FF155", message, path=("job", "nodes"), hint="raise `compute.max_nodes`"))
    size = facts.size(compute.size)
    given = parameters.get("number_of_gpu_to_use_finetuning")
    if size is None or given is None:
        return found
    if size.gpus == 0:
        found.append(Diagnostic("FF156", f"`{size.name}` has no GPU", path=("compute", "size"), hint="training needs one"))
    elif isinstance(given.value, int) and given.value > size.gpus:
        message = f"`{given.name}` is {given.value}, a `{size.name}` node has {size.gpus}"
        found.append(Diagnostic("FF156", message, path=spec_path(spec, given.name)))
    elif given.origin == "component default" and given.value != size.gpus:
        message = f"`{given.name}` is {given.value}, the component's default, and a `{size.name}` node has {size.gpus}"
        hint = f"write `size: {size.name}`, and all are used"
        found.append(Diagnostic("FF156", message, Severity.WARNING, ("compute",), hint=hint))
    return found


def check_seen(spec: Spec, facts: Facts, parameters: Mapping[str, Parameter], size: str | None) -> list[Diagnostic]:
    """What only a look at the cluster tells, where the spec does not name its `size`: whether the model may be trained there, and
    what becomes of its GPUs."""
    if spec.compute is None or spec.compute.size is not None or size is None:
        return []
    seen = spec.model_copy(update={"compute": spec.compute.model_copy(update={"size": size})})
    return [*_compute(seen, facts), *_nodes(seen, facts, parameters)]


def _gates(spec: Spec) -> list[Diagnostic]:
    return [
        Diagnostic(
            "FF157",
            f"`{gate.name}` is not a metric that fineforge knows",
            Severity.WARNING,
            ("gates", "metrics", index, "name"),
            hint=_near(gate.name, KNOWN_METRICS),
        )
        for index, gate in enumerate(spec.gates.metrics)
        if gate.name not in KNOWN_METRICS
    ]


def _near(name: str, known: Collection[str]) -> str:
    near = near_names(name, sorted(known), 1)
    return f"did you mean `{near[0]}`?" if near else "known: " + ", ".join(f"`{entry}`" for entry in sorted(known))


_ENDING = [name for name, kind in KINDS.items() if kind.end is not End.STAY]
"""Kinds of which a destroy ends anything."""


def _lifecycle(spec: Spec) -> list[Diagnostic]:
    found = [
        Diagnostic(
            "FF158", f"`{kind}` is not a kind of object", path=("lifecycle", "prevent_destroy", index), hint=_near(kind, _ENDING)
        )
        for index, kind in enumerate(spec.lifecycle.prevent_destroy)
        if kind not in _ENDING
    ]
    for index, name in enumerate(spec.lifecycle.ignore):
        path: SpecPath = ()
        for part in name.split("."):
            known = known_keys(Spec, path)
            if known and part not in known:
                message = f"`{name}` is not a key of the spec"
                found.append(Diagnostic("FF158", message, path=("lifecycle", "ignore", index), hint=_near(part, known)))
                break
            path = (*path, part)
    return found
