"""`fineforge logs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.config.variables import Given


@options.command("""Show the log of the spec's job and of its steps.

With --deployment, show the log of the deployment's container.""")
@options.spec
@options.target
@click.option("-f", "--follow", is_flag=True, help="Follow the log until the job ends.")
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Number of the attempt; the last one by default.")
@click.option("--deployment", is_flag=True, help="Show the log of the deployment instead.")
@click.option(
    "--tail",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="With --deployment: show the last N lines.",
)
@options.allow_outside
@options.variables
@options.streams
def command(
    output: Output,
    spec: Path,
    target: str | None,
    follow: bool,
    attempt: int | None,
    deployment: bool,
    tail: int,
    allow_outside: bool,
    given: Given,
) -> int:
    from fineforge import engine
    from fineforge.cli.failures import INTERRUPTED
    from fineforge.cli.running import interruptible

    if deployment and (follow or attempt is not None):
        raise click.UsageError("`--follow` and `--attempt` are for jobs, not for `--deployment`")
    loaded = engine.SpecFile.read(spec, engine.SpecOptions(target, allow_outside=allow_outside, given=given))
    with engine.connect(loaded, target) as gateway:
        if deployment:
            output.quote(engine.deployment_log(loaded.at(gateway.workspace.target), gateway, tail).rstrip("\n"))
            return 0
        with interruptible(output, "interrupted; the job keeps running") as stop:
            engine.logs(loaded.at(gateway.workspace.target), gateway, output.quote, attempt, follow, stop.is_set)
    return INTERRUPTED if stop.is_set() else 0
