"""Connect to a target of a project: the emulator on this machine, or a workspace in the cloud."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from fineforge.config.loaded import SpecFile, TargetedSpec
from fineforge.config.project import Project
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import LOCAL, Gateway
from fineforge.engine.selection import Batch
from fineforge.planner import checks


def connect(specs: Batch | SpecFile | TargetedSpec, target: str | None = None) -> AbstractContextManager[Gateway]:
    """Connect to the target that specs are asked for. See `reach`.

    Raises FF140 where none of them is for the target, FF172 where they are of several projects.
    """
    every = specs.specs if isinstance(specs, Batch) else (specs,)
    if len({spec.project.root for spec in every if spec.project.name}) > 1:
        message, hint = "these specs belong to several projects with different targets", "plan each project separately"
        raise FineforgeError(Diagnostic("FF172", message, hint=hint))
    name = every[0].project.target(target or every[0].options.target)
    if not any(spec.is_for(name) for spec in every):
        refuse_target(every[0], name)
    return reach(every[0].project, name)


def refuse_target(spec: SpecFile | TargetedSpec, target: str) -> None:
    """Raise FF140 where the spec is for other targets only."""
    if problems := checks.wrong_target(spec.spec, target):
        raise FineforgeError(*spec.place(problems))


@contextmanager
def reach(project: Project, target: str) -> Iterator[Gateway]:
    """Connect to a target of a project. FF161 where it has no workspace. `local` is the emulator, which must run (FF701)."""
    from platformdirs import user_cache_path

    from fineforge.azure import AzureGateway, connection
    from fineforge.host import emulator as local

    if target == LOCAL:
        emulator = local.require()
        reached = connection.to_emulator(local.workspace(emulator), emulator.facts)
    else:
        reached = connection.to_azure(project.workspace(target))
    gateway = AzureGateway(reached, user_cache_path("fineforge"))
    try:
        yield gateway
    finally:
        gateway.close()
