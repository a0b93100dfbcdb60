"""Who may ask an endpoint, and which deployment answers. The request itself never comes here."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from fineforge.catalog.durations import seconds
from fineforge.emulator.http import credentials
from fineforge.emulator.rules.base import Body
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import refuse

_AUDIENCE = "https://ml.azure.com"


@dataclass(frozen=True, slots=True)
class Route:
    endpoint: str
    deployment: str
    timeout: float
    """Seconds, from `requestTimeout`: 408 after that."""


def route(context: Context, endpoint: str, token: str, deployment: str | None, draw: float) -> Route:
    """401 for a wrong key or token, 404 where no deployment has traffic or the named one is not there (TSG)."""
    document = context.store.get("endpoint", (endpoint,))
    if document is None or document["body"]["properties"]["provisioningState"] == "Creating":
        raise refuse("score_no_traffic")
    if not _opens(document, token, context.lifecycle.clock()):
        raise refuse("score_key")
    name = deployment or _drawn(document["body"]["properties"]["traffic"], draw)
    chosen = context.store.get("deployment", (endpoint, name)) if name else None
    if name is None or chosen is None or not chosen["healthy"]:
        raise refuse("score_no_traffic")
    return Route(endpoint, name, seconds(chosen["body"]["properties"]["requestSettings"]["requestTimeout"]))


def issue(key: str, expiry: int) -> str:
    """A token of an AMLToken endpoint, good until then (seconds since the epoch). Its form is the emulator's own."""
    return f"{expiry}.{hmac.digest(key.encode(), str(expiry).encode(), 'sha256').hex()}"


def _opens(document: Body, token: str, now: float) -> bool:
    keys = document["keys"]
    match document["body"]["properties"]["authMode"]:
        case "Key":
            return any(hmac.compare_digest(key.encode(), token.encode()) for key in keys.values())
        case "AMLToken":
            expiry = token.partition(".")[0]
            fresh = expiry.isascii() and expiry.isdigit() and int(expiry) > now
            return fresh and hmac.compare_digest(issue(keys["primary"], int(expiry)).encode(), token.encode())
        case _:
            return _is_for_azure_ml(token, now)


def _is_for_azure_ml(token: str, now: float) -> bool:
    """Whether it is one of Entra's, for https://ml.azure.com (how-to-authenticate-online-endpoint.md)."""
    try:
        audience, expiry = credentials.read(f"Bearer {token}")
    except ValueError:
        return False
    return audience == _AUDIENCE and expiry > now


def _drawn(traffic: dict[str, int], draw: float) -> str | None:
    """100 percent shared out in the order of the map."""
    bound = 0.0
    for name, percent in traffic.items():
        bound += percent / 100
        if draw < bound:
            return name
    return None
