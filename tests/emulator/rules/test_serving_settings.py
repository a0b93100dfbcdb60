"""What an endpoint and a deployment are given besides a model: it comes back, and only known values are taken."""

from __future__ import annotations

from typing import Any

import pytest

from fineforge.emulator.rules import AzureError

SETTINGS: dict[str, Any] = {
    "appInsightsEnabled": True,
    "egressPublicNetworkAccess": "Disabled",
    "environmentVariables": {"WORKER_COUNT": "2"},
    "scaleSettings": {"scaleType": "Default"},
    "description": "one of two",
    "modelMountPath": "/var/models",
}


def test_settings_of_a_deployment_come_back(world: Any) -> None:
    world.model()
    world.endpoint()
    world.cloud.put("deployment", ("answers", "blue"), world.deployment_body(**SETTINGS))
    properties = world.cloud.get("deployment", ("answers", "blue")).body["properties"]
    assert {key: properties[key] for key in SETTINGS} == SETTINGS


@pytest.mark.parametrize(("field", "value"), [("appInsightsEnabled", False), ("egressPublicNetworkAccess", "Enabled")])
def test_settings_are_updated_in_place(world: Any, field: str, value: Any) -> None:
    world.model()
    world.endpoint()
    body = world.deployment_body(**SETTINGS)
    world.cloud.put("deployment", ("answers", "blue"), body)
    body["properties"][field] = value
    assert world.cloud.put("deployment", ("answers", "blue"), body).status == 200
    properties = world.cloud.get("deployment", ("answers", "blue")).body["properties"]
    assert {key: properties[key] for key in SETTINGS} == SETTINGS | {field: value}


def test_values_have_no_case(world: Any) -> None:
    """azure-ai-ml 1.35.2 sends `disabled`; it comes back as `Disabled` (assumed)."""
    world.model()
    world.endpoint()
    world.cloud.put("deployment", ("answers", "blue"), world.deployment_body(egressPublicNetworkAccess="disabled"))
    properties = world.cloud.get("deployment", ("answers", "blue")).body["properties"]
    assert properties["egressPublicNetworkAccess"] == "Disabled"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"egressPublicNetworkAccess": "closed"}, "The value 'closed' of egressPublicNetworkAccess"),
        ({"scaleSettings": {"scaleType": "auto"}}, "The value 'auto' of scaleType"),
    ],
)
def test_only_known_values_are_taken(world: Any, changes: dict[str, Any], words: str) -> None:
    world.model()
    world.endpoint()
    with pytest.raises(AzureError, match=words):
        world.cloud.put("deployment", ("answers", "blue"), world.deployment_body(**changes))


def test_settings_of_an_endpoint_come_back(world: Any) -> None:
    user = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/server"
    identity = {"type": "UserAssigned", "userAssignedIdentities": {user: {}}}
    body = world.endpoint_body(publicNetworkAccess="Disabled", description="support") | {"identity": identity}
    world.cloud.put("endpoint", ("answers",), body)
    found = world.cloud.get("endpoint", ("answers",)).body
    assert (found["properties"]["publicNetworkAccess"], found["properties"]["description"]) == ("Disabled", "support")
    assert found["identity"]["userAssignedIdentities"][user].keys() == {"principalId", "clientId"}
    assert world.cloud.put("endpoint", ("answers",), found).status == 200, "what was read can be written"
    with pytest.raises(AzureError, match="publicNetworkAccess"):
        world.cloud.put("endpoint", ("answers",), world.endpoint_body(publicNetworkAccess="Closed"))
