"""`fineforge plan`, and plans as a command's answer: as text, for programs, and as an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output
from fineforge.cli.running import connected, counted

if TYPE_CHECKING:
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.core.plan import Mode
    from fineforge.engine import Batch, Planned, SpecOptions


@options.command("""Show what `apply` would change, without changing anything.

Exit code 0, or 1 if there is an error. With --detailed-exitcode also 2 if there are changes, and 3 if the only changes undo
drift.""")
@options.specs
@options.select
@options.target
@click.option("--destroy", is_flag=True, help="Show what `destroy` would delete.")
@click.option(
    "--out",
    type=options.path,
    metavar="FILE",
    help="Save the plan; `fineforge apply FILE` applies exactly this plan.",
)
@click.option("--check-data", is_flag=True, help="Prepare the data and check its rows first, like `fineforge data`.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 for changes, 3 for drift only.")
@options.retry_failed
@options.overrides
@options.allow_outside
@options.output_as("markdown")
@options.json_into
@options.quiet
@options.variables
@options.at_commit
@options.reading
@options.streams
def command(
    output: Output,
    specs: tuple[Path, ...],
    select: tuple[str, ...],
    reading: SpecOptions,
    destroy: bool,
    out: Path | None,
    check_data: bool,
    detailed_exitcode: bool,
    retry_failed: bool,
) -> int:
    from fineforge import engine
    from fineforge.core.diagnostics import FineforgeError
    from fineforge.core.plan import Mode
    from fineforge.engine import planfile

    mode = Mode.DESTROY if destroy else Mode.APPLY
    if out is not None:
        _refuse_foreign(out)
    batch = engine.load(specs, select, reading)
    try:
        if check_data and not destroy:
            batch = _check_data(output, batch)
        with connected(output, batch) as gateway, counted(output, batch) as report:
            planned = None if gateway is None else engine.plan(batch, gateway, mode, retry_failed, report)
        refuse_unplanned(planned)
    except FineforgeError as error:
        return _unplanned(output, error, batch, reading.target, mode)
    _show(output, planned, batch.target)
    code = exit_code(planned, detailed_exitcode)
    if out is not None and planned is not None and code in (0, 2, 3):
        planfile.save([(spec.path.resolve(), plan) for spec, plan in planned.plans], out)
        output.say(f"saved to {out}; `fineforge apply {out}` applies exactly this plan")
    return code


def refuse_unplanned(planned: Planned | None) -> None:
    """Raise everything that is wrong where not one spec could be planned."""
    from fineforge.core.diagnostics import FineforgeError

    if planned is not None and not planned.plans and planned.broken:
        raise FineforgeError(*planned.diagnostics)


def write_for_programs(output: Output, planned: Planned | None, target: str | None, mode: Mode | None = None) -> bool:
    """Write the plans as JSON or Markdown, and into the file of `--json-into`. Return True if stdout holds all that it should."""
    from fineforge.core.plan import Mode
    from fineforge.engine import Planned
    from fineforge.engine.selection import by_name
    from fineforge.host.files import shown_path

    planned = planned or Planned(())
    plans, failed = [plan for _, plan in planned.plans], by_name(planned.failed)
    files = {plan.spec: shown_path(spec.path) for spec, plan in planned.plans} if len(plans) + len(failed) > 1 else {}
    has_content = bool(planned.plans) or planned.broken
    if output.json or (output.saving and (has_content or output.format != "markdown")):
        from fineforge.documents.plan import plan_data

        data = plan_data(plans, failed, planned.problems, files, mode or Mode.APPLY)
        output.document(data)
        if output.json:
            output.data(data)
    if output.format == "markdown" and has_content:
        from fineforge.views.markdown import write_plans

        output.result(write_plans(plans, target, failed, planned.problems, files))
    return output.json or output.format == "markdown"


def exit_code(planned: Planned | None, detailed: bool) -> int:
    """Return the worst exit code of the plans: 1 or 4 where one cannot be made or applied.

    With `detailed` also 2 for changes, or 3 where all of them undo changes that were made outside fineforge.
    """
    from fineforge.core.diagnostics import errors, refused

    if planned is None:
        return 0
    codes = {0, 1} if planned.failed or errors(planned.problems) else {0}
    for _, plan in planned.plans:
        if broken := errors(plan.diagnostics):
            codes.add(4 if refused(broken) else 1)
        elif detailed and plan.writes:
            codes.add(3 if {step.id for step in plan.writes} <= {step.id for step in plan.drift} else 2)
    return next(code for code in (1, 4, 2, 3, 0) if code in codes)


def show_aside(output: Output, planned: Planned) -> None:
    """Write plans that are not the result of the command: to stderr, and their problems into the event stream."""
    from fineforge.views import text
    from fineforge.views.stream import diagnostic_line

    for problem in dict.fromkeys(planned.diagnostics):
        spec = next((plan.spec for _, plan in planned.plans if problem in plan.diagnostics), None)
        output.event(diagnostic_line(problem, spec))
    if not output.json:
        output.alert(text.summary_of_plans(planned) if output.quiet else text.write_plans(planned, output.paint_aside))
    alert_problems(output, planned.diagnostics)


def alert_problems(output: Output, problems: Sequence[Diagnostic]) -> None:
    """Write problems to stderr, below what was written before, unless stderr is for programs."""
    from fineforge.views.diagnostics import write_all

    if problems and not output.json:
        output.alert("\n" + write_all(problems, output.paint_aside))


def _show(output: Output, planned: Planned | None, target: str) -> None:
    from fineforge.views import text

    if not write_for_programs(output, planned, target) and planned is not None:
        output.result(text.write_plans(planned, output.paint))
    alert_problems(output, planned.diagnostics if planned else ())


def _unplanned(output: Output, error: FineforgeError, batch: Batch, target: str | None, mode: Mode) -> int:
    """Write why nothing could be planned to where JSON and Markdown are read. Otherwise raise it, as every command does."""
    from fineforge.engine import Planned
    from fineforge.views.diagnostics import write_all

    failed: Mapping[Path, tuple[Diagnostic, ...]] = batch.failed
    if batch.single:
        failed = dict.fromkeys(batch.named, error.diagnostics)
    known = {problem for problems in failed.values() for problem in problems}
    planned = Planned((), failed, tuple(problem for problem in error.diagnostics if problem not in known))
    if not write_for_programs(output, planned, target, mode):
        raise error
    if not output.json:
        output.alert(write_all(error.diagnostics, output.paint_aside))
    return error.exit_code


def _check_data(output: Output, batch: Batch) -> Batch:
    """Prepare the data of every spec and check its rows. Return the batch, with the specs whose rows are wrong among `failed`."""
    from fineforge import engine
    from fineforge.core.diagnostics import FineforgeError
    from fineforge.views.data import Counter
    from fineforge.views.diagnostics import write_all

    failed, name = dict(batch.failed), batch.target
    warnings: list[Diagnostic] = []
    with Counter(output.stderr, output.terminal and not output.quiet, output.paint_aside) as counter:
        for spec in batch.for_target(name):
            try:
                warnings += engine.prepare_data(spec.at(name), counter).warnings
            except FineforgeError as error:
                failed[spec.path] = error.diagnostics
    if warnings:
        output.alert(write_all(warnings, output.paint_aside) + "\n")
    return replace(batch, specs=tuple(spec for spec in batch.specs if spec.path not in failed), failed=failed)


def _refuse_foreign(out: Path) -> None:
    """A plan may replace an older plan, and no other file."""
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.engine import planfile
    from fineforge.host.files import refuse_name

    refuse_name(out, "FF007")
    if out.exists() and not planfile.is_plan(out):
        hint = "choose another name for `--out`"
        raise FineforgeError(Diagnostic("FF004", f"`{out}` exists and is not a saved plan", hint=hint))
