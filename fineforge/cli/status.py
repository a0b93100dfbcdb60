"""`fineforge status`."""

from __future__ import annotations

from pathlib import Path

from fineforge.cli import options
from fineforge.cli.output import Output


@options.command("Show every object of the spec as it is in the workspace, where the traffic goes, and what bills now.")
@options.spec
@options.target
@options.as_json
@options.streams
def command(output: Output, spec: Path, target: str | None) -> int:
    from datetime import UTC, datetime

    from fineforge import engine
    from fineforge.views.status import status_data, write_status

    loaded = engine.load(spec)
    with engine.connect(loaded, target) as gateway:
        states, name, where = engine.status(loaded, gateway), loaded.spec.name, gateway.workspace.target
    now = datetime.now(UTC)
    if output.json:
        output.data(status_data(name, where, states, now))
    else:
        output.result(write_status(name, where, states, now, output.paint))
    return 0
