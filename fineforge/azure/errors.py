"""What the service says when it refuses, turned into diagnostics: a table from status and words to a code and what to do.

The service's own message is always kept. Codes alone do not tell: a quota refusal is `BadRequest` with the reason as JSON text
inside a message, a missing asset is `UserError` (recorded and reported payloads).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.objects import ResourceKey
from fineforge.core.redaction import redact


@dataclass(frozen=True, slots=True)
class Row:
    words: str
    """Searched in code and message, without case; empty matches all."""
    status: int | None
    """None: any, since a failed operation is told with status 200."""
    code: str
    hint: str


_NO_WORKSPACE = (
    r"ResourceGroupNotFound|SubscriptionNotFound|InvalidSubscriptionId|workspaces/[^/'\"]+'.*was not found|Workspace not found"
)
"""The workspace itself. Of an object below it ARM says `.../workspaces/W/computes/C' under resource group 'R' was not found`."""
_AGAIN = "run the same command again"
ROWS = (
    Row("AuthorizationFailed|AuthorizationPermission|ForbiddenError|does not have (authorization|permission)", None, "FF403",
        "docs/rbac.md lists what each command needs; a new role assignment takes about five minutes to apply"),
    Row("", 401, "FF402", "sign in again: `az login`, or check the service principal's secret"),
    Row(_NO_WORKSPACE, 404, "FF405", "check subscription, resource group and workspace of the target"),
    Row("Soft-deleted workspace", None, "FF405", "recover or purge the workspace first: https://aka.ms/wsoftdelete"),
    Row("Not enough quota|OutOfQuota|CoreQuota|vCPU quota|Quota reached|quota requested|quota of|QuotaExceeded", None, "FF410",
        "request more quota for this VM family, or choose another size; online deployments reserve 20 % more for most sizes"),
    Row("VMSize is not a supported|not a supported VM size|InvalidPropertyValue", None, "FF411",
        "the region does not offer this size, or the subscription has no quota entry for its family"),
    Row("unique within (a|the) region|already an endpoint with this name|endpoint name .* is not available", None, "FF412",
        "set `endpoint.name` to a name that is unique in the region"),
    Row("unrecoverable state|has not been created successfully", None, "FF413",
        "run `fineforge apply` again: it deletes and recreates the object"),
    Row("another operation|already (running|in progress)|OperationCanceled|RetryableError|Updating provisioning", None, "FF414",
        f"wait for it, then {_AGAIN}"),
    Row("(job with this name|and version) already exists|asset paths cannot be updated|uri cannot be changed", None, "FF415",
        "it was created with other content; `fineforge plan` shows what exists"),
    Row("ImageBuildFailure|NotReady|BadArgument|SecretsInjectionError|NoMatchingArtifacts|container has crashed", None, "FF416",
        "https://aka.ms/oe-tsg explains each code; fix the cause and apply again"),
    Row("", 429, "FF406", f"the service throttles: wait a minute, then {_AGAIN}"),
    Row("", 404, "FF404", "it was deleted, or the name is misspelled"),
    Row("", 409, "FF414", f"wait for it, then {_AGAIN}"),
    Row("", 501, "FF408", "the local emulator rejects what it does not implement"),
    *(Row("", status, "FF407", f"an error of the service: {_AGAIN}") for status in (500, 502, 503, 504)),
)  # fmt: skip
"""The first row that fits counts."""
_ACTION = re.compile(r"Microsoft\.\w+(?:/[\w*]+)+")
_MODEL_HEADERS = ("ms-azureml-model-error-statuscode", "ms-azureml-model-error-reason")


def refusal(status: int, body: Any, what: ResourceKey | str, headers: Mapping[str, str] | None = None) -> FineforgeError:
    """The error for an answer that is no success. `what` is the object or the read that it was about."""
    code, message = words(body)
    return FineforgeError(diagnose(status, code, message, what, headers or {}))


def diagnose(
    status: int | None, code: str, message: str, what: ResourceKey | str, headers: Mapping[str, str] | None = None
) -> Diagnostic:
    """The diagnostic for the service's words; FF400 where the table does not know them. Names the permission that is missing."""
    text = f"{code} {message}"
    said = _sentence(what, code, message or f"HTTP {status}")
    for row in ROWS:
        if row.status in (None, status) and (not row.words or re.search(row.words, text, re.IGNORECASE)):
            return Diagnostic(row.code, said, hint=_hint(row, message, headers or {}))
    return Diagnostic("FF400", said)


def scoring_refusal(status: int, body: Any, headers: Mapping[str, str], what: str) -> FineforgeError:
    """What an endpoint's own address answers: its statuses mean other things than ARM's (troubleshooting page)."""
    code, message = words(body)
    lower = {key.lower(): value for key, value in headers.items()}
    model = " ".join(lower[name] for name in _MODEL_HEADERS if lower.get(name))
    said = _sentence(what, code, " ".join(part for part in (model, message) if part) or f"HTTP {status}")
    match status:
        case 401 | 403:
            found = Diagnostic("FF402", said, hint="the endpoint rejects this key or token")
        case 404:
            found = Diagnostic("FF404", said, hint="no deployment has this name, or none has traffic: see `fineforge status`")
        case 429:
            found = Diagnostic("FF406", said, hint="too many concurrent requests for the deployment: retry, or add instances")
        case 408:
            found = Diagnostic("FF419", said, hint="the answer took longer than `deployment.request.timeout_ms`")
        case _:
            found = Diagnostic("FF419", said, hint="the model server failed; see `fineforge logs SPEC --deployment`")
    return FineforgeError(found)


def first_line(error: BaseException) -> str:
    """An exception's own words, of which some run over pages; its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip()[:300]


def words(body: Any) -> tuple[str, str]:
    """Code and message of an error body: the innermost that say something, for the outer ones are often empty phrases."""
    if isinstance(body, bytes | str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return "", body.decode("utf-8", "replace")[:500] if isinstance(body, bytes) else body[:500]
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    if not isinstance(error, Mapping):
        return "", str(error)[:500]
    details = [entry for entry in _list(error.get("details")) if isinstance(entry, Mapping)]
    if details:
        return str(details[0].get("code") or error.get("code") or ""), _inner(str(details[0].get("message") or ""))
    return str(error.get("code") or ""), _inner(str(error.get("message") or ""))


def is_missing(status: int, body: Any) -> bool:
    """Whether an answer says that the object does not exist; a missing workspace is another matter.

    The code of a missing asset is `UserError`: only the status, or the inner error, tells (recorded).
    """
    if not isinstance(body, Mapping) or (status != 404 and _inner_code(body) != "NotFoundError"):
        return False  # A page with 404 is a proxy's: it tells nothing of the object.
    code, message = words(body)
    return status < 500 and not re.search(_NO_WORKSPACE, f"{code} {message}", re.IGNORECASE)


def _inner_code(body: Any) -> str:
    error = body.get("error") if isinstance(body, Mapping) else None
    for entry in _list(error.get("additionalInfo")) if isinstance(error, Mapping) else ():
        info = entry.get("info") if isinstance(entry, Mapping) and entry.get("type") == "InnerError" else None
        value = info.get("value") if isinstance(info, Mapping) else None
        if isinstance(value, Mapping):
            return str(value.get("code") or "")
    return ""


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _hint(row: Row, message: str, headers: Mapping[str, str]) -> str:
    if row.code == "FF403" and (action := _ACTION.search(message)):
        return f"`{action[0]}` is missing; {row.hint}"
    wait = headers.get("Retry-After") or headers.get("retry-after")
    return f"{row.hint} (it asks for {wait} s)" if wait and row.code == "FF406" else row.hint


def _inner(message: str) -> str:
    """The reasons out of `{"errors": {"VmSize": ["..."]}}` where a message carries JSON text."""
    start = message.find("{")
    if start < 0:
        return message
    try:
        found = json.loads(message[start:])
    except (ValueError, RecursionError):
        return message
    reasons = found.get("errors") if isinstance(found, Mapping) else None
    if not isinstance(reasons, Mapping):
        return message
    return "; ".join(str(reason) for group in reasons.values() for reason in (group if isinstance(group, list) else [group]))


def _sentence(what: ResourceKey | str, code: str, message: str) -> str:
    said = redact(" ".join(message.split()).rstrip("."))
    said = said if len(said) <= 800 else said[:799] + "…"
    return f"`{what}`: {code + ': ' if code and code not in ('UserError', 'BadRequest', 'None') else ''}{said}"
