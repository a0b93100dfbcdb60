"""What Azure says when it refuses becomes one line with a code, and nothing of what it said is lost but secrets.

The bodies: recorded, reported in public issues, or composed where a page only describes them; each says which.
"""

from __future__ import annotations

import json
from string import Formatter
from typing import Any

import pytest

from fineforge.azure import errors
from fineforge.core.codes import CODES
from fineforge.core.objects import ResourceKey
from fineforge.emulator.rules.errors import WORDS, refuse

KEY = ResourceKey("deployment", "d-1", parent="support")


def simple(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def user_error(message: str, inner: str) -> dict[str, Any]:
    """As managementfrontend writes: the code never tells, the last entry of additionalInfo does."""
    value = {"code": inner, "innerError": None}
    return {"error": {"code": "UserError", "message": message, "details": [],
            "additionalInfo": [{"type": "ComponentName", "info": {"value": "managementfrontend"}},
                               {"type": "InnerError", "info": {"value": value}}]}}  # fmt: skip


def inferencing(field: str, reason: str, detail: str = "InferencingClientCallFailed", lead: str = "") -> dict[str, Any]:
    inside = json.dumps({"errors": {field: [reason]}, "title": "One or more validation errors occurred.", "status": 400})
    details = [{"code": detail, "message": lead + inside}]
    return {"error": {"code": "BadRequest", "message": "The request is invalid.", "details": details}}


REFUSALS: dict[str, tuple[int, Any, str, str]] = {
    # reported: mslearn-azure-ml#30; the reason is JSON inside a message
    "deployment quota": (400, inferencing("VmSize", "Not enough quota available for Standard_F4s_v2 in SubscriptionId 0. "
        "Current usage/limit: 0/6. Additional needed: 8", "InferencingClientCreateDeploymentFailed",
        "InferencingClient HttpRequest error, error detail: "), "FF410", "Additional needed: 8"),
    # azure-docs#121466: the code is the text None
    "cluster quota": (400, simple("None", "OutOfQuota: Not enough cluster CPU quota. The amount of additional CPU quota "
        "requested is 8, and you are currently using 14."), "FF410", "currently using 14"),
    # mlops-v2#81, told by an operation that failed, with status 200
    "family quota": (200, simple("ClusterMinNodesExceedCoreQuota", "The specified subscription has a Standard NCADSA100v4 family "
        "vCPU quota of 0 and cannot accomodate for at least 1 requested managed compute nodes"), "FF410", "accomodate"),
    # azureml-examples#1635
    "endpoint quota": (400, inferencing("", "Endpoint Quota reached for subscription 0. Current usage/limit: 300/300."), "FF410",
        "300/300"),
    "size": (400, simple("InvalidPropertyValue", "The value X of property VMSize is not a supported VM size."), "FF411",
        "VMSize"),
    # azureml-examples#1931
    "name taken": (400, inferencing("", "There is already an endpoint with this name, Endpoint name needs to be unique within a "
        "region. Try some other name."), "FF412", "Try some other name"),
    # reported 2023-03-16
    "unrecoverable": (400, inferencing("", "Specified deployment [blue] failed during initial provisioning and is in an "
        "unrecoverable state. Delete and re-create."), "FF413", "[blue]"),
    # azure-cli#17075
    "busy": (409, simple("Conflict", "Conflict of operation, another operation on same entity is already running in "
        "workspace w."), "FF414", "workspace w"),
    "busy, by status": (409, simple("Conflict", "Conflict"), "FF414", "Conflict"),
    "locked": (429, simple("RetryableErrorDueToAnotherOperation", "The operation is locked."), "FF414", "locked"),
    # azure-docs#122250
    "job name": (400, user_error("A job with this name already exists. If you are trying to create a new job, use a different "
        "name.", "BadRequest"), "FF415", "use a different name"),
    "data version": (400, user_error("A data version with this name and version already exists.", "BadRequest"), "FF415", "data"),
    # troubleshooting page of online endpoints
    "image": (200, simple("ImageBuildFailure", "The image could not be built."), "FF416", "image"),
    "container": (200, simple("ResourceNotReady", "User container has crashed or terminated."), "FF416", "crashed"),
    # ARM and managementfrontend word the same thing each in its own way (reported 2026-08-15)
    "forbidden, ARM": (403, simple("AuthorizationFailed", "The client 'x' does not have authorization to perform action "
        "'Microsoft.MachineLearningServices/workspaces/computes/read' over scope '/y'"), "FF403", "scope '/y'"),
    "forbidden, assets": (403, user_error("Identity(object id: x) does not have permissions for "
        "Microsoft.MachineLearningServices/workspaces/datastores/read actions.", "ForbiddenError"), "FF403", "Identity"),
    "token": (401, simple("ExpiredAuthenticationToken", "The access token has expired."), "FF402", "expired"),
    "resource group": (404, simple("ResourceGroupNotFound", "Resource group 'rg' could not be found."), "FF405", "'rg'"),
    "workspace": (404, simple("ResourceNotFound", "The Resource 'Microsoft.MachineLearningServices/workspaces/w' under resource "
        "group 'rg' was not found."), "FF405", "workspaces/w"),
    "soft-deleted": (400, simple("BadRequest", "Soft-deleted workspace exists. Please purge or recover it."), "FF405", "recover"),
    # recorded 2022-09-28
    "asset": (404, user_error("Could not find asset with ID: azureml://registries/r/models/m/versions/2", "NotFoundError"),
        "FF404", "versions/2"),
    "object": (404, simple("ResourceNotFound", "The Resource 'Microsoft.MachineLearningServices/workspaces/w/computes/c' under "
        "resource group 'rg' was not found."), "FF404", "computes/c"),
    "throttled": (429, simple("ResourceRequestsThrottled", "Number of requests exceeded the limit of '50'."), "FF406", "'50'"),
    "fault": (500, simple("InternalServerError", "An internal server error occurred."), "FF407", "internal"),
    "fault, no JSON": (503, "<html>Service Unavailable</html>", "FF407", "Service Unavailable"),
    "fault, nothing": (502, None, "FF407", "HTTP 502"),
    "emulator": (501, simple("NotImplemented", "The local emulator does not implement x."), "FF408", "implement x"),
    "unknown": (418, simple("Teapot", "Short and stout."), "FF400", "Teapot: Short and stout"),
    "unknown, a list": (400, [1, 2], "FF400", "HTTP 400"),
    "unknown, a text for an error": (400, {"error": "out of milk"}, "FF400", "out of milk"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal(case: str) -> None:
    status, body, code, kept = REFUSALS[case]
    (found,) = errors.refusal(status, body, KEY).diagnostics
    assert found.code == code in CODES
    assert found.message.startswith("`deployment/support/d-1`: ") and kept in found.message
    assert not found.message.endswith(".") and "\n" not in found.message
    assert found.hint or code == "FF400"


def test_every_code_of_the_table_is_met() -> None:
    assert {row.code for row in errors.ROWS} == {code for _, _, code, _ in REFUSALS.values()} - {"FF400"}


def test_all_that_the_emulator_says_is_kept() -> None:
    """Whatever a row of the rules says, its words reach the user, and what was reported by people has a code of its own."""
    values = {name: "7" for words in WORDS.values() for _, name, _, _ in Formatter().parse(words.text) if name}
    vague = []
    for row, words in WORDS.items():
        error = refuse(row, **values)
        (found,) = errors.refusal(error.status, error.body(), KEY).diagnostics
        said = " ".join(words.text.format(**values).split()).rstrip(".")
        assert said in found.message, row
        if found.code == "FF400" and not words.source.startswith("assumed"):
            vague.append(row)
    assert len(WORDS) > 50
    assert sorted(vague) == ["asset_name", "logs_busy"], "reported by somebody, and still FF400"


def test_the_missing_permission_is_named() -> None:
    for case in ("forbidden, ARM", "forbidden, assets"):
        status, body, _, _ = REFUSALS[case]
        (found,) = errors.refusal(status, body, KEY).diagnostics
        assert found.hint.startswith("`Microsoft.MachineLearningServices/workspaces/") and "docs/rbac.md" in found.hint


@pytest.mark.parametrize("name", ["Retry-After", "retry-after"])
def test_how_long_it_asks_to_wait(name: str) -> None:
    status, body, _, _ = REFUSALS["throttled"]
    (found,) = errors.refusal(status, body, KEY, {name: "372"}).diagnostics
    assert "372 s" in found.hint


SECRETS = (
    ("https://a.blob.core.windows.net/c/b?sv=2026&sig=abc%2Bdef&se=1", "abc%2Bdef"),
    ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Zm9v/YmFy==;EndpointSuffix=x", "Zm9v/YmFy"),
    ("Authorization: Bearer eyJhbGciOiJub25lIn0.eyJhIjoxfQ.sig", "eyJhbGciOiJub25lIn0"),
)


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_no_secret_in_a_message(text: str, secret: str) -> None:
    (found,) = errors.refusal(400, simple("Oops", f"cannot read {text}"), KEY).diagnostics
    assert "cannot read" in found.message and secret not in found.message


MISSING = {
    "asset": True, "object": True, "resource group": False, "workspace": False, "forbidden, ARM": False, "fault": False,
    "throttled": False, "unknown": False, "token": False,
}  # fmt: skip


@pytest.mark.parametrize("case", MISSING)
def test_what_absence_is(case: str) -> None:
    """Only the service's own word about the object itself; a missing workspace, or a fault, is no absence."""
    status, body, _, _ = REFUSALS[case]
    assert errors.is_missing(status, body) is MISSING[case]


SCORING = {
    401: "FF402", 403: "FF402", 404: "FF404", 408: "FF419", 424: "FF419", 429: "FF406", 500: "FF419", 503: "FF419",
}  # fmt: skip


@pytest.mark.parametrize("status", SCORING)
def test_scoring(status: int) -> None:
    """Statuses of an endpoint mean other things than ARM's (troubleshooting page); the model's own status is told."""
    headers = (
        {"ms-azureml-model-error-statuscode": "400", "ms-azureml-model-error-reason": "model_error"} if status == 424 else {}
    )
    (found,) = errors.scoring_refusal(status, {"message": "bad input"}, headers, "endpoint/support").diagnostics
    assert found.code == SCORING[status] and found.hint
    assert ("400 model_error" in found.message) is (status == 424)


@pytest.mark.parametrize(("text", "words"), [("", "ValueError"), ("\n  one \ntwo", "one"), ("x" * 999, "x" * 300)])
def test_an_exception_is_told_by_one_line(text: str, words: str) -> None:
    assert errors.first_line(ValueError(text)) == words
