"""What a request's body must look like before the rules see it: JSON of other types cannot be deserialised, which Azure answers
with 400 before anything else (the error's code is ARM's; its words are assumed).

Types only, by kind. Which values a field may have is the rules' business, and what is not listed here may be anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fineforge.emulator.rules import AzureError

Shape = type | tuple["Shape"] | dict[str, "Shape"]
"""A type; a tuple of the one shape of every value of a mapping; or the fields of an object. Null is taken, but for an object that
a mapping names: a step, an input, an output."""

ANY_MAP: tuple[Shape] = (object,)
TEXTS: tuple[Shape] = (str,)
_INPUT: Shape = {"job_input_type": str, "jobInputType": str, "uri": str, "mode": str}
_OUTPUT: Shape = {"jobOutputType": str, "type": str, "uri": str, "mode": str}
_NODE: Shape = {
    "type": str, "componentId": str, "inputs": ({"job_input_type": str, "uri": str, "mode": str},), "outputs": (_OUTPUT,),
    "resources": {"instance_type": str, "instance_count": int}, "computeId": str,
}  # fmt: skip
_IDENTITY: Shape = {"type": str, "userAssignedIdentities": ANY_MAP}
_PROBE: Shape = {
    "initialDelay": str, "period": str, "timeout": str, "successThreshold": int, "failureThreshold": int,
}  # fmt: skip
_ASSET: dict[str, Shape] = {"description": str, "tags": TEXTS, "properties": TEXTS, "isArchived": bool, "isAnonymous": bool}
_TRACKED: dict[str, Shape] = {"location": str, "tags": TEXTS, "identity": _IDENTITY, "kind": str}

SHAPES: dict[str, Shape] = {
    "compute": {
        **_TRACKED,
        "properties": {
            "computeType": str, "description": str, "computeLocation": str, "disableLocalAuth": bool,
            "properties": {
                "vmSize": str, "vmPriority": str, "osType": str, "remoteLoginPortPublicAccess": str, "isolatedNetwork": bool,
                "enableNodePublicIp": bool, "subnet": {"id": str}, "virtualMachineImage": {"id": str},
                "scaleSettings": {"minNodeCount": int, "maxNodeCount": int, "nodeIdleTimeBeforeScaleDown": str},
            },
        },
    },
    "data": {"properties": {**_ASSET, "dataType": str, "dataUri": str}},
    "model": {"properties": {**_ASSET, "modelType": str, "modelUri": str, "jobName": str, "flavors": (ANY_MAP,)}},
    "job": {
        "properties": {
            **_ASSET, "jobType": str, "displayName": str, "experimentName": str, "computeId": str, "componentId": str,
            "identity": ANY_MAP, "services": ANY_MAP, "settings": {"default_compute": str, "continue_on_step_failure": bool},
            "jobs": (_NODE,), "inputs": (_INPUT,), "outputs": (_OUTPUT,),
        },
    },
    "endpoint": {
        **_TRACKED,
        "properties": {
            "authMode": str, "description": str, "compute": str, "properties": TEXTS, "traffic": ANY_MAP,
            "mirrorTraffic": (int,), "publicNetworkAccess": str, "keys": TEXTS,
        },
    },
    "deployment": {
        **_TRACKED,
        "sku": {"name": str, "tier": str},
        "properties": {
            "model": str, "instanceType": str, "description": str, "environmentId": str, "environmentVariables": TEXTS,
            "appInsightsEnabled": bool, "privateNetworkConnection": bool, "scaleSettings": {"scaleType": str},
            "properties": TEXTS, "modelMountPath": str, "livenessProbe": _PROBE, "readinessProbe": _PROBE,
            "egressPublicNetworkAccess": str, "endpointComputeType": str, "codeConfiguration": ANY_MAP,
            "requestSettings": {"requestTimeout": str, "maxConcurrentRequestsPerInstance": int, "maxQueueWait": str},
        },
    },
    "registry_resource": {**_TRACKED, "properties": ANY_MAP},
}  # fmt: skip
ACTIONS: Shape = {"keyType": str, "keyValue": str, "tail": int, "containerType": str}


def fit(body: Mapping[str, Any], shape: Shape) -> None:
    """Raises the 400 of a body that cannot be deserialised, and names the place."""
    _fit(body, shape, "")


def _fit(value: Any, shape: Shape, place: str) -> None:
    match shape:
        case _ if value is None:
            return
        case dict():
            for name, inner in shape.items():
                _fit(_object(value, place).get(name), inner, f"{place}.{name}".lstrip("."))
        case (inner,):
            for name, entry in _object(value, place).items():
                if entry is None and isinstance(inner, dict):
                    raise _unreadable(f"{place}.{name}")
                _fit(entry, inner, f"{place}.{name}")
        case type():
            if not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
                raise _unreadable(place)


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _unreadable(place)
    return value


def _unreadable(place: str) -> AzureError:
    message = f"The request content was invalid and could not be deserialized: 'Error converting value at path '{place}'.'."
    return AzureError(400, "InvalidRequestContent", message)
