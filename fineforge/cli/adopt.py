"""`fineforge adopt`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.config.variables import Given


@options.command("""Make objects that exist the spec's own: write its owner tags on them, and change nothing else.

OBJECT is `compute`, `endpoint` or `deployment/NAME`. From then on `plan` says what the spec wants otherwise, and `destroy` takes
them away.""")
@options.spec
@click.argument("objects", metavar="OBJECT...", nargs=-1, required=True)
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
    objects: tuple[str, ...],
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
    make = partial(orphans.adopt, loaded, objects=objects)
    return plan_and_apply(output, loaded, target, make, auto_approve, terms_of(output, lock, lock_timeout))
