"""`fineforge status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fineforge.cli import many, options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.config.variables import Given


@options.command("Show every object of the spec as it is in the workspace, where the traffic goes, and what bills now.")
@many.specs
@many.select
@options.target
@options.as_json
@options.allow_outside
@options.variables
@options.streams
def command(
    output: Output, specs: tuple[Path, ...], select: tuple[str, ...], target: str | None, allow_outside: bool, given: Given
) -> int:
    from datetime import UTC, datetime

    from fineforge import engine
    from fineforge.documents.answers import Status
    from fineforge.engine import selection
    from fineforge.views.status import status_data, write_status

    if many.are_many(specs, select):
        return many.status(output, selection.load(specs, select, allow_outside=allow_outside, target=target, given=given), target)
    loaded = engine.load(specs[0], allow_outside=allow_outside, target=target, given=given)
    with engine.connect(loaded, target) as gateway:
        states, name, where = engine.status(loaded, gateway), loaded.spec.name, gateway.workspace.target
    now = datetime.now(UTC)
    if output.json:
        output.answer(status_data(name, where, states, now, Status))
    else:
        output.result(write_status(name, where, states, now, output.paint))
    return 0
