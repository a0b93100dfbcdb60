"""Registered models: the output of a completed job, its version a positive integer from the job's digest."""

from __future__ import annotations

from collections.abc import Iterable

from fineforge.fields import Change, FieldRule
from fineforge.kinds.base import PROVISIONING, USER_TAGS, Context, End, Kind, Wanted, identity_rules


def _wanted(context: Context) -> Iterable[Wanted]:
    key, job = context.identity.model, context.identity.job
    if key is None or job is None:
        return
    variables = {"name": key.name, "version": key.version, "path": f"azureml://jobs/{job.name}/outputs/trained_model"}
    yield Wanted(key, variables, ("register",), (job,))


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
    fixed={"name": "name", "version": "version", "path": "path"},
)
