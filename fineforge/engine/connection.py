"""How a project's target becomes a gateway: the emulator on this machine, or a workspace in the cloud."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from fineforge.config.loaded import Loaded
from fineforge.config.project import Project
from fineforge.core.gateway import LOCAL, Gateway
from fineforge.engine.loaded import refuse_target


def connect(loaded: Loaded, target: str | None = None) -> AbstractContextManager[Gateway]:
    """A gateway to the target. The target `local` is the emulator, which must run (FF701)."""
    name = loaded.project.target(target)
    if name != LOCAL:
        refuse_target(loaded, name)
    return reach(loaded.project, name)


@contextmanager
def reach(where: Project, target: str) -> Iterator[Gateway]:
    """A gateway to the target. `local` is the emulator, which must run (FF701); FF161 where nothing says where the target is."""
    from platformdirs import user_cache_path

    from fineforge.azure import AzureGateway, connection
    from fineforge.host import emulator as local

    if target == LOCAL:
        emulator = local.require()
        reached = connection.to_emulator(local.workspace(emulator), emulator.facts)
    else:
        reached = connection.to_azure(where.workspace(target))
    gateway = AzureGateway(reached, user_cache_path("fineforge"))
    try:
        yield gateway
    finally:
        gateway.close()
