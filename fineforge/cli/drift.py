"""`fineforge drift`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fineforge.cli import options
from fineforge.cli.output import Output
from fineforge.cli.plan import alert_problems
from fineforge.cli.running import connected, counted

if TYPE_CHECKING:
    from fineforge.engine import SpecOptions


@options.command("""Show what was changed outside fineforge since the last apply, without changes of the specs.

Exit code 3 if there is drift, 0 if there is none, 1 if a spec cannot be planned.""")
@options.specs
@options.select
@options.target
@options.as_json
@options.quiet
@options.allow_outside
@options.variables
@options.reading
@options.streams
def command(output: Output, specs: tuple[Path, ...], select: tuple[str, ...], reading: SpecOptions) -> int:
    from fineforge import engine
    from fineforge.core.diagnostics import errors
    from fineforge.documents.answers import Drift
    from fineforge.documents.plan import plan_data
    from fineforge.engine.selection import by_name
    from fineforge.views import text

    batch = engine.load(specs, select, reading)
    with connected(output, batch) as gateway, counted(output, batch) as report:
        planned = engine.Planned(()) if gateway is None else engine.plan(batch, gateway, report=report)
    plans = [plan for _, plan in planned.plans]
    if output.json:
        document = plan_data(plans, by_name(planned.failed), planned.problems)
        output.answer(Drift(**{key: document[key] for key in ("target", "errored", "resource_drift", "diagnostics")}))
    elif gateway is not None:
        output.result(text.write_drift(plans, batch.target, output.paint))
        alert_problems(output, errors(planned.diagnostics))
    if planned.broken:
        return 1
    return 3 if any(text.drifted(plan) for plan in plans) else 0
