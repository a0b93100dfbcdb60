"""`fineforge forget`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.core.gateway import Gateway
    from fineforge.engine import ApplyOptions, Planned, SpecOptions


@options.command("""Release the spec's objects: remove its owner tags, and change nothing else.

KIND is compute, data, job, model, endpoint or deployment; the default is all of them. Nothing is deleted;
fineforge treats released objects as foreign.""")
@options.spec
@click.argument("kinds", metavar="[KIND...]", nargs=-1, callback=options.kinds)
@options.target
@options.auto_approve
@options.lease
@options.as_json
@options.quiet
@options.allow_outside
@options.variables
@options.reading
@options.streams
@options.applying
def command(
    output: Output, spec: Path, kinds: tuple[str, ...], reading: SpecOptions, auto_approve: bool, applying: ApplyOptions
) -> int:
    from fineforge import engine
    from fineforge.cli.apply import plan_and_apply
    from fineforge.engine import orphans

    batch = engine.load([spec], options=reading)

    def make(gateway: Gateway) -> Planned:
        at = batch.specs[0].at(gateway.workspace.target)
        return engine.Planned(((at, orphans.forget(at, gateway, kinds)),))

    return plan_and_apply(output, batch, make, auto_approve, applying)
