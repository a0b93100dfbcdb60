"""A spec with everything that can be known of it without a network: for tests of the pure core.

The catalog is the shipped snapshot; datasets are invented digests, so that names are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fineforge.catalog import snapshot
from fineforge.config import project, source
from fineforge.config import spec as specs
from fineforge.core.diagnostics import Diagnostic
from fineforge.core.facts import DatasetFact, Facts
from fineforge.core.objects import Desired
from fineforge.resources import naming
from fineforge.resources import parameters as params
from fineforge.resources.facts import snapshot_facts
from fineforge.resources.kinds import KINDS, Context, desired_all
from fineforge.resources.templates import Templates

TODAY = "2026-11-24"
WORKSPACE = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg-models"
    "/providers/microsoft.machinelearningservices/workspaces/models-dev"
)

SUPPORT = """\
version: 1
name: support
component: {version: "0.0.82"}
model: {name: Phi-4, version: "8"}
dataset:
  source: data/support
  splits: {train: {percent: 50}, validation: {rows: 20}}
compute: {name: gpu-a100, size: Standard_NC96ads_A100_v4}
training: {num_train_epochs: 1, learning_rate: 5.0e-6}
optimization: {apply_lora: true}
register: {name: support}
endpoint: {}
deployment:
  size: Standard_NC24ads_A100_v4
  request: {timeout_ms: 90000}
  probe: {initial_delay: 600}
  environment_variables: {LOG_LEVEL: info}
tags: {team: helpdesk}
"""
"""What most specs are like."""

FULL = """\
version: 1
name: support
component: {version: "0.0.82"}
model: {name: Phi-4, version: "8"}
dataset:
  source: data/support
  splits: {train: {percent: 50}, validation: {rows: 20}}
compute:
  name: gpu-a100
  size: Standard_NC96ads_A100_v4
  subnet: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/v/subnets/s
  public_ip: false
  identity: user_assigned
  user_identities: [/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ids/providers/M/u/i]
training: {num_train_epochs: 1, learning_rate: 5.0e-6}
optimization: {apply_lora: true}
register: {name: support, registry: shared-models}
endpoint: {}
deployment:
  size: Standard_NC24ads_A100_v4
  request: {timeout_ms: 90000}
  probe: {initial_delay: 600}
  environment: azureml:serving:3
  scoring: {code: azureml:scoring:1, script: score.py}
  environment_variables: {LOG_LEVEL: info}
  egress: private
tags: {team: helpdesk}
"""
"""Every kind of object, and every field that a template can write."""


@dataclass(frozen=True)
class Made:
    """A spec, thought through to its rendered objects."""

    spec: specs.Spec
    facts: Facts
    parameters: Mapping[str, params.Parameter]
    problems: tuple[Diagnostic, ...]
    context: Context
    desired: tuple[Desired, ...]

    def __getitem__(self, kind: str) -> Desired:
        """The only, or first, object of a kind."""
        return next(want for want in self.desired if want.key.kind == kind)


@cache
def shipped() -> dict[str, str]:
    return project.templates(project.Project("", Path.cwd()))


def read(text: str) -> specs.Spec:
    return specs.parse(source.load(text.encode(), "spec.yaml"))


def make(
    text: str = SUPPORT,
    *,
    templates: Mapping[str, str] | None = None,
    datasets: Mapping[str, DatasetFact] | None = None,
    attempt: int = 1,
    project_name: str = "shop",
    catalog: snapshot.Snapshot | None = None,
) -> Made:
    """`templates` go over the shipped ones; `datasets` replace the invented ones. Raises what rendering raises."""
    spec = read(text)
    data = datasets if datasets is not None else invented(spec)
    facts, unknown = snapshot_facts(spec, TODAY, data, WORKSPACE, known=catalog)
    parameters, problems = params.resolve(spec, facts)
    named = naming.identify(spec, facts, parameters, attempt)
    context = Context(spec, facts, named, parameters, project_name, dict(spec.tags))
    desired = desired_all(context, Templates({**shipped(), **(templates or {})}))
    return Made(spec, facts, parameters, (*unknown, *problems), context, desired)


def invented(spec: specs.Spec) -> dict[str, DatasetFact]:
    """Facts of local files that do not exist: the revision of each split is its number, 64 times."""
    if spec.dataset is None or not spec.trains:
        return {}
    return {
        name: DatasetFact(
            name,
            spec.dataset.source,
            f"{number}" * 64,
            {key: value for key in ("percent", "rows") if (value := getattr(split, key)) is not None}
            | {"from": split.from_ or name},
        )
        for number, (name, split) in enumerate(spec.dataset.splits.given().items(), 1)
    }


def leaves(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted path -> value of everything in a document that is not a mapping; lists are leaves."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, Mapping) and value:
            found |= leaves(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


__all__ = ["FULL", "KINDS", "SUPPORT", "TODAY", "WORKSPACE", "Made", "invented", "leaves", "make", "read", "shipped", "snapshot"]
