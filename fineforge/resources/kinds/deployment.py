"""Managed online deployments: one model version on one size, named after both."""

from __future__ import annotations

from collections.abc import Iterable

from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Billing
from fineforge.resources.fields import FieldRule
from fineforge.resources.kinds.base import PROVISIONING, USER_TAGS_TOP, Api, Context, End, Kind, Wanted, identity_rules

_REQUEST = "properties.requestSettings"
_PROBE = "properties.livenessProbe"


def _wanted(context: Context) -> Iterable[Wanted]:
    deployment, key, model = context.spec.deployment, context.identity.deployment, context.identity.model
    if deployment is None or key is None or model is None or context.identity.endpoint is None:
        return
    variables = {
        "name": key.name,
        "endpoint": key.parent,
        "model": model_reference(model),
        "size": deployment.size,
        "instances": deployment.instances,
        "request": deployment.request.model_dump() if deployment.request else None,
        "probe": deployment.probe.model_dump() if deployment.probe else None,
        "environment": deployment.environment,
        "scoring": deployment.scoring.model_dump() if deployment.scoring else None,
        "code": deployment.scoring.code if deployment.scoring else None,
        "script": deployment.scoring.script if deployment.scoring else None,
        "environment_variables": dict(deployment.environment_variables),
        "egress": {"public": "enabled", "private": "disabled"}.get(deployment.egress or ""),
    }
    yield Wanted(key, variables, ("deployment",), (model, context.identity.endpoint))


def model_reference(model: ResourceKey) -> str:
    """How a deployment's YAML names a model of the workspace, or of a registry."""
    if model.parent:
        return f"azureml://registries/{model.parent}/models/{model.name}/versions/{model.version}"
    return f"azureml:{model.name}:{model.version}"


def _probe_rules() -> Iterable[FieldRule]:
    for name, wire, form in (
        ("initial_delay", "initialDelay", "seconds"),
        ("period", "period", "seconds"),
        ("timeout", "timeout", "seconds"),
        ("success_threshold", "successThreshold", "number"),
        ("failure_threshold", "failureThreshold", "number"),
    ):
        yield FieldRule(f"liveness_probe.{name}", f"{_PROBE}.{wire}", form=form, spec=f"deployment.probe.{name}")


DEPLOYMENT = Kind(
    name="deployment",
    rules=(
        *identity_rules("$schema", "name", "endpoint_name"),
        FieldRule("model", "properties.model", form="asset", spec="model", reason="answered as an ARM id"),
        FieldRule("instance_type", "properties.instanceType", form="caseless", spec="deployment.size"),
        FieldRule("instance_count", "sku.capacity", form="number", spec="deployment.instances"),
        FieldRule(
            "request_settings.request_timeout_ms",
            f"{_REQUEST}.requestTimeout",
            form="milliseconds",
            spec="deployment.request.timeout_ms",
        ),
        FieldRule(
            "request_settings.max_concurrent_requests_per_instance",
            f"{_REQUEST}.maxConcurrentRequestsPerInstance",
            form="number",
            spec="deployment.request.max_concurrent_per_instance",
        ),
        *_probe_rules(),
        FieldRule(
            "environment", "properties.environmentId", form="asset", spec="deployment.environment", reason="answered as an ARM id"
        ),
        FieldRule("code_configuration.code", "properties.codeConfiguration.codeId", form="asset", spec="deployment.scoring.code"),
        FieldRule(
            "code_configuration.scoring_script", "properties.codeConfiguration.scoringScript", spec="deployment.scoring.script"
        ),
        FieldRule(
            "environment_variables.*", "properties.environmentVariables", form="text", spec="deployment.environment_variables"
        ),
        FieldRule(
            "egress_public_network_access", "properties.egressPublicNetworkAccess", form="egress", spec="deployment.egress"
        ),
        USER_TAGS_TOP,
    ),
    wanted=_wanted,
    state="properties.provisioningState",
    states=PROVISIONING,
    end=End.DELETE,
    api=Api(
        "onlineEndpoints/{parent}/deployments/{name}",
        "2023-04-01-preview",
        "load_online_deployment",
        "online_deployments",
        "begin_create_or_update",
        {"skip_script_validation": True},
    ),
    end_order=20,
    parent="endpoint",
    is_output=True,
    billing=Billing.EXISTENCE,
    fixed={
        "name": "name",
        "endpoint_name": "endpoint",
        "model": "model",
        "instance_type": "size",
        "environment": "environment",
        "code_configuration.code": "code",
        "code_configuration.scoring_script": "script",
    },
)
