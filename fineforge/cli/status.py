"""`fineforge status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fineforge.cli import options
from fineforge.cli.output import Output
from fineforge.cli.plan import alert_problems
from fineforge.cli.running import connected

if TYPE_CHECKING:
    from fineforge.engine import SpecOptions


@options.command("Show every object of the spec in the workspace, its traffic and current costs.")
@options.specs
@options.select
@options.target
@options.as_json
@options.allow_outside
@options.variables
@options.reading
@options.streams
def command(output: Output, specs: tuple[Path, ...], select: tuple[str, ...], reading: SpecOptions) -> int:
    from datetime import UTC, datetime

    from fineforge import engine
    from fineforge.core.diagnostics import FineforgeError
    from fineforge.documents import answers
    from fineforge.engine import orphans
    from fineforge.engine.inspect import batch_status
    from fineforge.views.status import status_data, write_orphans, write_status

    batch = engine.load(specs, select, reading)
    with connected(output, batch) as gateway:
        if gateway is None:
            if output.json:
                output.answer(answers.ManyStatus([], []))
            return 0
        target = gateway.workspace.target
        states, failed = batch_status(batch, gateway)
        problems = [*batch.problems, *(problem for some in failed.values() for problem in some)]
        if batch.single and problems:
            raise FineforgeError(*problems)
        wanted = {state.key for some in states.values() for state in some}
        lost = [] if batch.single else orphans.orphans_of(batch, gateway, wanted)
    now = datetime.now(UTC)
    if output.json and batch.single:
        ((name, some),) = states.items()
        output.answer(status_data(name, target, some, now, answers.Status))
    elif output.json:
        documents = [status_data(name, target, some, now, answers.SpecStatus) for name, some in states.items()]
        rows = [answers.Orphans(orphan.spec, [str(one.key) for one in orphan.objects]) for orphan in lost]
        output.answer(answers.ManyStatus(documents, rows))
    else:
        blocks = [write_status(name, target, some, now, output.paint) for name, some in states.items()]
        blocks += [write_orphans(orphan.spec, orphan.objects, output.paint) for orphan in lost]
        output.result("\n\n".join(blocks))
    alert_problems(output, problems)
    return 1 if problems else 0
