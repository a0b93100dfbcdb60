"""`fineforge destroy`."""

from __future__ import annotations

from pathlib import Path

from fineforge.cli import options
from fineforge.cli.output import Output


@options.command("""Take away what `apply` made: delete endpoints, deployments and clusters; archive data, jobs and models.

Only what carries this spec's tags is touched. A later `apply` restores what was archived and trains nothing again.""")
@options.spec
@options.target
@options.auto_approve
@options.lease
@options.as_json
@options.quiet
@options.streams
def command(output: Output, spec: Path, target: str | None, auto_approve: bool, lock: bool, lock_timeout: float) -> int:
    from fineforge import engine
    from fineforge.cli.apply import approve_and_apply, terms_of
    from fineforge.core import Mode

    output.streams_events = True
    loaded = engine.load(spec)
    with engine.connect(loaded, target) as gateway:
        made = engine.plan(loaded, gateway, Mode.DESTROY).plan
        return approve_and_apply(output, made, loaded, gateway, auto_approve, terms_of(output, lock, lock_timeout))
