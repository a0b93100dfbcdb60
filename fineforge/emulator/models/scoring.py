"""Who may ask an endpoint, and which deployment answers. The request itself never comes here."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from fineforge.emulator.models.context import Context
from fineforge.emulator.models.durations import seconds
from fineforge.emulator.models.errors import refuse


@dataclass(frozen=True, slots=True)
class Route:
    endpoint: str
    deployment: str
    timeout: float
    """Seconds, from `requestTimeout`: 408 after that."""


def route(context: Context, endpoint: str, token: str, deployment: str | None, draw: float) -> Route:
    """401 for a wrong key, 404 where no deployment has traffic or the named one is not there (TSG)."""
    document = context.store.get("endpoint", (endpoint,))
    if document is None or document["body"]["properties"]["provisioningState"] == "Creating":
        raise refuse("score_no_traffic")
    keys = document["keys"].values()
    if not any(hmac.compare_digest(key.encode(), token.encode()) for key in keys):
        raise refuse("score_key")
    name = deployment or _drawn(document["body"]["properties"]["traffic"], draw)
    chosen = context.store.get("deployment", (endpoint, name)) if name else None
    if name is None or chosen is None or not chosen["healthy"]:
        raise refuse("score_no_traffic")
    return Route(endpoint, name, seconds(chosen["body"]["properties"]["requestSettings"]["requestTimeout"]))


def _drawn(traffic: dict[str, int], draw: float) -> str | None:
    """100 percent shared out in the order of the map."""
    bound = 0.0
    for name, percent in traffic.items():
        bound += percent / 100
        if draw < bound:
            return name
    return None
