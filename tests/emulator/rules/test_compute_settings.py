"""What a cluster is given comes back as the service spells it, and stays through updates."""

from __future__ import annotations

from typing import Any

USER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/trainer"
SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/default"


def made(world: Any, identity: Any = None, **cluster: Any) -> dict[str, Any]:
    body = world.compute_body(**cluster) | ({"identity": identity} if identity else {})
    world.cloud.put("compute", ("gpu",), body)
    found: dict[str, Any] = world.cloud.get("compute", ("gpu",)).body
    return found


def test_network_and_tier_come_back(world: Any) -> None:
    """Names as recorded: `subnet` an object with an id, `vmPriority` in one word."""
    body = made(world, subnet={"id": SUBNET}, enableNodePublicIp=False, vmPriority="LowPriority")
    properties = body["properties"]["properties"]
    assert (properties["subnet"], properties["enableNodePublicIp"]) == ({"id": SUBNET}, False)
    assert (properties["vmPriority"], properties["vmSize"]) == ("LowPriority", "STANDARD_NC24ADS_A100_V4")
    assert "identity" not in body


def test_a_system_assigned_identity_gets_a_principal(world: Any) -> None:
    identity = made(world, {"type": "SystemAssigned"})["identity"]
    assert identity == {
        "type": "SystemAssigned",
        "principalId": world.settings.principal_id,
        "tenantId": world.settings.tenant_id,
    }


def test_user_assigned_identities_get_ids_and_can_be_taken_away(world: Any) -> None:
    given = {"type": "UserAssigned", "userAssignedIdentities": {USER: {}}}
    first = made(world, given)["identity"]
    assert first["type"] == "UserAssigned"
    assert first["userAssignedIdentities"][USER].keys() == {"principalId", "clientId"}
    assert made(world, first)["identity"] == first, "what was read can be written"
    assert "identity" not in made(world)


def test_an_update_keeps_what_it_does_not_name(world: Any) -> None:
    """A PUT names everything; a PATCH only the scale (Compute_Update)."""
    made(world, {"type": "SystemAssigned"}, subnet={"id": SUBNET})
    scale = {"properties": {"properties": {"scaleSettings": {"maxNodeCount": 3}}}}
    world.cloud.patch("compute", ("gpu",), scale)
    body = world.cloud.get("compute", ("gpu",)).body
    assert body["properties"]["properties"]["scaleSettings"]["maxNodeCount"] == 3
    assert (body["properties"]["properties"]["subnet"], body["identity"]["type"]) == ({"id": SUBNET}, "SystemAssigned")
