"""What the service says when it refuses, turned into diagnostics: a table from status and words to a code and what to do.

The service's own message is always kept. Codes alone do not tell: a quota refusal is `BadRequest` with the reason as JSON text inside
a message, a missing asset is `UserError` (recorded and reported payloads).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fineforge.core import ResourceKey
from fineforge.diagnostics import Diagnostic, FineforgeError


@dataclass(frozen=True, slots=True)
class _Row:
    words: str
    """Searched in code and message, without case; empty matches all."""
    status: int | None
    code: str
    hint: str


_ROWS = (
    _Row("AuthorizationFailed|ForbiddenError|does not have (authorization|permissions)", None, "FF403",
         "docs/rbac.md lists which role each command needs; a new assignment takes about five minutes to count"),
    _Row("", 401, "FF402", "sign in again: `az login`, or check the service principal's secret"),
    _Row("ResourceGroupNotFound|Workspace.*not found|workspaces/[^/']+' .*was not found", 404, "FF405",
         "check subscription, resource group and workspace of the target"),
    _Row("Soft-deleted workspace", None, "FF405", "recover or purge the workspace first"),
    _Row("Not enough quota|OutOfQuota|CoreQuota|vCPU quota|Quota reached|quota requested|quota of", None, "FF410",
         "ask for more quota for this VM family, or choose another size; online deployments reserve 20 % on top for most sizes"),
    _Row("VMSize is not a supported|not a supported VM size|InvalidPropertyValue", None, "FF411",
         "the region does not offer this size, or the subscription has no quota entry for its family"),
    _Row("unique within a region|already an endpoint with this name|name .* is not available", None, "FF412",
         "set `endpoint.name` to something that nobody else in the region has"),
    _Row("unrecoverable state|has not been created successfully", None, "FF413", "run `fineforge apply` again: it deletes and creates it"),
    _Row("another operation|already running|already in progress|OperationCanceled|Updating provisioning state|RetryableError", None, "FF414",
         "wait for it and run the same command again"),
    _Row("job with this name already exists|version already exists|asset paths cannot be updated|existing asset's data uri", None, "FF415",
         "somebody else made it with other content; `fineforge plan` shows what is there"),
    _Row("ImageBuildFailure|ResourceNotReady|BadArgument|SecretsInjectionError", None, "FF416",
         "the deployment's own logs say more; docs: aka.ms/oe-tsg"),
    _Row("", 429, "FF406", "the service throttles; wait a minute and run the same command again"),
    _Row("", 404, "FF404", ""),
    _Row("", 409, "FF414", "wait for it and run the same command again"),
    _Row("NotImplemented", 501, "FF408", "the local emulator does not do this"),
    _Row("", 500, "FF407", "a fault of the service; run the same command again"),
    _Row("", 502, "FF407", "a fault of the service; run the same command again"),
    _Row("", 503, "FF407", "a fault of the service; run the same command again"),
    _Row("", 504, "FF407", "a fault of the service; run the same command again"),
)  # fmt: skip


def refusal(status: int, body: Any, what: ResourceKey | str, headers: Mapping[str, str] | None = None) -> FineforgeError:
    """The error for an answer that is no success. `what` is the object or the read that it was about."""
    code, message = words(body)
    return FineforgeError(diagnose(status, code, message, what, headers or {}))


def diagnose(
    status: int | None, code: str, message: str, what: ResourceKey | str, headers: Mapping[str, str] | None = None
) -> Diagnostic:
    """The diagnostic for the service's words; FF400 where the table does not know them."""
    text = f"{code} {message}"
    for row in _ROWS:
        if row.status in (None, status) and (not row.words or re.search(row.words, text, re.IGNORECASE)):
            wait = (headers or {}).get("Retry-After") or (headers or {}).get("retry-after")
            hint = f"{row.hint} (it asks for {wait} s)" if wait and row.code == "FF406" else row.hint
            return Diagnostic(row.code, _sentence(what, code, message), hint=hint)
    return Diagnostic("FF400", _sentence(what, code, message or f"HTTP {status}"))


def words(body: Any) -> tuple[str, str]:
    """Code and message of an error body: the innermost that say something, for the outer ones are often empty phrases."""
    if isinstance(body, bytes | str):
        try:
            body = json.loads(body)
        except ValueError:
            return "", body.decode("utf-8", "replace")[:500] if isinstance(body, bytes) else body[:500]
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    if not isinstance(error, Mapping):
        return "", str(error)[:500]
    details = [entry for entry in error.get("details") or () if isinstance(entry, Mapping)]
    if details:
        return str(details[0].get("code") or error.get("code") or ""), _inner(str(details[0].get("message") or ""))
    return str(error.get("code") or ""), _inner(str(error.get("message") or ""))


def is_missing(status: int, body: Any) -> bool:
    """Whether an answer says that the asset does not exist; a missing workspace is another matter."""
    if status != 404:
        return False
    code, message = words(body)
    return not re.search("ResourceGroupNotFound|SubscriptionNotFound|Workspace.*not found", f"{code} {message}", re.IGNORECASE)


def _inner(message: str) -> str:
    """The reasons out of `{"errors": {"VmSize": ["..."]}}` where a message carries JSON text."""
    start = message.find("{")
    if start < 0:
        return message
    try:
        found = json.loads(message[start:])
    except ValueError:
        return message
    reasons = found.get("errors") if isinstance(found, Mapping) else None
    if not isinstance(reasons, Mapping):
        return message
    return "; ".join(str(reason) for group in reasons.values() for reason in (group if isinstance(group, list) else [group]))


def _sentence(what: ResourceKey | str, code: str, message: str) -> str:
    said = " ".join(message.split()).rstrip(".")
    return f"`{what}`: {code + ': ' if code and code not in ('UserError', 'BadRequest') else ''}{said}"
