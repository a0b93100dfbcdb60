"""The names and digests of every object of one spec: computed once, purely, from the spec and the facts.

Equal wishes get equal names, whoever asks and whenever: that is what makes an apply repeatable without a state file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fineforge.config.spec import Deployment, Spec
from fineforge.core.facts import DatasetFact, Facts
from fineforge.core.objects import ResourceKey
from fineforge.resources import parameters as params
from fineforge.resources.ownership import digest, short
from fineforge.resources.parameters import Parameter

PREPARATION = 1
"""Number of the dataset preparation: raised when the same recipe writes other bytes."""


@dataclass(frozen=True, slots=True)
class Identity:
    compute: ResourceKey | None = None
    data: Mapping[str, ResourceKey] = field(default_factory=dict)
    """By split."""
    job: ResourceKey | None = None
    model: ResourceKey | None = None
    publication: ResourceKey | None = None
    """The model's copy in a registry."""
    endpoint: ResourceKey | None = None
    deployment: ResourceKey | None = None
    digests: Mapping[ResourceKey, str] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[ResourceKey, ...]:
        """Every object that the spec wants."""
        alone = (self.compute, self.job, self.model, self.publication, self.endpoint, self.deployment)
        return (*self.data.values(), *(key for key in alone if key is not None))


def identify(spec: Spec, facts: Facts, parameters: Mapping[str, Parameter], attempt: int = 1) -> Identity:
    """Keys and digests of the objects that the spec wants. `attempt` counts a job's retries from 1."""
    digests: dict[ResourceKey, str] = {}

    def named(key: ResourceKey, content_digest: str) -> ResourceKey:
        digests[key] = content_digest
        return key

    compute = _compute(spec)
    if compute is not None:
        named(compute, digest(["compute", compute.name]))
    data = {split: named(*_data(spec, fact)) for split, fact in facts.datasets.items()} if spec.trains else {}
    job = model = publication = endpoint = deployment = None
    if spec.trains and facts.component is not None and facts.model is not None:
        job_digest = _job_digest(spec, facts, parameters, {split: digests[key] for split, key in data.items()})
        suffix = f"-r{attempt}" if attempt > 1 else ""
        job = named(ResourceKey("job", f"{spec.name}-{short(job_digest)}{suffix}", attempt=attempt), job_digest)
        if spec.register_ is not None:
            model = named(ResourceKey("model", spec.register_.name, model_version(job_digest)), job_digest)
            if spec.register_.registry is not None:
                publication = named(replace(model, kind="publication", parent=spec.register_.registry), job_digest)
    elif spec.model.registered is not None:
        model = registered_model(spec.model.registered)
        where = [model.parent] if model.parent else []
        named(model, digest(["registered", *where, model.name, model.version]))
    if spec.endpoint is not None:
        endpoint = ResourceKey("endpoint", spec.endpoint.name or default_endpoint_name(spec.name, facts.workspace_id))
        named(endpoint, digest(["endpoint", endpoint.name]))
    if spec.deployment is not None and endpoint is not None and model is not None:
        content = digest(["deployment", *_served(spec.deployment, model)])
        deployment = named(ResourceKey("deployment", f"d-{short(content)}", parent=endpoint.name), content)
    return Identity(compute, data, job, model, publication, endpoint, deployment, digests)


def recipe_digest(fact: DatasetFact) -> str:
    """Digest of a split's content before it is prepared: equal recipes over equal bytes prepare equal files."""
    return digest(["data", PREPARATION, fact.revision, dict(fact.selection)])


def upload_path(spec: Spec, fact: DatasetFact) -> str:
    """Where a prepared split lies in the default datastore: below its digest, so that nothing is ever overwritten."""
    return f"fineforge/{recipe_digest(fact)}/{fact.split}.jsonl"


def model_version(job_digest: str) -> str:
    """A workspace model's version must be a positive integer; seven hexadecimal digits stay below 2**28."""
    return str(int(job_digest[:7], 16) + 1)


def default_endpoint_name(spec_name: str, workspace_id: str) -> str:
    """Unique in the region, as it is a DNS label, so with single dashes: the spec's name and the workspace's digest."""
    label = re.sub("-+", "-", spec_name)[:26].rstrip("-")
    return f"{label}-{digest(['workspace', workspace_id.lower()])[:5]}"


def registered_model(reference: str) -> ResourceKey:
    """The model of `azureml:NAME:VERSION`, or of `azureml://registries/R/models/NAME/versions/VERSION`."""
    if "://" not in reference:
        _, name, version = reference.split(":")
        return ResourceKey("model", name, version)
    _, registry, _, name, _, version = reference.removeprefix("azureml://").split("/")
    return ResourceKey("model", name, version, parent=registry)


def _served(deployment: Deployment, model: ResourceKey) -> list[str]:
    """What a deployment's name stands for. What is not given is left out, so that names of old stay as they are."""
    served = [*([model.parent] if model.parent else []), model.name, model.version or "", deployment.size.lower()]
    if deployment.environment is not None:
        served.append(f"environment {deployment.environment}")
    if deployment.scoring is not None:
        served.append(f"scoring {deployment.scoring.code} {deployment.scoring.script}")
    return served


def _compute(spec: Spec) -> ResourceKey | None:
    if not spec.trains or spec.compute is None or spec.compute.name is None:
        return None
    return ResourceKey("compute", spec.compute.name)


def _data(spec: Spec, fact: DatasetFact) -> tuple[ResourceKey, str]:
    if fact.asset:
        _, name, version = fact.asset.split(":")
        return ResourceKey("data", name, version), digest(["asset", name, version])
    content = recipe_digest(fact)
    return ResourceKey("data", f"{spec.name}-{fact.split}", short(content)), content


def _job_digest(spec: Spec, facts: Facts, parameters: Mapping[str, Parameter], data: Mapping[str, str]) -> str:
    assert facts.component is not None and facts.model is not None
    content = {
        "component": facts.component.id,
        "model": facts.model.id,
        "data": dict(data),
        "inputs": params.effective(parameters),
        "nodes": spec.job.nodes,
    }
    assets = spec.component.assets.model_dump(exclude_none=True)
    return digest({**content, "assets": assets} if assets else content)
