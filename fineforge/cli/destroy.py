"""`fineforge destroy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.core.gateway import Gateway
    from fineforge.engine import ApplyOptions, Planned, SpecOptions


@options.command("""Delete the endpoints, deployments and clusters that `apply` created; archive data, jobs and models.

Only objects with this spec's tags are affected. A later `apply` restores archived objects and retrains nothing.""")
@click.argument("spec", required=False, type=options.path)
@click.option("--name", metavar="NAME", help="Name of a spec whose file is gone; its objects are found by their tags.")
@options.target
@options.auto_approve
@options.lease
@options.as_json
@options.json_into
@options.quiet
@options.allow_outside
@options.variables
@options.reading
@options.streams
@options.applying
def command(
    output: Output, spec: Path | None, name: str | None, reading: SpecOptions, auto_approve: bool, applying: ApplyOptions
) -> int:
    from fineforge import engine
    from fineforge.cli.apply import plan_and_apply
    from fineforge.config import project
    from fineforge.core.plan import Mode
    from fineforge.engine import orphans

    if (spec is None) == (name is None):
        raise click.UsageError("pass either SPEC or `--name`")
    if spec is not None:
        batch = engine.load([spec], options=reading)
        return plan_and_apply(output, batch, lambda gateway: engine.plan(batch, gateway, Mode.DESTROY), auto_approve, applying)
    nameless = orphans.nameless(name or "", project.find(Path.cwd()), reading)

    def make(gateway: Gateway) -> Planned:
        at = nameless.at(gateway.workspace.target)
        return engine.Planned(((at, orphans.plan_destroy_by_name(at, gateway)),))

    return plan_and_apply(output, engine.Batch((nameless,)), make, auto_approve, applying)
