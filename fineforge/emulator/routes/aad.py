"""login.microsoftonline.com: discovery documents, and tokens that say for whom they are. Nothing is verified: it is a laptop."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.routes.common import Service, json_response

LIFETIME = 3600
"""Seconds."""


async def openid_configuration(service: Service, request: Request, tenant: str) -> Response:
    root = f"https://login.microsoftonline.com/{tenant}"
    return json_response(
        {
            "issuer": f"{root}/v2.0",
            "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
            "token_endpoint": f"{root}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{root}/discovery/v2.0/keys",
        }
    )


async def instance_discovery(service: Service, request: Request) -> Response:
    tenant = service.cloud.settings.tenant_id
    return json_response(
        {
            "tenant_discovery_endpoint": f"https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [
                {
                    "preferred_network": "login.microsoftonline.com",
                    "preferred_cache": "login.windows.net",
                    "aliases": ["login.microsoftonline.com", "login.windows.net"],
                }
            ],
        }
    )


async def token(service: Service, request: Request, tenant: str) -> Response:
    """A token whose `aud` is the scope's audience: the SDK refuses to submit a job with any other (azure-wire row 3)."""
    form = {key: values[0] for key, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()}
    if not form.get("client_secret") and not form.get("client_assertion"):
        error = {
            "error": "invalid_client",
            "error_description": "AADSTS7000216: 'client_assertion' or 'client_secret' is required.",
        }
        return json_response(error, 401)
    audience = form.get("scope", "").split(" ")[0].removesuffix("/.default")
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "appid": form.get("client_id", ""),
        "oid": service.cloud.settings.principal_id,
        "tid": tenant,
    }
    return json_response(
        {"token_type": "Bearer", "expires_in": LIFETIME, "ext_expires_in": LIFETIME, "access_token": _jwt(claims)}
    )


def _jwt(claims: dict[str, object]) -> str:
    parts = ({"typ": "JWT", "alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "emulator"])
