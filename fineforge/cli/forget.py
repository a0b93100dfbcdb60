"""`fineforge forget`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.core import Plan
    from fineforge.variables import Given


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
    given: Given,
) -> int:
    from fineforge import engine, owning
    from fineforge.cli.apply import approve_and_apply, terms_of

    output.streams_events = True
    loaded = engine.load(spec, target=target, given=given)
    with engine.connect(loaded, target) as gateway:

        def make() -> Plan:
            return owning.forget(loaded, gateway, kinds)

        terms = terms_of(output, lock, lock_timeout)
        return approve_and_apply(output, make(), loaded, gateway, auto_approve, terms, again=make)
