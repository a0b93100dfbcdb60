"""Plans as a command's answer: what programs read of them, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.core.diagnostics import Diagnostic
    from fineforge.core.plan import Mode, Plan


def write_for_programs(
    output: Output,
    plans: Sequence[Plan],
    target: str | None,
    unplanned: Mapping[str, Sequence[Diagnostic]] | None = None,
    problems: Sequence[Diagnostic] = (),
    files: Mapping[str, str] | None = None,
    mode: Mode | None = None,
) -> bool:
    """The plans as JSON or Markdown, and into the file of `--json-into`; whether that is all that stdout should hold."""
    if output.json or output.saving:
        from fineforge.core.plan import Mode
        from fineforge.documents import plan

        data = plan.plan_data(plans, unplanned, problems, files, mode or Mode.APPLY)
        output.document(data)
        if output.json:
            output.data(data)
    if output.format == "markdown":
        from fineforge.views.markdown import write_plans

        output.result(write_plans(plans, target, unplanned, problems, files))
    return output.json or output.format == "markdown"


def exit_code(made: Plan, detailed: bool) -> int:
    """1 or 4 where the plan cannot be applied; with `detailed`, what kind of difference there is."""
    from fineforge.core.diagnostics import errors, refused

    broken = errors(made.diagnostics)
    if broken:
        return 4 if refused(broken) else 1
    if not detailed or not made.writes:
        return 0
    return 3 if {step.id for step in made.writes} <= {step.id for step in made.drift} else 2
