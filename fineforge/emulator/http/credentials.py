"""What opens the emulator's doors: access tokens that say for whom they are, and signatures of storage addresses.

Tokens are not verified, for whoever reaches this port may ask for one. Their audience and their end are, because a client that
takes the wrong token locally would first fail in the cloud.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

TOKEN_SECONDS = 3600
SIGNATURE_SECONDS = 3600


def issue(claims: Mapping[str, Any]) -> str:
    """A JWT without a signature: the SDK decodes it to read `aud` (azure-wire row 3)."""
    parts = ({"typ": "JWT", "alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "emulator"])


@lru_cache(maxsize=256)
def read(authorization: str) -> tuple[str, float]:
    """Audience, without a slash at its end, and expiry (seconds since the epoch) of a `Bearer` header; else ValueError."""
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer":
        raise ValueError(f"not a bearer token: {scheme}")
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["aud"]).rstrip("/"), float(claims["exp"])
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError("not a token of the emulator") from error


@dataclass(frozen=True, slots=True)
class Signer:
    """Shared access signatures: of a whole container, or of one blob. Their form is the emulator's own."""

    key: str

    def sign(self, resource: str, permissions: str) -> str:
        """The query that opens `container` or `container/blob`. Permissions as in storage: r, a, c, w, d, l."""
        kind, end = "b" if "/" in resource else "c", int(time.time()) + SIGNATURE_SECONDS
        expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
        signature = self._signature(kind, resource, permissions, expiry)
        return urlencode({"sv": "2022-11-02", "sr": kind, "sp": permissions, "se": expiry, "sig": signature})

    def opens(self, query: Mapping[str, str], container: str, name: str, permissions: str) -> bool:
        """Whether a query holds a signature, not expired, of this blob or container with one of these permissions."""
        kind, granted, expiry = query.get("sr", ""), query.get("sp", ""), query.get("se", "")
        resource = container if kind == "c" else f"{container}/{name}"
        if not hmac.compare_digest(self._signature(kind, resource, granted, expiry).encode(), query.get("sig", "").encode()):
            return False
        return expiry > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) and bool(set(permissions) & set(granted))

    def _signature(self, kind: str, resource: str, permissions: str, expiry: str) -> str:
        text = "\n".join((kind, resource, permissions, expiry)).encode()
        return base64.b64encode(hmac.digest(self.key.encode(), text, hashlib.sha256)).decode()
