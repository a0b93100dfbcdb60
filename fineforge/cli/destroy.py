"""`fineforge destroy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.config.variables import Given
    from fineforge.core.gateway import Gateway
    from fineforge.core.plan import Plan


@options.command("""Take away what `apply` made: delete endpoints, deployments and clusters; archive data, jobs and models.

Only what carries this spec's tags is touched. A later `apply` restores what was archived and trains nothing again.""")
@click.argument("spec", required=False, type=options.path)
@click.option("--name", metavar="NAME", help="Of a spec whose file is gone: everything is found by its tags.")
@options.target
@options.auto_approve
@options.lease
@options.as_json
@options.json_into
@options.quiet
@options.allow_outside
@options.variables
@options.streams
def command(
    output: Output,
    spec: Path | None,
    name: str | None,
    target: str | None,
    auto_approve: bool,
    lock: bool,
    lock_timeout: float,
    allow_outside: bool,
    given: Given,
) -> int:
    from fineforge import engine
    from fineforge.cli.apply import plan_and_apply
    from fineforge.cli.running import terms_of
    from fineforge.config import project
    from fineforge.core.plan import Mode
    from fineforge.engine import orphans

    output.streams_events = True
    terms = terms_of(output, lock, lock_timeout)
    if (spec is None) == (name is None):
        raise click.UsageError("give either a SPEC or `--name`")
    if spec is not None:
        loaded = engine.load(spec, allow_outside=allow_outside, target=target, given=given)
    else:
        loaded = orphans.nameless(name or "", project.find(Path.cwd()))

    def make(gateway: Gateway) -> Plan:
        if name is not None:
            return orphans.destroy_plan(name, loaded.project, gateway)[1]
        return engine.plan(loaded, gateway, Mode.DESTROY).plan

    return plan_and_apply(output, loaded, target, make, auto_approve, terms)
