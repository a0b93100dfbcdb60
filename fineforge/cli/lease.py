"""`fineforge lease`: who is applying what now, and how to end a lease that nobody needs any more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.host.holder import Holder


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Show who holds an apply lease, or end one by hand.

    An apply, or destroy, holds one for its spec and target while it writes. It ends by itself a minute after its holder died.
    """


@group.command("list", cls=options.Command)
@click.argument("spec", type=options.path, required=False)
@options.target
@options.allow_outside
@options.as_json
@options.streams
def list_(output: Output, spec: Path | None, target: str | None, allow_outside: bool) -> int:
    """Who holds a lease at the target now: of one SPEC, or of all that there are."""
    from fineforge import engine
    from fineforge.config import project
    from fineforge.engine import connection
    from fineforge.execution import lease
    from fineforge.views.lease import leases_data, write_leases

    if spec is not None:
        loaded = engine.SpecFile.read(spec, engine.SpecOptions(allow_outside=allow_outside))
        with engine.connect(loaded, target) as gateway:
            found, where = lease.held(gateway, loaded.whose), gateway.workspace.target
    else:
        here = project.find(Path.cwd())
        with connection.reach(here, here.target(target)) as gateway:
            found, where = lease.held(gateway), gateway.workspace.target
    if output.json:
        output.answer(leases_data(where, found))
    else:
        output.result(write_leases(where, found, output.paint))
    return 0


@group.command(cls=options.Command)
@options.spec
@options.target
@options.allow_outside
@click.option("--force", is_flag=True, help="Do not ask.")
@options.streams
def release(output: Output, spec: Path, target: str | None, allow_outside: bool, force: bool) -> int:
    """End the lease of SPEC, whoever holds it. An apply that still lives starts nothing more once it notices."""
    from fineforge import engine
    from fineforge.execution import lease

    loaded = engine.SpecFile.read(spec, engine.SpecOptions(allow_outside=allow_outside))
    name = loaded.whose
    with engine.connect(loaded, target) as gateway:
        found = lease.held(gateway, name)
        if not found:
            output.result(f"the lease of `{name}` is not held")
            return 0
        if not force and not _confirmed(output, name, found[0][1]):
            output.alert("nothing was changed")
            return 1
        lease.end(gateway, name)
    output.say("\n".join(output.paint_aside.wrap(f"it was held by {found[0][1]}", after="  ")))
    output.result(f"the lease of `{name}` is free")
    return 0


def _confirmed(output: Output, name: str, other: Holder) -> bool:
    from fineforge.core.diagnostics import Diagnostic, FineforgeError

    if not output.interactive:
        hint = "add `--force` if you are sure that no process is applying"
        raise FineforgeError(Diagnostic("FF533", f"`{name}` is held by {other}; cannot ask for confirmation", hint=hint))
    output.alert("\n".join(output.paint_aside.wrap(f"`{name}` is held by {other}", after="  ")))
    return click.confirm("Another process may still hold this lease. Release it anyway?", default=False, err=True)
