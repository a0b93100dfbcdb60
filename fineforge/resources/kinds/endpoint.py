"""Managed online endpoints. Traffic is a map of the endpoint's own; the planner's rollout speaks of it, no rule compares it."""

from __future__ import annotations

from collections.abc import Iterable

from fineforge.resources.fields import Change, FieldRule
from fineforge.resources.kinds.base import PROVISIONING, USER_TAGS_TOP, Api, Context, End, Kind, Wanted, identity_rules


def _wanted(context: Context) -> Iterable[Wanted]:
    endpoint, key = context.spec.endpoint, context.identity.endpoint
    if endpoint is None or key is None:
        return
    yield Wanted(key, {"name": key.name, "auth": endpoint.auth}, ("endpoint",))


ENDPOINT = Kind(
    name="endpoint",
    rules=(
        *identity_rules("$schema", "name"),
        FieldRule("auth_mode", "properties.authMode", form="auth", spec="endpoint.auth"),
        USER_TAGS_TOP,
        FieldRule("traffic.*", "properties.traffic", Change.IGNORE, reason="moved by rollout steps, never by a comparison"),
    ),
    wanted=_wanted,
    state="properties.provisioningState",
    states=PROVISIONING,
    end=End.DELETE,
    api=Api("onlineEndpoints/{name}", "2022-02-01-preview", "load_online_endpoint", "online_endpoints", "begin_create_or_update"),
    end_order=10,
    is_output=True,
    extra={"traffic": "properties.traffic", "mirror_traffic": "properties.mirrorTraffic"},
)
