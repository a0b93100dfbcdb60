"""Pipeline jobs that fine-tune. Their name carries the digest of everything that decides the result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fineforge.catalog.facts import ComponentFact
from fineforge.config.spec import Spec
from fineforge.core.objects import Status
from fineforge.core.plan import Billing
from fineforge.resources import parameters
from fineforge.resources.fields import Change, FieldRule
from fineforge.resources.kinds.base import USER_TAGS, Api, Context, End, Kind, Wanted, asset_bindings, identity_rules

_DIGESTED = "the service cannot change it, and the job's name carries its digest"


def _wanted(context: Context) -> Iterable[Wanted]:
    spec, facts, key = context.spec, context.facts, context.identity.job
    if key is None or facts.component is None or facts.model is None:
        return
    bound = asset_bindings(context)
    inputs: dict[str, Any] = {}
    if bound.model is not None:
        inputs[bound.model] = _asset(facts.component, bound.model, facts.model.id)
    for split, data in context.identity.data.items():
        if split in bound.splits:
            inputs[bound.splits[split]] = _asset(facts.component, bound.splits[split], f"azureml:{data.name}:{data.version}")
    inputs |= {name: _typed(parameter) for name, parameter in parameters.explicit(context.parameters).items()}
    variables = {
        "name": key.name,
        "display_name": spec.job.display_name or display_name(context),
        "experiment": spec.job.experiment or f"{spec.task.replace('-', '_')}_{facts.model.name}",
        "component": {"name": facts.component.name, "id": facts.component.id, "type": facts.component.type},
        "inputs": inputs,
        "output": {"name": bound.trained_model, "type": bound.output_type},
        **_where(spec, facts.component),
    }
    depends_on = (*context.identity.data.values(), *([context.identity.compute] if context.identity.compute else []))
    yield Wanted(key, variables, ("job",) if "job" in spec.model_fields_set else ("training",), depends_on)


def _asset(component: ComponentFact, name: str, path: str) -> Any:
    """An asset as a job's YAML gives it; an input of text gets the reference as text."""
    kind = component.inputs[name].type
    return path if kind == "string" else {"type": kind, "path": path}


def _where(spec: Spec, component: ComponentFact) -> dict[str, Any]:
    """Where a component runs that has no inputs of its own to say so."""
    compute = spec.compute
    if compute is None or any(name in component.inputs for name in parameters.COMPUTE_INPUTS):
        return {"default_compute": None, "resources": None}
    resources: dict[str, Any] = {"instance_count": spec.job.nodes} if component.type == "command" else {}
    if compute.serverless and component.type == "command":
        resources["instance_type"] = compute.size
    return {"default_compute": f"azureml:{compute.name}" if compute.name else "serverless", "resources": resources or None}


def display_name(context: Context) -> str:
    """The walkthrough's form: `<model>-<dataset>-bs<global batch>-<scheduler>-<ds stage>-<lora>-save_limit<n>-seqlen<n>`."""
    assert context.facts.model is not None and context.spec.dataset is not None
    values = {name: parameter.wire for name, parameter in context.parameters.items()}

    def count(name: str) -> int:
        return int(values.get(name) or 1)

    batch = count("per_device_train_batch_size") * count("gradient_accumulation_steps")
    batch *= count("number_of_gpu_to_use_finetuning") * count("num_nodes_finetune")
    source = context.spec.dataset.source_of("train").rstrip("/").split("@")[0].split("/")[-1]
    return "-".join(
        (
            context.facts.model.name,
            source.split("_")[0].removesuffix(".jsonl"),
            f"bs{batch}",
            values.get("lr_scheduler_type", "linear"),
            f"ds{values.get('deepspeed_stage')}" if values.get("apply_deepspeed") == "true" else "nods",
            "lora" if values.get("apply_lora") == "true" else "nolora",
            f"save_limit{values.get('save_total_limit', '-1')}",
            f"seqlen{values.get('max_seq_length', '-1')}",
        )
    )


def _typed(parameter: parameters.Parameter) -> Any:
    """Enumerations as text, as the component declares them; numbers as numbers."""
    return parameter.value if parameter.input.type in ("integer", "number") else parameter.wire


JOB = Kind(
    name="job",
    rules=(
        *identity_rules("$schema", "type", "name"),
        FieldRule("display_name", "properties.displayName", form="text", spec="job.display_name"),
        FieldRule("experiment_name", change=Change.IGNORE, reason="the service cannot change it after the job was created"),
        FieldRule("settings.*", change=Change.IGNORE, reason="the service cannot change it after the job was created"),
        FieldRule("jobs.*", change=Change.IGNORE, reason=_DIGESTED),
        FieldRule("outputs.*", change=Change.IGNORE, reason="the service cannot change it after the job was created"),
        USER_TAGS,
    ),
    wanted=_wanted,
    state="properties.status",
    states={
        "completed": Status.COMPLETED,
        "failed": Status.FAILED,
        "canceled": Status.CANCELED,
        "notresponding": Status.FAILED,
        "cancelrequested": Status.BUSY,
        **dict.fromkeys(
            ("notstarted", "starting", "provisioning", "preparing", "queued", "running", "finalizing", "paused", "unknown"),
            Status.RUNNING,
        ),
    },
    end=End.ARCHIVE,
    api=Api(
        "jobs/{name}",
        "2024-01-01-preview",
        "load_job",
        "jobs",
        list_query="&listViewType=All&jobType=Pipeline&tag=fineforge-spec",
    ),
    end_order=40,
    is_output=True,
    is_followed=True,
    billing=Billing.RUN,
)
"""States: azure-ai-ml 1.35.2 `_run_history_constants`."""
