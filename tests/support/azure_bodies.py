"""The ARM bodies that azure-ai-ml sends, made without it, and what Azure's rules answer once they are sent.

tests/unit/azure/test_sent_bodies.py compares every body with the SDK's own PUT. The only Azure behind the answers is the
emulator's `Cloud`: no test writes a body of the service by hand.
"""

from __future__ import annotations

import copy
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import isodate  # type: ignore[import-untyped]
import yaml

from fineforge.core.objects import Desired, ResourceKey
from fineforge.core.plan import Action, FieldChange
from fineforge.emulator.lifecycle import Lifecycle, Progression
from fineforge.emulator.rules import Cloud, Reply, Settings
from fineforge.emulator.runner.instant import InstantRunner
from fineforge.emulator.storage.store import Store
from fineforge.resources import fields
from fineforge.resources.kinds import KINDS
from tests.support.offline import leaves

CREATED = 1_795_168_800.0
"""When the objects of `answers` were created: 2026-11-20, 10:00 UTC."""
COLLECTIONS = {"model": "models", "environmentId": "environments", "codeId": "codes"}
CONVERSATION = [{"role": "user", "content": "When do you open?"}, {"role": "assistant", "content": "At nine."}]


def path_of(key: ResourceKey) -> tuple[str, ...]:
    return tuple(part for part in (key.parent, key.name, key.version) if part is not None)


def sent(kind: str, document: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the body that azure-ai-ml sends for a YAML document of this kind."""
    if kind == "publication":
        return _publication(document, settings)
    location = {"location": settings.location} if kind in ("compute", "endpoint", "deployment") else {}
    tags = {str(name): str(value) for name, value in (document.get("tags") or {}).items()}
    rules = KINDS[kind].rules
    changes = [
        FieldChange(path, None, value, Action.CREATE, "")
        for path, value in leaves({key: value for key, value in document.items() if key != "tags"}).items()
        if fields.rule_of(path, rules)[0].wire
    ]
    body = fields.patch({**location, "properties": {}}, changes, rules, tags)
    ADDED[kind](body, document, settings)
    return body


def _compute(body: dict[str, Any], _: Mapping[str, Any], __: Settings) -> None:
    body["properties"] |= {"computeType": "AmlCompute", "disableLocalAuth": True}
    cluster = body["properties"]["properties"]
    cluster |= {"osType": "Linux", "remoteLoginPortPublicAccess": "NotSpecified"}
    cluster.setdefault("enableNodePublicIp", True)
    _spell_durations(cluster["scaleSettings"], "nodeIdleTimeBeforeScaleDown")


def _asset(body: dict[str, Any], document: Mapping[str, Any], _: Settings) -> None:
    body["properties"] |= {"isAnonymous": False, "isArchived": False, "properties": {}}
    if "modelType" in body["properties"]:
        body["properties"]["modelUri"] = document["path"]


def _endpoint(body: dict[str, Any], _: Mapping[str, Any], __: Settings) -> None:
    body["identity"] = {"type": "SystemAssigned"}
    body["properties"] |= {"traffic": {}, "mirrorTraffic": {}, "properties": {}}


def _deployment(body: dict[str, Any], _: Mapping[str, Any], settings: Settings) -> None:
    properties = body["properties"]
    for place in (properties, properties.get("codeConfiguration", {})):
        for name in COLLECTIONS.keys() & place.keys():
            place[name] = _long_id(place[name], COLLECTIONS[name], settings)
    properties |= {"endpointComputeType": "Managed", "appInsightsEnabled": False, "properties": {}}
    if "egressPublicNetworkAccess" in properties:
        properties["egressPublicNetworkAccess"] = properties["egressPublicNetworkAccess"].lower()
    _spell_durations(properties.get("requestSettings", {}), "requestTimeout")
    _spell_durations(properties.get("livenessProbe", {}), "initialDelay", "period", "timeout")
    body["sku"]["name"] = "Default"


def _job(body: dict[str, Any], document: Mapping[str, Any], settings: Settings) -> None:
    nodes = {}
    for name, step in document["jobs"].items():
        inputs = {
            key: {"job_input_type": value["type"], "uri": _long_id(value["path"], "data", settings)}
            if isinstance(value, dict)
            else {"job_input_type": "literal", "value": str(value)}
            for key, value in step["inputs"].items()
        }
        nodes[name] = {
            "name": name,
            "type": "pipeline",
            "_source": "REMOTE.REGISTRY",
            "componentId": step["component"],
            "inputs": inputs,
            "outputs": {key: {"type": "literal", "value": value} for key, value in step["outputs"].items()},
        }
    body["properties"] |= {
        "jobType": "Pipeline",
        "isArchived": False,
        "experimentName": document["experiment_name"],
        "jobs": nodes,
        "inputs": {},
        "properties": {},
        "settings": {**document["settings"], "_source": "YAML.JOB"},
        "outputs": {name: {"jobOutputType": "mlflow_model", "mode": "ReadWriteMount"} for name in document["outputs"]},
    }


ADDED = {"compute": _compute, "data": _asset, "job": _job, "model": _asset, "endpoint": _endpoint, "deployment": _deployment}
"""What the SDK adds to, or spells differently from, the fields of the YAML."""


def _publication(document: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    _, name, version = document["model"].split(":")
    workspace = f"azureml://locations/{settings.location}/workspaces/{settings.workspace_id}"
    return {
        "properties": {
            "referenceType": "Id",
            "destinationName": document["name"],
            "destinationVersion": str(document["version"]),
            "sourceAssetId": f"{workspace}/models/{name}/versions/{version}",
        }
    }


def _long_id(short: str, collection: str, settings: Settings) -> str:
    """Return the ARM id of `azureml:NAME:VERSION`; any other address unchanged."""
    asset = re.fullmatch(r"(?:azureml:)?([^/:]+):([^/:]+)", short)
    return f"{settings.workspace_path}/{collection}/{asset[1]}/versions/{asset[2]}" if asset else short


def _spell_durations(settings: dict[str, Any], *names: str) -> None:
    """Write `PT120S` as `PT2M`, as the SDK's serializer does."""
    for name in names & settings.keys():
        duration = isodate.parse_duration(settings[name])
        assert isinstance(duration, timedelta), settings
        settings[name] = isodate.duration_isoformat(duration)


# --- what the service answers ---------------------------------------------------------------------------------------


def answers(desired: Iterable[Desired]) -> dict[ResourceKey, dict[str, Any]]:
    """Return a GET of every object once all of them were created, in this order, and are ready."""
    return copy.deepcopy(_answers(tuple((want.key, want.text) for want in desired)))


@cache
def _answers(wanted: tuple[tuple[ResourceKey, str], ...]) -> dict[ResourceKey, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as home:
        lifecycle = Lifecycle(Progression.INSTANT, clock=lambda: CREATED)
        cloud = Cloud(Path(home), InstantRunner(), Store(), lifecycle, Settings())
        for key, text in wanted:
            if key.parent and key.kind in ("model", "publication"):
                cloud.planted.registry(key.parent)
            if text:
                put(cloud, key, yaml.safe_load(text))
            else:
                _put_existing(cloud, key)
        found = {key: get(cloud, key) for key, _ in wanted}
        cloud.close()
        return found


EXISTING: dict[str, dict[str, Any]] = {
    "compute": {
        "size": "Standard_DS3_v2",
        "tier": "dedicated",
        "min_instances": 0,
        "max_instances": 1,
        "idle_time_before_scale_down": 120,
    },
    "endpoint": {"auth_mode": "key"},
    "model": {"type": "mlflow_model", "path": "azureml://datastores/workspaceblobstore/paths/theirs/model"},
}
"""What a spec that only names an object finds."""


def _put_existing(cloud: Cloud, key: ResourceKey) -> None:
    document = EXISTING[key.kind]
    if key.kind == "model":
        upload(cloud, "theirs/model/MLmodel")
    put(cloud, replace(key, parent=None), document)
    if key.parent is not None:
        copied = {"model": f"azureml:{key.name}:{key.version}", "name": key.name, "version": key.version}
        put(cloud, replace(key, kind="publication"), copied)


def put(cloud: Cloud, key: ResourceKey, document: Mapping[str, Any]) -> Reply:
    """Create an object as azure-ai-ml does, with what it needs that no document creates: uploads and a registry."""
    body = sent(key.kind, document, cloud.settings)
    if key.kind == "publication":
        return cloud.post("registry_model", (key.parent or "",), "import", body)
    if key.kind == "data":
        upload(cloud, document["path"].split("/paths/")[1])
    return cloud.put(key.kind, path_of(key), body)


def upload(cloud: Cloud, name: str) -> None:
    """Put one conversation into the default container."""
    target = cloud.blobs.path(cloud.settings.container, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_row(target)


def write_row(file: Path) -> None:
    file.write_text(json.dumps({"messages": CONVERSATION}) + "\n", encoding="utf-8")


def get(cloud: Cloud, key: ResourceKey) -> dict[str, Any]:
    kind = "registry_model" if key.parent and key.kind in ("model", "publication") else key.kind
    body: dict[str, Any] = cloud.get(kind, path_of(key)).body
    return body


def edit(raw: dict[str, Any], place: str, value: Any) -> None:
    """Set one place of a body; None deletes it. A part in the last place may hold dots when written after `|`: `tags|a.b`."""
    parents, _, last = place.rpartition("|") if "|" in place else place.rpartition(".")
    inner = raw
    for part in parents.split(".") if parents else ():
        inner = inner.setdefault(part, {})
    if value is None:
        inner.pop(last, None)
    else:
        inner[last] = value
