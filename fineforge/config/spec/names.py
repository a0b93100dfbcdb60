"""The spec's names: patterns, what they mean in words, and the small types that several blocks share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

SPEC_NAME = r"^[a-z][a-z0-9-]{1,29}[a-z0-9]$"
ENDPOINT_NAME = r"^[a-zA-Z](?:-?[a-zA-Z0-9])+$"
"""A letter first, single dashes; 3 to 32 characters: how-to-manage-quotas in the service's documentation."""
COMPUTE_NAME = r"^[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]$"
"""3 to 24 characters: how-to-create-attach-compute-cluster."""
ASSET_NAME = r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}$"
"""Dots are refused by the service: `Resource name can only contain alphanumeric characters, dashes, and underscores`."""
COMPONENT_ID = r"^azureml://registries/[^/]+/components/[^/]+/versions/[^/]+$"
REGISTERED = r"^azureml:(?:[^:/]+:[^:/]+|//registries/[^/]+/models/[^/]+/versions/[^/]+)$"
ENVIRONMENT = r"^azureml:(?:[^:/@]+:[^:/]+|//registries/[^/]+/environments/[^/]+/versions/[^/]+)$"
CODE = r"^azureml:[^:/@]+:[^:/]+$"
ARM_ID = r"^(?i:/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourceGroups/[^/]+/providers/.+)$"
REGISTRY_NAME = r"^[a-zA-Z0-9][a-zA-Z0-9-]{1,31}[a-zA-Z0-9]$"
"""3 to 33 characters: reference-yaml-registry."""

Task = Literal["chat-completion", "text-generation", "text-classification", "summarization"]
Percent = Annotated[int, Field(ge=1, le=100)]
ArmId = Annotated[str, StringConstraints(pattern=ARM_ID)]
Column = Annotated[str, StringConstraints(min_length=1)]
Tags = dict[str, Annotated[str, StringConstraints(max_length=256)]]


PATTERNS = {
    SPEC_NAME: "3 to 31 characters: lower-case letters, digits and dashes, starting with a letter",
    ENDPOINT_NAME: "3 to 32 characters: letters, digits and single dashes, starting with a letter",
    COMPUTE_NAME: "3 to 24 characters: letters, digits and dashes, starting with a letter",
    ASSET_NAME: "letters, digits, dashes and underscores; the service rejects dots",
    COMPONENT_ID: "write `azureml://registries/REGISTRY/components/NAME/versions/VERSION`",
    REGISTERED: "write `azureml:NAME:VERSION`, or the `azureml://registries/...` id of a registry's model",
    ENVIRONMENT: "write `azureml:NAME:VERSION`, or the `azureml://registries/...` id of a registry's environment",
    CODE: "write `azureml:NAME:VERSION`",
    ARM_ID: "write the whole id: `/subscriptions/GUID/resourceGroups/GROUP/providers/...`",
    REGISTRY_NAME: "3 to 33 characters: letters, digits and dashes",
}
"""What a pattern means, in words."""
