"""The project file `fineforge.yaml`, found from the spec's folder upwards, and where a target's workspace is.

Reading files and environment variables for this is here. Without a project file the spec stands alone: its folder is the root and
its name the scope of ownership.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from fineforge.config import compose, policy, source
from fineforge.config.policy import Policy
from fineforge.config.source import Source
from fineforge.config.spec import Tags, tag_problems
from fineforge.config.validation import ParameterValue, Shape, fit
from fineforge.config.variables import Variable, declaration_problems
from fineforge.config.workspace import _VARIABLES, _from_environment, workspace_of
from fineforge.core.diagnostics import Diagnostic, FineforgeError, did_you_mean
from fineforge.core.gateway import LOCAL, Workspace
from fineforge.host.files import PROJECT_FILE, TEMPLATE, is_folder, read, read_text, shown_path

FILE_NAME = PROJECT_FILE


NAME = r"^[a-z][a-z0-9-]{0,61}[a-z0-9]$"


_PATTERNS = {NAME: "2 to 63 characters: lower-case letters, digits and dashes, a letter first", **policy.PATTERNS}


Text = Annotated[str, StringConstraints(min_length=1)]


class Target(Shape):
    """A workspace that specs are applied to."""

    subscription_id: Text
    resource_group: Text
    workspace: Text


class Defaults(Shape):
    """What every spec of the project gets unless it says otherwise: any block of a spec. Other blocks than these are looked at
    when they are part of one."""

    model_config = ConfigDict(extra="allow")

    training: dict[str, ParameterValue] = Field(default_factory=dict)
    optimization: dict[str, ParameterValue] = Field(default_factory=dict)
    tags: Tags = Field(default_factory=dict)


class File(Shape):
    """`fineforge.yaml`."""

    name: Annotated[str, StringConstraints(pattern=NAME)]
    targets: dict[str, Target] = Field(default_factory=dict)
    default_target: Text | None = None
    variables: dict[str, Variable] = Field(default_factory=dict)
    defaults: Defaults = Defaults()
    templates: Text | None = None
    """A folder, seen from the project file's."""
    policies: Annotated[tuple[Policy, ...], Field(strict=False)] = ()


@dataclass(frozen=True, slots=True)
class Project:
    name: str
    """Empty where there is no project file: the spec's own name counts."""
    root: Path
    targets: Mapping[str, Target] = field(default_factory=dict)
    default_target: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    """Defaults of parameters; `training` and `optimization` are one namespace."""
    tags: Mapping[str, str] = field(default_factory=dict)
    templates: Path | None = None
    variables: Mapping[str, Variable] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    """Rules about plans, beside those of the folder `policies`."""
    file: Source | None = None
    """The project file as it was parsed."""
    allow_outside: bool = False
    """Whether files may lie outside of `root`."""

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
        found = (_from_environment() or workspace_of(self.root, self.allow_outside)) if target == "default" else None
        if found:
            return Workspace(target, *found)
        known = ", ".join(f"`{name}`" for name in (LOCAL, *self.targets))
        if target == "default":
            hint = f"add `targets` to `fineforge.yaml`, set {_VARIABLES[0]}, {_VARIABLES[1]} and"
            hint += f" {_VARIABLES[2]}, or use `--target local`"
            raise FineforgeError(Diagnostic("FF161", "no workspace is configured", hint=hint))
        hint = did_you_mean(
            target, (LOCAL, *self.targets), f"known targets: {known}; add others to `targets` in `fineforge.yaml`"
        )
        raise FineforgeError(Diagnostic("FF161", f"unknown target `{target}`", hint=hint))


def find(start: Path, allow_outside: bool = False) -> Project:
    """The project that `start` (a folder) belongs to. `allow_outside`: whether its files may be links that lead out of it."""
    folder = start.resolve()
    for parent in (folder, *folder.parents):
        file = parent / FILE_NAME
        if os.path.lexists(file):  # a link that leads nowhere is an error, not a spec without its project
            return _read(file, allow_outside)
    return Project("", folder, allow_outside=allow_outside)


def templates(project: Project) -> dict[str, str]:
    """Template texts by file name: the shipped ones, and over them those of the project's folder."""
    files = sorted(project.templates.glob("*.yml.j2")) if project.templates else []
    own = {file.name: read_text(file, TEMPLATE, project.root, project.allow_outside) for file in files}
    return {**_shipped(), **own}


@cache
def _shipped() -> dict[str, str]:
    """Those of the package, or of its repository."""
    folder = Path(str(files("fineforge"))) / "templates"
    if not folder.is_dir():
        folder = Path(__file__).parents[2] / "templates"
    return {file.name: read_text(file, TEMPLATE, allow_outside=True) for file in sorted(folder.glob("*.yml.j2"))}


def _read(file: Path, allow_outside: bool) -> Project:
    parsed = _load(read(file, allow_outside=allow_outside), shown_path(file), "start with `name: `, the project's name")
    data, found = fit(File, parsed, _PATTERNS)
    found += compose.layer_problems(compose.Layer(compose.Kind.PROJECT, parsed, ("defaults",)))
    defaults = parsed.data.get("defaults")
    found += tag_problems(defaults.get("tags") if isinstance(defaults, dict) else None, ("defaults", "tags"))
    if data is not None:
        found += [*declaration_problems(data.variables), *_contradictions(data, file.parent)]
    if data is None or found:
        raise FineforgeError(*(parsed.place(diagnostic) for diagnostic in found))
    return Project(
        name=data.name,
        root=file.parent,
        targets=data.targets,
        default_target=data.default_target,
        training={**data.defaults.training, **data.defaults.optimization},
        tags=data.defaults.tags,
        templates=file.parent / data.templates if data.templates else None,
        variables=data.variables,
        policies=data.policies,
        file=parsed,
        allow_outside=allow_outside,
    )


_load = lru_cache(maxsize=16)(source.load)
"""Each spec of a project asks for its project file."""


def _contradictions(data: File, folder: Path) -> list[Diagnostic]:
    """FF160: what one key says against another, or against the disk."""
    found = [
        Diagnostic("FF124", f"`{key}` is set in both `training` and `optimization`", path=("defaults", "optimization", key))
        for key in data.defaults.optimization
        if key in data.defaults.training
    ]
    if LOCAL in data.targets:
        message = "`local` is reserved for the emulator and cannot be a workspace"
        found.append(Diagnostic("FF160", message, path=("targets", LOCAL), hint="choose another name for the target"))
    if data.default_target is not None and data.default_target not in (LOCAL, *data.targets):
        hint = "known: " + ", ".join(f"`{name}`" for name in (LOCAL, *data.targets))
        found.append(Diagnostic("FF160", f"unknown target `{data.default_target}`", path=("default_target",), hint=hint))
    if data.templates is not None and not is_folder(folder / data.templates):
        message = f"folder `{data.templates}` does not exist"
        found.append(Diagnostic("FF160", message, path=("templates",), hint="the path is relative to the project file's folder"))
    return found
