"""The library API: what the command line does, for programs. It prints nothing, asks nothing and never exits.

    loaded = engine.load(Path("specs/quickstart.yaml"))
    with engine.connect(loaded, "local") as gateway:
        planned = engine.plan(loaded, gateway)
        outcome = engine.apply(planned.plan, loaded, gateway, print)

Every function raises `FineforgeError` with placed diagnostics. Its `exit_code` is the one a command should end with.
Names are imported on first use, so that `validate` loads nothing that only `apply` needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fineforge.config.loaded import Loaded as Loaded
    from fineforge.engine.applied import apply as apply
    from fineforge.engine.applied import leased as leased
    from fineforge.engine.applied import outcome_exit_code as outcome_exit_code
    from fineforge.engine.connection import connect as connect
    from fineforge.engine.data import prepare_data as prepare_data
    from fineforge.engine.inspect import deployment_log as deployment_log
    from fineforge.engine.inspect import invoke as invoke
    from fineforge.engine.inspect import logs as logs
    from fineforge.engine.inspect import metrics as metrics
    from fineforge.engine.inspect import status as status
    from fineforge.engine.loaded import at as at
    from fineforge.engine.loaded import load as load
    from fineforge.engine.offline import Validated as Validated
    from fineforge.engine.offline import render as render
    from fineforge.engine.offline import validate as validate
    from fineforge.engine.pinning import Moved as Moved
    from fineforge.engine.pinning import lock as lock
    from fineforge.engine.planned import Planned as Planned
    from fineforge.engine.planned import plan as plan
    from fineforge.planner.costs import State as State

_MODULES = {
    "applied": ("apply", "leased", "outcome_exit_code"),
    "connection": ("connect",),
    "data": ("prepare_data",),
    "inspect": ("deployment_log", "invoke", "logs", "metrics", "status"),
    "loaded": ("at", "load"),
    "offline": ("Validated", "render", "validate"),
    "pinning": ("Moved", "lock"),
    "planned": ("Planned", "plan"),
    "..config.loaded": ("Loaded",),
    "..planner.costs": ("State",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module `fineforge.engine` has no attribute `{name}`")
