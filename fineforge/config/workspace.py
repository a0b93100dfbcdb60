"""Find the Azure ML workspace of a project: environment variables first, then the `config.json` of the Azure ML SDK."""

from __future__ import annotations

import os
from pathlib import Path

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.host.files import STATE, JsonError, parse_json, read

_VARIABLES = ("AZUREML_ARM_SUBSCRIPTION", "AZUREML_ARM_RESOURCEGROUP", "AZUREML_ARM_WORKSPACE_NAME")
"""Set within the service's own jobs, and by `fineforge emulator exec`."""


def _from_environment() -> tuple[str, str, str] | None:
    values = {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}
    missing = [name for name in _VARIABLES if name not in values]
    if not values:
        return None
    if missing:
        hint = f"also set {' and '.join(missing)}, or unset all three"
        raise FineforgeError(Diagnostic("FF161", "the environment variables for the workspace are incomplete", hint=hint))
    subscription, group, workspace = (values[name] for name in _VARIABLES)
    return subscription, group, workspace


def workspace_of(root: Path, allow_outside: bool) -> tuple[str, str, str] | None:
    """`config.json` as the Azure portal offers it for download, found from the root upwards as the SDK finds it."""
    for folder in (root, *root.parents):
        for file in (folder / ".azureml" / "config.json", folder / "config.json"):
            if file.is_file() and (found := _workspace_file(file, folder, allow_outside)):
                return found
    return None


_CONFIG_KEYS = ("subscription_id", "resource_group", "workspace_name")


def _workspace_file(file: Path, folder: Path, allow_outside: bool) -> tuple[str, str, str] | None:
    """None for another program's `config.json`: one that names none of the keys."""
    text = read(file, STATE, folder, allow_outside).decode("utf-8-sig", "replace")
    if not any(key in text for key in _CONFIG_KEYS):
        return None
    try:
        data = parse_json(text)
    except JsonError:
        data = None
    values = [data.get(key) if isinstance(data, dict) else None for key in _CONFIG_KEYS]
    if not all(isinstance(value, str) and value for value in values):
        hint = "it must contain subscription_id, resource_group and workspace_name"
        raise FineforgeError(Diagnostic("FF160", f"`{file}` is not a workspace file", hint=hint))
    subscription, group, workspace = (str(value) for value in values)
    return subscription, group, workspace
