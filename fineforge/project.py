"""The project file `fineforge.yaml`, found from the spec's folder upwards, and where a target's workspace is.

Reading files and environment variables for this is here. Without a project file the spec stands alone: its folder is the root and
its name the scope of ownership.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fineforge import source
from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.gateway import Workspace

FILE_NAME = "fineforge.yaml"
LOCAL = "local"
"""The emulator; it always exists as a target."""


class _Target(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    subscription_id: str
    resource_group: str
    workspace: str


class _Defaults(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    training: dict[str, bool | int | float | str] = {}
    tags: dict[str, str] = {}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,62}$")
    targets: dict[str, _Target] = {}
    default_target: str | None = None
    defaults: _Defaults = _Defaults()
    templates: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    name: str
    """Empty where there is no project file: the spec's own name counts."""
    root: Path
    targets: Mapping[str, _Target] = field(default_factory=dict)
    default_target: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    templates: Path | None = None

    def target(self, wanted: str | None) -> str:
        """The target to use: what was asked for, FINEFORGE_TARGET, the project's default, the only one there is."""
        name = wanted or os.environ.get("FINEFORGE_TARGET") or self.default_target
        if name:
            return name
        return next(iter(self.targets)) if len(self.targets) == 1 else "default"

    def workspace(self, target: str) -> Workspace:
        """Where the target is: project file, AZUREML_ARM_* variables, Microsoft's `config.json`. FF161 where nothing says."""
        if target in self.targets:
            entry = self.targets[target]
            return Workspace(target, entry.subscription_id, entry.resource_group, entry.workspace)
        found = (_from_environment() or _from_config(self.root)) if target == "default" else None
        if found:
            return Workspace(target, *found)
        known = ", ".join(f"`{name}`" for name in (LOCAL, *self.targets))
        if target == "default":
            hint = "add `targets` to `fineforge.yaml`, set AZUREML_ARM_SUBSCRIPTION, AZUREML_ARM_RESOURCEGROUP and"
            hint += " AZUREML_ARM_WORKSPACE_NAME, or use `--target local`"
            raise FineforgeError(Diagnostic("FF161", "no workspace is configured", hint=hint))
        raise FineforgeError(Diagnostic("FF161", f"there is no target `{target}`", hint=f"known: {known}"))


def find(start: Path) -> Project:
    """The project that `start` (a folder) belongs to."""
    folder = start.resolve()
    for parent in (folder, *folder.parents):
        file = parent / FILE_NAME
        if file.is_file():
            return _read(file)
    return Project("", folder)


def templates(project: Project) -> dict[str, str]:
    """Template texts by file name: the shipped ones, and over them those of the project's folder."""
    shipped = Path(str(files("fineforge"))) / "templates"
    if not shipped.is_dir():
        shipped = Path(__file__).parent.parent / "templates"
    folders = [shipped] + ([project.templates] if project.templates else [])
    return {file.name: file.read_text(encoding="utf-8") for folder in folders for file in sorted(folder.glob("*.yml.j2"))}


def read_file(file: Path) -> bytes:
    """A file's bytes, up to one more than a spec may have. FF112 where it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(source.MAX_BYTES + 1)
    except FileNotFoundError:
        raise FineforgeError(Diagnostic("FF112", f"there is no file `{file}`")) from None
    except OSError as error:
        raise FineforgeError(Diagnostic("FF112", f"`{file}` cannot be read: {(error.strerror or str(error)).lower()}")) from None


def _read(file: Path) -> Project:
    parsed = source.load(read_file(file), str(file))
    try:
        data = _File.model_validate(parsed.data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems = [
            parsed.place(Diagnostic("FF160", f"`{'.'.join(map(str, d['loc']))}`: {d['msg'].lower()}", path=d["loc"]))
            for d in details
        ]
        raise FineforgeError(*problems) from None
    folder = file.parent
    return Project(
        name=data.name,
        root=folder,
        targets=data.targets,
        default_target=data.default_target,
        training=data.defaults.training,
        tags=data.defaults.tags,
        templates=folder / data.templates if data.templates else None,
    )


def _from_environment() -> tuple[str, str, str] | None:
    names = ("AZUREML_ARM_SUBSCRIPTION", "AZUREML_ARM_RESOURCEGROUP", "AZUREML_ARM_WORKSPACE_NAME")
    values = [os.environ.get(name) for name in names]
    return (str(values[0]), str(values[1]), str(values[2])) if all(values) else None


def _from_config(root: Path) -> tuple[str, str, str] | None:
    """`config.json` or `.azureml/config.json`, as the Azure portal offers it for download."""
    for file in (root / "config.json", root / ".azureml" / "config.json"):
        if not file.is_file():
            continue
        try:
            data = json.loads(file.read_text(encoding="utf-8-sig"))
            return (str(data["subscription_id"]), str(data["resource_group"]), str(data["workspace_name"]))
        except (ValueError, KeyError, TypeError):
            hint = "it needs subscription_id, resource_group and workspace_name"
            raise FineforgeError(Diagnostic("FF160", f"`{file}` is not a workspace file", hint=hint)) from None
    return None
