"""How a project's target becomes a gateway: the emulator on this machine, or a workspace in the cloud."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fineforge.gateway import LOCAL, Gateway
from fineforge.project import Project


@contextmanager
def reach(where: Project, target: str) -> Iterator[Gateway]:
    """A gateway to the target. `local` is the emulator, which must run (FF701); FF161 where nothing says where the target is."""
    from platformdirs import user_cache_path

    from fineforge import local
    from fineforge.azure import AzureGateway, connection

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
