"""ARM bodies of the objects that a spec wants, as the service answers them: recorded shapes, filled in by the field rules.

What is here is what the service adds by itself (defaults, long ids, spelling); the fields come from the rendered document.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import yaml

from fineforge.core.objects import Desired
from fineforge.core.plan import Action, ChangeReason, FieldChange
from fineforge.resources import fields
from fineforge.resources.kinds import KINDS
from tests.support.offline import WORKSPACE, leaves

SYSTEM = {"createdAt": "2026-11-20T10:00:00+00:00", "createdBy": "somebody", "createdByType": "Application"}

EMPTY: dict[str, dict[str, Any]] = {
    "compute": {
        "location": "eastus",
        "properties": {
            "computeType": "AmlCompute",
            "provisioningState": "Succeeded",
            "properties": {
                "vmPriority": "Dedicated",
                "osType": "Linux",
                "remoteLoginPortPublicAccess": "NotSpecified",
                "currentNodeCount": 0,
            },
        },
        "tags": {},
    },
    "data": {"properties": {"isAnonymous": False, "isArchived": False, "tags": {}, "properties": {}}},
    "job": {
        "properties": {
            "jobType": "Pipeline",
            "status": "Completed",
            "isArchived": False,
            "properties": {"azureml.parameters": "{}"},
            "tags": {},
        }
    },
    "model": {
        "properties": {
            "isAnonymous": False,
            "isArchived": False,
            "flavors": {},
            "provisioningState": "Succeeded",
            "tags": {},
            "modelUri": "azureml://long",
        }
    },
    "publication": {"properties": {"isAnonymous": False, "isArchived": False, "flavors": {}, "tags": {}}},
    "endpoint": {
        "location": "eastus",
        "kind": "Managed",
        "properties": {"provisioningState": "Succeeded", "publicNetworkAccess": "Enabled", "traffic": {}, "mirrorTraffic": {}},
        "tags": {},
    },
    "deployment": {
        "location": "eastus",
        "kind": "Managed",
        "sku": {"name": "Default", "tier": "Standard", "capacity": 1},
        "properties": {
            "provisioningState": "Succeeded",
            "endpointComputeType": "Managed",
            "appInsightsEnabled": False,
            "scaleSettings": {"scaleType": "Default"},
            "requestSettings": {"maxQueueWait": "PT0S", "requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1},
            "livenessProbe": {
                "failureThreshold": 30,
                "successThreshold": 1,
                "timeout": "PT2S",
                "period": "PT10S",
                "initialDelay": "PT10S",
            },
            "environmentVariables": {},
        },
        "tags": {},
    },
}
"""Recorded answers (azure-sdk-for-python, e2e recordings of 2022), without what the spec decides."""


def body(want: Desired, edits: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The answer to a GET once `want` was created. `edits`: dotted place in the body -> value, None deletes."""
    kind = KINDS[want.key.kind]
    if want.existing:
        return {"name": want.key.version, "systemData": dict(SYSTEM), **copy.deepcopy(EMPTY[want.key.kind])}
    changes = [
        FieldChange(path, None, value, Action.UPDATE, ChangeReason.SPEC)
        for path, value in leaves(want.document).items()
        if fields.rule_of(path, kind.rules)[0].wire
    ]
    text = yaml.safe_load(want.text)
    tags = {str(name): str(value) for name, value in (text.get("tags") or {}).items()}
    raw = fields.patch(
        {"name": want.key.version or want.key.name, "systemData": dict(SYSTEM), **copy.deepcopy(EMPTY[want.key.kind])},
        [change for change in changes if change.path.split(".")[0] != "tags"],
        kind.rules,
        tags,
    )
    _in_the_services_words(want.key.kind, raw)
    for place, value in (edits or {}).items():
        edit(raw, place, value)
    return raw


def edit(raw: dict[str, Any], place: str, value: Any) -> None:
    """Sets one place of a body; None deletes it. A part in the last place may hold dots when written after `|`: `tags|a.b`."""
    parents, _, last = place.rpartition("|") if "|" in place else place.rpartition(".")
    inner = raw
    for part in parents.split(".") if parents else ():
        inner = inner.setdefault(part, {})
    if value is None:
        inner.pop(last, None)
    else:
        inner[last] = value


def _in_the_services_words(kind: str, raw: dict[str, Any]) -> None:
    """Spelling in which recordings differ from what was sent."""
    properties = raw["properties"]
    match kind:
        case "compute":
            properties["properties"]["vmSize"] = properties["properties"]["vmSize"].upper()
            scale = properties["properties"]["scaleSettings"]
            scale["nodeIdleTimeBeforeScaleDown"] = _iso(scale["nodeIdleTimeBeforeScaleDown"])
        case "data":
            long = WORKSPACE.removeprefix("/").replace("/providers/microsoft.machinelearningservices", "")
            properties["dataUri"] = f"azureml://{long}/" + properties["dataUri"].removeprefix("azureml://")
        case "deployment":
            _, name, version = properties["model"].split(":")
            properties["model"] = f"{WORKSPACE}/models/{name}/versions/{version}"
            settings = properties["requestSettings"]
            settings["requestTimeout"] = _iso(settings["requestTimeout"])
        case _:
            pass


def _iso(duration: str) -> str:
    """`PT120S` comes back as `PT2M` (recorded)."""
    seconds = int(duration.removeprefix("PT").removesuffix("S")) if duration.endswith("S") and "M" not in duration else 0
    minutes, rest = divmod(seconds, 60)
    return f"PT{minutes}M" + (f"{rest}S" if rest else "") if minutes else duration
