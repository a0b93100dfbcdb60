"""What an endpoint, or a deployment in one, would be in a spec: a registered model that is deployed without training."""

from __future__ import annotations

import re
from typing import Any

from fineforge.config.spec.names import CODE, ENVIRONMENT, REGISTERED
from fineforge.config.spec.serving import Probe, Request
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import Reader
from fineforge.core.objects import Observed, Raw, ResourceKey
from fineforge.core.redaction import hides
from fineforge.importing.writing import Draft, read, spec_name, user_tags
from fineforge.resources import fields

_PROBE = "initial_delay", "period", "timeout", "success_threshold", "failure_threshold"


def of_endpoint(name: str, gateway: Reader, called: str | None) -> Draft:
    """The endpoint with the deployment in it that answers most. FF423 where nothing is deployed."""
    _, endpoint = read(gateway, ResourceKey("endpoint", name))
    inside = gateway.list("deployment", name)
    traffic = _traffic(endpoint)
    if not inside:
        message = f"`endpoint/{name}` has no deployment and therefore no model"
        raise FineforgeError(Diagnostic("FF423", message, hint="a spec deploys a model; choose another endpoint"))
    key = max(sorted(inside, key=lambda key: key.name), key=lambda key: traffic.get(key.name, 0))
    return of_deployment(key, gateway, called)


def of_deployment(key: ResourceKey, gateway: Reader, called: str | None) -> Draft:
    """The deployment and its endpoint. FF423 where its model is none that a spec can name."""
    raw_endpoint, endpoint = read(gateway, ResourceKey("endpoint", key.parent or ""))
    raw, have = read(gateway, key)
    model = str(have.document.get("model") or "")
    model = re.sub(r"^(?=azureml://registries/)", "azureml:", model)
    if not re.match(REGISTERED, model):
        what = f"deploys `{model}`" if model else "has no model from a workspace or a registry"
        hint = "register the model, then import again"
        raise FineforgeError(Diagnostic("FF423", f"`{key}` {what}, which a spec cannot reference", hint=hint))
    owner = have.owner or endpoint.owner
    draft = Draft({"version": 1, "name": spec_name(called or (owner.spec if owner else endpoint.key.name))})
    draft.data["model"] = {"registered": model}
    _endpoint(draft, raw_endpoint, endpoint)
    _deployment(draft, raw, have)
    others = [other.name for other in gateway.list("deployment", key.parent) if other.name != key.name]
    _tell(draft, key, endpoint, others)
    if tags := user_tags(have):
        draft.data["tags"] = tags
    return draft


def _endpoint(draft: Draft, raw: Raw, have: Observed) -> None:
    """An endpoint that no spec of ours has made stays whose it is."""
    block: dict[str, Any] = {"name": have.key.name}
    auth = have.document.get("auth_mode")
    if auth in ("key", "aml_token", "aad_token"):
        block["auth"] = auth
    if have.owner is None:
        block["existing"] = True
        draft.note(
            "endpoint", "It has another owner, so it is used and never changed. `fineforge adopt` makes it belong to this spec."
        )
    if str(fields.get(raw, "properties.publicNetworkAccess") or "Enabled").lower() != "enabled":
        draft.note("endpoint", "It has no public address (`public_network_access: disabled`), which a spec cannot express.")
    if have.document.get("mirror_traffic"):
        draft.note("endpoint", f"It mirrors traffic, which a spec cannot express: {_shares(have.document['mirror_traffic'])}.")
    draft.data["endpoint"] = block


def _deployment(draft: Draft, raw: Raw, have: Observed) -> None:
    document = have.document
    block: dict[str, Any] = {"size": str(document.get("instance_type") or "")}
    block["instances"] = int(document.get("instance_count") or 1)
    if probe := _changed(document, "liveness_probe", dict(zip(_PROBE, _PROBE, strict=True)), Probe()):
        block["probe"] = probe
    names = {"timeout_ms": "request_timeout_ms", "max_concurrent_per_instance": "max_concurrent_requests_per_instance"}
    if request := _changed(document, "request_settings", names, Request()):
        block["request"] = request
    _container(draft, block, have)
    if document.get("egress_public_network_access") == "disabled":
        block["egress"] = "private"
    for place, usual, words in _UNSAID:
        value = fields.get(raw, place)
        if value not in (None, "", {}, [], False) and str(value).lower() != usual:
            draft.note("deployment", f"A spec cannot express {words}: `{value}`.")
    draft.data["deployment"] = block


_UNSAID = (
    ("properties.scaleSettings.scaleType", "default", "its autoscaling"),
    ("properties.endpointComputeType", "managed", "its compute target"),
    ("properties.appInsightsEnabled", "false", "logging to Application Insights"),
    ("properties.modelMountPath", "", "the mount path of the model"),
    ("properties.readinessProbe.initialDelay", "pt10s", "its readiness probe"),
)
"""Place in the body, the usual value in lower case, and what it is."""


def _container(draft: Draft, block: dict[str, Any], have: Observed) -> None:
    """Environment, scoring script, variables; those that look like secrets are left out."""
    document = have.document
    environment = str(document.get("environment") or "")
    environment = re.sub(r"^(?=azureml://registries/)", "azureml:", environment)
    if re.match(ENVIRONMENT, environment):
        block["environment"] = environment
    elif environment:
        draft.note("deployment", f"A spec cannot reference its environment: `{environment}`.")
    scoring = document.get("code_configuration") or {}
    if scoring and re.match(CODE, str(scoring.get("code"))) and scoring.get("scoring_script"):
        block["scoring"] = {"code": scoring["code"], "script": scoring["scoring_script"]}
    elif scoring:
        draft.note("deployment", f"A spec cannot reference its scoring code: `{scoring.get('code')}`.")
    variables = {str(name): str(value) for name, value in (document.get("environment_variables") or {}).items()}
    hidden = [name for name in variables if hides(f"environment_variables.{name}")]
    if hidden:
        listed = ", ".join(f"`{name}`" for name in hidden)
        draft.note("deployment", f"Omitted because they look like secrets: {listed}. Use the key vault or a managed identity.")
    if kept := {name: value for name, value in variables.items() if name not in hidden}:
        block["environment_variables"] = kept


def _changed(document: Any, place: str, names: dict[str, str], usual: Any) -> dict[str, Any]:
    """What differs from the service's defaults, under the spec's names."""
    have = document.get(place) or {}
    found = {name: have[theirs] for name, theirs in names.items() if have.get(theirs) is not None}
    return {name: int(value) for name, value in found.items() if value != getattr(usual, name)}


def _tell(draft: Draft, key: ResourceKey, endpoint: Observed, others: list[str]) -> None:
    shares = _traffic(endpoint)
    if shares:
        draft.note("endpoint", f"Current traffic: {_shares(shares)}.")
    if others:
        listed = ", ".join(f"`{name}`" for name in sorted(others))
        draft.note("endpoint", f"Other deployments of the endpoint, not in this spec: {listed}.")
    draft.head.append(
        f"A deployment of a spec is named after what is in it, so apply makes one of its own beside `{key.name}`, and refuses to "
        "take traffic from what is not this spec's."
    )


def _traffic(endpoint: Observed) -> dict[str, int]:
    return {str(name): int(value) for name, value in (endpoint.document.get("traffic") or {}).items()}


def _shares(traffic: Any) -> str:
    return ", ".join(f"`{name}` {value} %" for name, value in traffic.items())
