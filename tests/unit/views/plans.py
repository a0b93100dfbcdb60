"""Real plans for the views' tests: the planner's own, over the offline catalog and worlds made of what it wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from fineforge.catalog import snapshot
from fineforge.config import project, source
from fineforge.config import spec as specs
from fineforge.core.facts import DatasetFact, Facts, World
from fineforge.core.gateway import Workspace
from fineforge.core.objects import Desired, Observed, ResourceKey, Status
from fineforge.core.plan import Mode, Plan
from fineforge.planner import Options, plan
from fineforge.resources import naming, ownership
from fineforge.resources import parameters as params
from fineforge.resources.kinds import Context, desired_all
from fineforge.resources.templates import Templates

TODAY = "2026-11-24"
WORKSPACE = Workspace("dev", "00000000-0000-0000-0000-000000000001", "rg-models", "models-dev")
SPEC = Path(__file__).parent / "phi4-support.yaml"


def load(text: bytes | None = None) -> tuple[specs.Spec, Facts, dict[str, params.Parameter]]:
    parsed = specs.parse(source.load(text or SPEC.read_bytes(), str(SPEC.name)))
    catalog = snapshot.load()
    facts = Facts(
        workspace_id=WORKSPACE.id,
        location="eastus",
        today=TODAY,
        model=catalog.models[(parsed.model.name or "", parsed.model.version or "")],
        component=catalog.components[("chat_completion_pipeline", parsed.component.version or "")],
        sizes=catalog.sizes,
        datasets={
            split: DatasetFact(split, "data/support", f"{number}" * 64, {"from": split, "percent": 5})
            for number, split in enumerate(parsed.dataset.splits.given() if parsed.dataset else (), 1)
        },
    )
    parameters, _ = params.resolve(parsed, facts)
    return parsed, facts, parameters


def desired(text: bytes | None = None) -> tuple[Desired, ...]:
    spec, facts, parameters = load(text)
    context = Context(spec, facts, naming.identify(spec, facts, parameters), parameters, spec.name, dict(spec.tags))
    return desired_all(context, Templates(project.templates(project.Project("", Path.cwd()))))


def world(wanted: tuple[Desired, ...], edits: Mapping[str, Mapping[str, Any]] | None = None) -> World:
    """A world that is what `wanted` says, but for `edits`: kind -> top-level keys of its document."""
    observed: dict[ResourceKey, Observed | None] = {}
    for want in wanted:
        tags = {str(key): str(value) for key, value in (yaml.safe_load(want.text).get("tags") or {}).items()}
        document = {**want.document, "tags": {k: v for k, v in tags.items() if not ownership.is_owner_tag(k)}}
        if want.key.kind == "endpoint":
            document["traffic"] = {other.key.name: 100 for other in wanted if other.key.kind == "deployment"}
        document |= (edits or {}).get(want.key.kind, {})
        status = Status.COMPLETED if want.key.kind == "job" else Status.READY
        observed[want.key] = Observed(want.key, document, ownership.from_tags(tags), status, "f" * 12, tags=tags)
    return World(observed, frozenset({"compute", "data", "job", "model", "endpoint", "deployment"}))


def make(mode: Mode = Mode.APPLY, now: World | None = None, text: bytes | None = None) -> Plan:
    """The plan of the sample spec; `now` is the world, an empty one unless told."""
    spec, facts, parameters = load(text)
    wanted = desired(text)
    empty = World({want.key: None for want in wanted})
    told = {
        "workspace": {
            "target": "dev",
            "subscription_id": WORKSPACE.subscription_id,
            "resource_group": WORKSPACE.resource_group,
            "name": WORKSPACE.name,
            "location": facts.location,
        },
        "model": facts.model.id if facts.model else None,
        "twin": False,
        "component": facts.component.id if facts.component else None,
        "data": {k: {"source": v.source, "revision": v.revision, **v.selection} for k, v in facts.datasets.items()},
        "parameters": {
            name: {
                "value": entry.value,
                "origin": entry.origin,
                "overridden": [{"origin": origin, "value": value} for origin, value in entry.overridden],
            }
            for name, entry in params.explicit(parameters).items()
        },
    }
    options = Options(project=spec.name, target="dev")
    made = plan(spec, wanted if mode is Mode.APPLY else (), facts, now or empty, mode, options, told)
    return replace(made, spec_digest="0" * 64)
