"""`fineforge metrics`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.config.variables import Given


@options.command("Show the metrics of the spec's job: the last value and the trend of each.")
@options.spec
@options.target
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Number of the attempt; the last one by default.")
@options.as_json
@options.allow_outside
@options.variables
@options.streams
def command(output: Output, spec: Path, target: str | None, attempt: int | None, allow_outside: bool, given: Given) -> int:
    from fineforge import engine
    from fineforge.views.metrics import metrics_data, write_metrics

    loaded = engine.SpecFile.read(spec, engine.SpecOptions(target, allow_outside=allow_outside, given=given))
    with engine.connect(loaded, target) as gateway:
        job, found = engine.metrics(loaded.at(gateway.workspace.target), gateway, attempt)
        where = gateway.workspace.target
    if output.json:
        output.answer(metrics_data(loaded.spec.name, where, job, found))
    else:
        output.result(write_metrics(job, found, output.paint))
    return 0
