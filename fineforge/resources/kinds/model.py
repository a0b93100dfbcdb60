"""Registered models: the output of a completed job, its version a positive integer from the job's digest."""

from __future__ import annotations

from collections.abc import Iterable

from fineforge.resources.fields import Change, FieldRule
from fineforge.resources.kinds.base import (
    PROVISIONING,
    USER_TAGS,
    Api,
    Context,
    End,
    Kind,
    Wanted,
    asset_bindings,
    identity_rules,
)


def _wanted(context: Context) -> Iterable[Wanted]:
    key, job = context.identity.model, context.identity.job
    if key is None:
        return
    if job is None:
        yield Wanted(key, {}, ("model", "registered"), existing=True)
        return
    path = f"azureml://jobs/{job.name}/outputs/trained_model"
    kind = asset_bindings(context).registered_type
    variables = {"type": kind, "name": key.name, "version": key.version, "path": path, "lineage": _lineage(context)}
    yield Wanted(key, variables, ("register",), (job,))


def _lineage(context: Context) -> dict[str, str]:
    """What a model was made of, for whoever finds it later; the digest, and the commit where there is one, stand beside it."""
    model, component, job = context.facts.model, context.facts.component, context.identity.job
    made_of = {
        "base-model": model.id if model else "",
        "component": component.id if component else "",
        "job": job.name if job else "",
        **{f"data-{split}": f"azureml:{key.name}:{key.version}" for split, key in context.identity.data.items()},
    }
    return {f"fineforge-{name}": value[:256] for name, value in made_of.items() if value}


MODEL = Kind(
    name="model",
    rules=(
        *identity_rules("$schema", "name", "version"),
        FieldRule("type", "properties.modelType", Change.FIXED, "caseless", reason="a version's content never changes"),
        FieldRule(
            "path",
            change=Change.IGNORE,
            reason="the service answers where the job's output lies, not the output's name; the digest tag says which job it was",
        ),
        USER_TAGS,
    ),
    wanted=_wanted,
    state="properties.provisioningState",
    states=PROVISIONING,
    end=End.ARCHIVE,
    api=Api("models/{name}/versions/{version}", "2023-08-01-preview", "load_model", "models", list_query="&listViewType=All"),
    end_order=30,
    is_output=True,
    fixed={"name": "name", "version": "version", "path": "path"},
)
