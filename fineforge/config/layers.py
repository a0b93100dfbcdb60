"""The files that a spec is made of, read and put together: project file, defaults of folders, the spec, files of variables.

Reading them, and the environment's variables, is here. What comes of them is `fineforge.config.compose`'s.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from fineforge.config import project, source
from fineforge.config.compose import Composed, Kind, Layer, compose, spec_targets
from fineforge.config.project import Project
from fineforge.config.source import Source
from fineforge.config.variables import Given, Variables
from fineforge.core.gateway import LOCAL
from fineforge.host import files

FOLDER_FILE = "fineforge.defaults.yaml"
"""A partial spec for every spec below its folder."""


def read(
    path: Path, target: str | None = None, given: Given | None = None, allow_outside: bool = False
) -> tuple[Composed, Project]:
    """The spec of a file as it is meant at a target, and its project: the parameters of `defaults` are what is left of them for
    this spec, and its tags are in the spec already.

    Without a target it is the one that `Project.target` says, or the first that the spec is for. Without `given`, the environment
    alone gives variables. Raises FF1xx, every error of a file at once.
    """
    parsed = source.load(files.read(path, allow_outside=allow_outside), files.shown_path(path))
    where = project.find(path.parent, allow_outside)
    lower = below(where, path.parent)
    known = (LOCAL, *where.targets) if where.targets else (LOCAL, "default")
    variables = Variables(where.variables, given or read_given({}, ()), where.file)
    composed = compose(parsed, lower, meant(parsed, lower, where, target), known, variables)
    return composed, replace(where, training=composed.training, tags={})


def read_given(options: Mapping[str, str], paths: Sequence[Path], allow_outside: bool = False) -> Given:
    """What this run gives variables: `--var`, `--var-file`, the environment. FF112 where a file cannot be read."""
    hint = "write one `NAME: VALUE` per line"
    return Given(
        options,
        tuple(source.load(files.read(path, allow_outside=allow_outside), files.shown_path(path), hint) for path in paths),
        os.environ,
    )


def below(where: Project, folder: Path) -> tuple[Layer, ...]:
    """The layers below the specs of a folder: the project's defaults, then those of folders from the project's root inwards."""
    layers = [Layer(Kind.PROJECT, where.file, ("defaults",))] if where.file and where.file.data.get("defaults") else []
    for file in folder_files(where, folder):
        if os.path.lexists(file):
            content = files.read(file, root=where.root, allow_outside=where.allow_outside)
            layers.append(Layer(Kind.FOLDER, _load(content, files.shown_path(file))))
    return tuple(layers)


def folder_files(where: Project, folder: Path) -> list[Path]:
    """Where defaults for a folder's specs may stand, from the project's root inwards, whether or not there are any."""
    folder = folder.resolve()
    inwards = folder.relative_to(where.root).parts if folder.is_relative_to(where.root) else None
    return [where.root.joinpath(*inwards[:n], FOLDER_FILE) for n in range(len(inwards) + 1)] if inwards is not None else []


def meant(parsed: Source, lower: Sequence[Layer], where: Project, target: str | None) -> str:
    """The target that a spec is composed for."""
    name = where.target(target)
    allowed = spec_targets(parsed, lower)
    return name if target or not allowed or name in allowed else allowed[0]


_load = lru_cache(maxsize=64)(source.load)
"""A folder's defaults are read for each of its specs, and parsed once."""
