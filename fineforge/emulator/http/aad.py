"""login.microsoftonline.com: discovery documents, and tokens that say for whom they are. Any secret will do: it is a laptop."""

from __future__ import annotations

import time
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from fineforge.emulator.http.common import Service, json_response
from fineforge.emulator.http.credentials import TOKEN_SECONDS, issue


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
    if form.get("grant_type") != "client_credentials":
        words = f"AADSTS70003: The app requested an unsupported grant type '{form.get('grant_type', '')}'."
        return json_response({"error": "unsupported_grant_type", "error_description": words}, 400)
    if not form.get("client_secret") and not form.get("client_assertion"):
        words = "AADSTS7000216: 'client_assertion' or 'client_secret' is required."
        return json_response({"error": "invalid_client", "error_description": words}, 401)
    now = int(time.time())
    claims = {
        "aud": form.get("scope", "").split(" ")[0].removesuffix("/.default"),
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": now,
        "nbf": now,
        "exp": now + TOKEN_SECONDS,
        "appid": form.get("client_id", ""),
        "oid": service.cloud.settings.principal_id,
        "tid": tenant,
    }
    lifetime = {"expires_in": TOKEN_SECONDS, "ext_expires_in": TOKEN_SECONDS}
    return json_response({"token_type": "Bearer", **lifetime, "access_token": issue(claims)})
