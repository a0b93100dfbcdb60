"""The words of Azure's refusals: one table, each row with its source, and the bodies that carry them.

A row whose source starts with `assumed` was not seen anywhere; it says no more than the rule. Here belongs no rule.
Sources, here and in the other files: `recorded`: recordings of azure-sdk-for-python tests of 2022 and 2023. `reported`: quoted in
a public issue or log. FIELD: EON-LEE/azure-hf-sllm-finetune-workshop, GOTCHAS and VERIFIED, measured in August 2026. TSG, QUOTA:
Microsoft's how-to-troubleshoot-online-endpoints and how-to-manage-quotas. GUIDE: a public guide to Azure ML and GitHub Actions.
`repository#number`: a GitHub issue.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any


class AzureError(Exception):
    """A refusal of the service. `body()` is what goes over the wire."""

    def __init__(self, status: int, code: str, message: str, details: tuple[dict[str, Any], ...] = (), inner: str = "") -> None:
        super().__init__(f"({code}) {message}" + "".join(f" {entry['message']}" for entry in details))
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.inner = inner
        """`NotFoundError`, `ConflictError` ...: only additionalInfo tells what kind of UserError it is."""
        self.location = ""
        self.time = ""
        """Set by `Cloud` where managementfrontend answers: then the body carries additionalInfo."""

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details or self.inner:
            error |= {"details": list(self.details), "additionalInfo": self._additional_info()}
        return {"error": error}

    def _additional_info(self) -> list[dict[str, Any]]:
        entries: dict[str, Any] = {
            "ComponentName": "managementfrontend",
            "Correlation": {"operation": uuid.uuid4().hex, "request": uuid.uuid4().hex[:16]},
            "Environment": self.location,
            "Location": self.location,
            "Time": self.time,
        }
        if self.inner:
            entries["InnerError"] = {"code": self.inner, "innerError": None}
        return [{"type": kind, "info": {"value": value}} for kind, value in entries.items()]


@dataclass(frozen=True, slots=True)
class Words:
    text: str
    source: str
    status: int = 400
    code: str = "BadRequest"
    shape: str = "inferencing"
    """`arm`: code and message. `user`: managementfrontend's UserError, `inner` tells the kind.
    `inferencing`: the reason is JSON text inside a detail of `The request is invalid.`"""
    inner: str = ""
    field: str = ""
    """The key of the reason within that JSON text."""
    detail: str = "InferencingClientCallFailed"


def _user(text: str, source: str, inner: str = "BadRequest", status: int = 400) -> Words:
    return Words(text, source, status, "UserError", "user", inner)


def _arm(text: str, source: str, code: str, status: int = 400) -> Words:
    return Words(text, source, status, code, "arm")


def _quota(text: str, source: str) -> Words:
    return Words(text, source, field="VmSize", detail="InferencingClientCreateDeploymentFailed")


WORDS: dict[str, Words] = {
    # --- names and existence ---------------------------------------------------------------------------------------
    "asset_missing": _user("Could not find asset with ID: {id}", "recorded", "NotFoundError", 404),
    "asset_unknown": _user(
        "Could not find asset with ID: {id}", "assumed: the recorded words, where a body names it", "NotFoundError"
    ),
    "compute_missing": _arm(
        "Compute with name {name} not found in workspace {workspace}.", "assumed; 404 is what the SDK needs", "NotFound", 404
    ),
    "resource_missing": _user("The specified resource was not found.", "azure-cli-extensions#7660", "NotFoundError", 404),
    "operation_missing": _arm("The operation {id} was not found.", "assumed", "NotFound", 404),
    "asset_name": _user(
        "Resource name can only contain alphanumeric characters, dashes, and underscores, with a limit of 255 characters.",
        "FIELD GOTCHAS 11 (the part before the comma)",
    ),
    "registry_name": _arm(
        "Registry name {name} is invalid: 3 to 33 characters, letters, digits, dashes and underscores only.",
        "assumed words; the pattern is in the REST specification",
        "BadArgument",
    ),
    "registry_name_taken": _arm("The registry name {name} is already in use.", "assumed", "Conflict", 409),
    "registry_forbidden": _arm(
        "The client does not have authorization to perform action "
        "'Microsoft.MachineLearningServices/registries/assets/write' over registry {registry}.",
        "assumed words; the form is ARM's",
        "AuthorizationFailed",
        403,
    ),
    "registry_version_exists": _user(
        "A model with this name and version already exists in registry",
        "azure-ai-ml 1.35.2; it takes 409 for it",
        "ConflictError",
        409,
    ),
    "registry_upload": _user("No files were found at {uri} in the storage of registry {registry}.", "assumed"),
    "compute_name": _arm(
        "Compute name {name} is invalid: 3 to 24 characters, starting with a letter, letters, digits and dashes only.",
        "assumed; the rule is in how-to-create-attach-compute-cluster.md",
        "BadArgument",
    ),
    "endpoint_name": Words(
        "The specified {what} name '{name}' is invalid. It must start with a letter, be 3 to 32 characters long, and "
        "hold letters, "
        "digits and single dashes only.",
        "assumed; the rule is in how-to-manage-quotas.md",
        field="Name",
    ),
    "endpoint_name_taken": Words(
        "There is already an endpoint with this name, Endpoint name needs to be unique within a region. Try some other name.",
        "azureml-examples#1931",
    ),
    "not_allowed": _arm(
        "The requested resource does not support http method '{verb}' ({kind}).", "assumed", "MethodNotAllowed", 405
    ),
    "tags": _arm(
        "The tag '{tag}' is invalid: at most 50 tags, names to 512 and values to 256 characters, no < > % & \\ ? / in names.",
        "assumed words; the limits are ARM's",
        "InvalidTagNameCharacters",
    ),
    # --- operations ------------------------------------------------------------------------------------------------
    "busy": _arm(
        "Conflict of operation, another operation on same entity is already running in workspace {workspace}.",
        "azure-cli#17075",
        "Conflict",
        409,
    ),
    "endpoint_busy": _arm(
        "An operation is already in progress on this endpoint.",
        "documentation; azure-sdk-for-net#36961",
        "Conflict",
        409,
    ),
    # --- compute ---------------------------------------------------------------------------------------------------
    "vm_size": _arm(
        "InvalidPropertyValue: The value {size} of property VMSize is not a supported VM size. Supported VM sizes: {sizes}",
        "FIELD 2.1; the list's form is assumed",
        "InvalidPropertyValue",
    ),
    "vm_size_fixed": _arm(
        "Cannot change {field} of an existing compute from {before} to {after}. Delete the compute and create it again.",
        "assumed words; the rule is in how-to-create-attach-compute-cluster.md",
        "BadArgument",
    ),
    "cluster_quota": _arm(
        "The specified subscription has a {family} vCPU quota of {limit} and cannot accomodate for at least 1 "
        "requested managed compute "
        "nodes which maps to {cores} vCPUs.",
        "reported: mlops-v2#81, InnerEye-DeepLearning#253",
        "ClusterMinNodesExceedCoreQuota",
    ),
    "identity": _arm(
        "The identity is invalid: type {type} with {count} user assigned identities.", "assumed", "InvalidIdentityValue"
    ),
    "scale": _arm("The scale settings are invalid: {reason}", "assumed", "BadArgument"),
    # --- data and models -------------------------------------------------------------------------------------------
    "data_immutable": _user(
        "A data version with this name and version already exists. If you are trying to create a new data version, use "
        "a different name "
        "or version. If you are trying to update an existing data version, the existing asset's data uri cannot be "
        "changed. Only tags, "
        "description, and isArchived can be updated.",
        "GUIDE 9; the status is assumed",
    ),
    "asset_path": _user("Asset paths cannot be updated.", "azure-ai-ml 1.35.2, model and code updates"),
    "model_version": _user(
        "The version '{version}' of model {name} is invalid: it must be a positive integer.",
        "assumed words; azureml-examples#2725, MachineLearningNotebooks#289",
    ),
    "no_artifacts": Words(
        "No artifacts matching {path} found from Job",
        "FIELD GOTCHAS 10 (the code), words assumed",
        code="NoMatchingArtifactsFoundFromJob",
        shape="user",
        inner="NoMatchingArtifactsFoundFromJob",
    ),
    "field_missing": _user("The field {field} is required.", "assumed"),
    "field_value": _user("The value '{value}' of {field} is not one of: {known}", "assumed"),
    # --- jobs ------------------------------------------------------------------------------------------------------
    "job_exists": _user(
        "A job with this name already exists. If you are trying to create a new job, use a different name. If you are "
        "trying to update an "
        "existing job, the existing job's Settings, Inputs, Outputs, Jobs, InputBindings, OutputBindings cannot be changed. Only "
        "description, tags, displayName, properties, and isArchived can be updated.",
        "azure-docs#122250; the status is assumed",
    ),
    "job_input_unknown": _user("Unknown input '{input}' of component {component}.", "assumed"),
    "job_input_missing": _user("Required input '{input}' of component {component} is not provided.", "assumed"),
    "job_empty": _user("The pipeline job has no steps.", "assumed"),
    "job_input_value": _user("Input '{input}' of component {component} has the value '{value}': {reason}.", "assumed"),
    "job_compute": _user("Compute target {name}, given as {input}, was not found in the workspace.", "assumed"),
    "job_model": _user("Could not find asset with ID: {id} (input {input}).", "assumed: the recorded words of a missing asset"),
    "job_data": _user(
        "The provided path is not valid or the files could not be accessed for the input '{input}'. "
        "ScriptExecutionException was caused by "
        "StreamAccessException. StreamAccessException was caused by NotFoundException. Found no resources for the "
        "input provided: '{uri}'",
        "assumed",
    ),
    "compute_unknown": _user("Compute with name {name} not found in workspace {workspace}.", "assumed"),
    "job_size": _user("Instance type {size}, given as {input}, is not a supported VM size.", "assumed"),
    "job_preempted": Words(
        "AzureMLCompute job failed. PreemptionError: Nodes of this job got pre-empted.",
        "assumed to be the code of these words, which are reported: azure-docs#66288",
        code="PreemptionError",
        shape="arm",
    ),
    "job_steps": _arm(
        "The emulator runs pipelines of one step; this one has {count}.", "the emulator's own", "NotImplemented", 501
    ),
    "job_type": _arm(
        "The emulator does not run jobs of type {type}, only Pipeline.", "the emulator's own", "NotImplemented", 501
    ),
    "job_child": _arm(
        "The emulator keeps no job for a step of a pipeline, only its run.", "the emulator's own", "NotImplemented", 501
    ),
    "job_running": _user("The job {name} is still {status}; cancel it before deleting it.", "assumed"),
    # --- endpoints and deployments ---------------------------------------------------------------------------------
    "traffic_at_create": Words(
        "Traffic cannot be set when an endpoint is created.", "assumed words; reference-yaml-endpoint-online.md", field="Traffic"
    ),
    "traffic_total": Words(
        "The traffic percentages must total 0 or 100; they total {total}.",
        "assumed words; reference-yaml-endpoint-online.md",
        field="Traffic",
    ),
    "traffic_unknown": Words(
        "The deployment [{deployment}] named in the traffic does not exist in endpoint [{endpoint}].",
        "assumed words; reference-yaml-endpoint-online.md",
        field="Traffic",
    ),
    "traffic_value": Words("The traffic of [{deployment}] must be a whole number from 0 to 100.", "assumed", field="Traffic"),
    "mirror": Words(
        "Mirror traffic is for one deployment only, at most 50 percent, without live traffic of its own.",
        "assumed words; how-to-safely-rollout-online-endpoints.md",
        field="MirrorTraffic",
    ),
    "patch_properties": Words(
        "Could not find member 'properties' on object of type 'PartialMinimalTrackedResource'.",
        "assumed words; FIELD GOTCHAS 13",
        field="properties",
    ),
    "endpoint_properties": Words(
        "Property {key} of endpoint [{endpoint}] cannot be removed or altered.", "assumed words; terraform-provider-azurerm#32011"
    ),
    "endpoint_identity": Words(
        "The identity of endpoint [{endpoint}] cannot be changed after it was created.",
        "assumed words; how-to-access-resources-from-endpoints-managed-identities.md",
        field="Identity",
    ),
    "endpoint_quota": Words(
        "Endpoint Quota reached for subscription {subscription}. Current usage/limit: {usage}/{limit}."
        "Please clean up existing endpoints and try again",
        "azureml-examples#1635",
    ),
    "endpoint_failed": Words(
        "Specified endpoint [{endpoint}] has not been created successfully. Please recreate the endpoint.",
        "reported",
    ),
    "keys_of_token_endpoint": Words("Keys can be listed for endpoints with auth mode Key only.", "assumed"),
    "token_of_key_endpoint": Words("Tokens are issued for endpoints with auth mode AMLToken or AADToken only.", "assumed"),
    "unrecoverable": Words(
        "Specified deployment [{deployment}] failed during initial provisioning and is in an unrecoverable state. "
        "Delete and re-create.",
        "reported",
    ),
    "live_traffic": Words(
        "Deployment [{deployment}] still has live traffic and cannot be deleted. Set its traffic to 0 first.",
        "assumed words and status; how-to-safely-rollout-online-endpoints.md",
    ),
    "deployment_count": Words(
        "Deployment quota reached for endpoint [{endpoint}]. Current usage/limit: {usage}/{limit}.",
        "assumed words; how-to-manage-quotas.md",
    ),
    "deployment_quota": Words(
        "Deployment quota reached for subscription {subscription}. Current usage/limit: {usage}/{limit}.",
        "assumed words; how-to-manage-quotas.md",
    ),
    "instance_count": Words(
        "The instance count must be from 1 to {limit}; {count} was requested.", "assumed words; QUOTA, FIELD 16.1"
    ),
    "model_of_deployment": Words(
        "ResourceNotFound: the model {id} of deployment [{deployment}] was not found.",
        "assumed words; the code is in TSG",
        field="Model",
    ),
    "instance_type": _quota("InvalidPropertyValue: The value {size} of property VMSize is not a supported VM size.", "FIELD 2.1"),
    "request_timeout": Words(
        "requestTimeout must be at most PT3M; {value} was requested.", "assumed words; deployment reference: 180000 ms"
    ),
    "family_quota": _quota(
        "Not enough quota available for {size} in SubscriptionId {subscription}. Current usage/limit: {usage}/{limit}. "
        "Additional needed: "
        "{needed} Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota",
        "reported: mslearn-azure-ml#30, mlops-v2#124",
    ),
    "total_quota": _arm(
        "OutOfQuota: Not enough cluster CPU quota. The amount of additional CPU quota requested is {needed}, and you "
        "are currently using "
        "{usage}. Your amount of maximum quota is {limit}.",
        "azure-docs#121466: the code is the text None",
        "None",
    ),
    "no_quota_entry": _arm(
        "The amount of CPU quota requested is {needed} and your maximum amount of quota is [N/A]",
        "fraud-detection#2",
        "OutOfQuota",
    ),
    "logs_container": _arm("The emulator has no logs of the container {container}.", "the emulator's own", "NotImplemented", 501),
    "logs_busy": Words("Deployment is in deleting or creating state so logs can't be retrieved.", "FIELD 14.1"),
    # --- scoring ---------------------------------------------------------------------------------------------------
    "score_key": _arm("Key or token is missing or wrong for this endpoint", "TSG: 401; words assumed", "Unauthorized", 401),
    "score_no_traffic": _arm("No deployment with positive weight", "TSG: 404; words assumed", "NotFound", 404),
}


def refuse(row: str, /, **values: object) -> AzureError:
    """The error of one row, with its values filled in. Raise what it returns."""
    words = WORDS[row]
    text = words.text.format(**values)
    match words.shape:
        case "inferencing":
            reason = {"errors": {words.field: [text]}, "title": "One or more validation errors occurred."}
            if words.detail == "InferencingClientCreateDeploymentFailed":
                text = f"InferencingClient HttpRequest error, error detail: {json.dumps(reason | {'status': 400})}"
            else:
                text = json.dumps(reason)
            return AzureError(words.status, words.code, "The request is invalid.", ({"code": words.detail, "message": text},))
        case "user":
            return AzureError(words.status, words.code, text, inner=words.inner)
        case _:
            return AzureError(words.status, words.code, text)


def failure(row: str, /, **values: object) -> dict[str, str]:
    """The same words as the error of an operation or a job that fails later."""
    return {"code": WORDS[row].code, "message": WORDS[row].text.format(**values)}


def not_allowed(verb: str, kind: str) -> AzureError:
    return refuse("not_allowed", verb=verb, kind=kind)
