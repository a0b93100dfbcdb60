"""`fineforge forget`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.config.variables import Given


@options.command("""Let the spec's objects go: take its owner tags off them, and change nothing else.

KIND is compute, data, job, model, endpoint or deployment; without one, all are let go. Nothing is deleted; what was let go is
somebody else's from then on.""")
@options.spec
@click.argument("kinds", metavar="[KIND...]", nargs=-1, callback=options.kinds)
@options.target
@options.auto_approve
@options.lease
@options.as_json
@options.quiet
@options.allow_outside
@options.variables
@options.streams
def command(
    output: Output,
    spec: Path,
    kinds: tuple[str, ...],
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
    from fineforge.engine import orphans

    output.streams_events = True
    loaded = engine.load(spec, allow_outside=allow_outside, target=target, given=given)
    make = partial(orphans.forget, loaded, kinds=kinds)
    return plan_and_apply(output, loaded, target, make, auto_approve, terms_of(output, lock, lock_timeout))
