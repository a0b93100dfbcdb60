"""The library API: what the command line does, for programs. It prints nothing, asks nothing and never exits.

    batch = engine.load([Path("specs/quickstart.yaml")])
    with engine.connect(batch, "local") as gateway:
        planned = engine.plan(batch, gateway)
        applied = engine.apply(planned, gateway)

One spec is a batch of one. Functions raise `FineforgeError` with placed diagnostics where nothing at all can be done; its
`exit_code` is the one a command should end with. What is wrong with single specs is in `Planned.failed`, in the plans'
diagnostics, and in `Applied.held_back`.
Names are imported on first use, so that `validate` loads nothing that only `apply` needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fineforge.config.loaded import SpecFile as SpecFile
    from fineforge.config.loaded import SpecOptions as SpecOptions
    from fineforge.config.loaded import TargetedSpec as TargetedSpec
    from fineforge.engine.batch import Applied as Applied
    from fineforge.engine.batch import ApplyHooks as ApplyHooks
    from fineforge.engine.batch import ApplyOptions as ApplyOptions
    from fineforge.engine.batch import Planned as Planned
    from fineforge.engine.batch import apply as apply
    from fineforge.engine.batch import outcome_exit_code as outcome_exit_code
    from fineforge.engine.batch import plan as plan
    from fineforge.engine.connection import connect as connect
    from fineforge.engine.data import prepare_data as prepare_data
    from fineforge.engine.inspect import deployment_log as deployment_log
    from fineforge.engine.inspect import invoke as invoke
    from fineforge.engine.inspect import logs as logs
    from fineforge.engine.inspect import metrics as metrics
    from fineforge.engine.inspect import status as status
    from fineforge.engine.leases import hold_leases as hold_leases
    from fineforge.engine.offline import Validated as Validated
    from fineforge.engine.offline import render as render
    from fineforge.engine.offline import validate as validate
    from fineforge.engine.pinning import Moved as Moved
    from fineforge.engine.pinning import lock as lock
    from fineforge.engine.planned import PlannedSpec as PlannedSpec
    from fineforge.engine.planned import plan_apply as plan_apply
    from fineforge.engine.planned import plan_destroy as plan_destroy
    from fineforge.engine.selection import Batch as Batch
    from fineforge.engine.selection import load as load
    from fineforge.planner.costs import State as State

_MODULES = {
    "batch": ("Applied", "ApplyHooks", "ApplyOptions", "Planned", "apply", "outcome_exit_code", "plan"),
    "connection": ("connect",),
    "data": ("prepare_data",),
    "inspect": ("deployment_log", "invoke", "logs", "metrics", "status"),
    "leases": ("hold_leases",),
    "offline": ("Validated", "render", "validate"),
    "pinning": ("Moved", "lock"),
    "planned": ("PlannedSpec", "plan_apply", "plan_destroy"),
    "selection": ("Batch", "load"),
    ".config.loaded": ("SpecFile", "SpecOptions", "TargetedSpec"),
    ".planner.costs": ("State",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module `fineforge.engine` has no attribute `{name}`")
