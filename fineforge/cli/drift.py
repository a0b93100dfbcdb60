"""`fineforge drift`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fineforge.cli import many, options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.config.variables import Given


@options.command("""Show what somebody else changed in the workspace since it was applied, and nothing that the specs change.

Exit code 3 where there is any, 0 where there is none, 1 where a spec cannot be planned.""")
@many.specs
@many.select
@options.target
@options.as_json
@options.quiet
@options.allow_outside
@options.variables
@options.streams
def command(
    output: Output, specs: tuple[Path, ...], select: tuple[str, ...], target: str | None, allow_outside: bool, given: Given
) -> int:
    from fineforge.core.diagnostics import errors
    from fineforge.core.plan import Mode
    from fineforge.documents import plan
    from fineforge.documents.answers import Drift
    from fineforge.engine import selection
    from fineforge.views import drift
    from fineforge.views.diagnostics import write_all

    planned, name = many.plan(
        output,
        selection.load(specs, select, allow_outside=allow_outside, target=target, given=given),
        target,
        Mode.APPLY,
        retry_failed=False,
    )
    if planned is None and not output.json:
        many.nothing_meant(output, name)
        return 0
    plans = [made for _, made in planned.plans] if planned else []
    failed = planned.unplanned if planned else {}
    others = planned.problems if planned else ()
    if output.json:
        document = plan.plan_data(plans, failed, others)
        output.answer(Drift(**{key: document[key] for key in ("target", "errored", "resource_drift", "diagnostics")}))
    else:
        output.result(drift.write_drift(plans, name, output.paint))
        problems = [*others, *(found for made in plans for found in errors(made.diagnostics))]
        problems += [found for entries in failed.values() for found in entries]
        if problems:
            output.alert("\n" + write_all(problems, output.paint_aside))
    if failed or errors(others) or any(errors(made.diagnostics) for made in plans):
        return 1
    return 3 if any(drift.drifted(made) for made in plans) else 0
