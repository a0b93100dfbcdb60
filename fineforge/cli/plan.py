"""`fineforge plan`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import many, options
from fineforge.cli.output import Output
from fineforge.cli.plans import exit_code, write_for_programs

if TYPE_CHECKING:
    from fineforge.config.variables import Given
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.core.plan import Mode, Plan
    from fineforge.engine import Loaded
    from fineforge.engine.selection import Batch


@options.command("""Show what `apply` would change, and change nothing.

Exit code 0, or 1 where there is an error. With --detailed-exitcode also 2 where something would change, and 3 where that only
undoes what somebody else changed.""")
@many.specs
@many.select
@options.target
@click.option("--destroy", is_flag=True, help="Plan what `destroy` would do.")
@click.option(
    "--out",
    type=options.path,
    metavar="FILE",
    help="Save the plan; `fineforge apply FILE` applies exactly it.",
)
@click.option("--check-data", is_flag=True, help="Prepare the data and check its rows first, as `fineforge data` does.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 for changes, 3 for drift only.")
@options.retry_failed
@options.overrides
@options.allow_outside
@options.output_as("markdown")
@options.json_into
@options.quiet
@options.variables
@options.at_commit
@options.streams
def command(
    output: Output,
    specs: tuple[Path, ...],
    select: tuple[str, ...],
    target: str | None,
    destroy: bool,
    out: Path | None,
    check_data: bool,
    detailed_exitcode: bool,
    retry_failed: bool,
    overrides: dict[str, str],
    allow_outside: bool,
    given: Given,
) -> int:
    from fineforge import engine
    from fineforge.core.diagnostics import FineforgeError
    from fineforge.core.plan import Mode
    from fineforge.host.files import shown_path

    mode = Mode.DESTROY if destroy else Mode.APPLY
    if out is not None:
        _refuse_foreign(out)
    if many.are_many(specs, select):
        from fineforge.engine import selection

        found = selection.load(specs, select, overrides, allow_outside, target, given)
        return _plan_many(output, found, target, mode, out, detailed_exitcode, retry_failed)
    spec = specs[0]
    try:
        loaded = engine.load(spec, overrides, allow_outside, target, given)
        made = _plan_one(output, loaded, target, mode, check_data, retry_failed)
    except FineforgeError as error:
        return _unplanned(output, error, target, {shown_path(spec): error.diagnostics}, mode)
    show(made, output)
    code = exit_code(made, detailed_exitcode)
    if out is not None and code in (0, 2, 3):
        from fineforge.engine import planfile

        planfile.save([(spec.resolve(), made)], out)
        output.say(f"saved to {out}; `fineforge apply {out}` applies exactly this")
    return code


def _plan_one(output: Output, loaded: Loaded, target: str | None, mode: Mode, check_data: bool, retry_failed: bool) -> Plan:
    from fineforge import engine
    from fineforge.core.plan import Mode

    if check_data and mode is Mode.APPLY:
        _check_data(loaded, target, output)
    with engine.connect(loaded, target) as gateway:
        return engine.plan(loaded, gateway, mode, retry_failed).plan


def _unplanned(
    output: Output, error: FineforgeError, target: str | None, failed: Mapping[str, Sequence[Diagnostic]], mode: Mode
) -> int:
    """Whoever reads JSON or Markdown reads there why nothing could be planned; others as of every command."""
    known = {found for entries in failed.values() for found in entries}
    problems = [found for found in error.diagnostics if found not in known]
    if not write_for_programs(output, [], target, failed, problems, mode=mode):
        raise error
    if not output.json:
        _alert(output, error.diagnostics)
    return error.exit_code


def _plan_many(
    output: Output, found: Batch, target: str | None, mode: Mode, out: Path | None, detailed: bool, retry_failed: bool
) -> int:
    from fineforge.core.diagnostics import FineforgeError
    from fineforge.engine import planfile, selection

    try:
        planned, name = many.plan(output, found, target, mode, retry_failed)
    except FineforgeError as error:
        return _unplanned(output, error, target, selection.named(found.failed), mode)
    many.show_plans(output, planned, name)
    code = many.exit_code(planned, detailed)
    if out is not None and planned is not None and code in (0, 2, 3):
        planfile.save([(loaded.path.resolve(), made) for loaded, made in planned.plans], out)
        output.say(f"saved to {out}; `fineforge apply {out}` applies exactly this")
    return code


def _check_data(loaded: Loaded, target: str | None, output: Output) -> None:
    from fineforge import engine
    from fineforge.views.data import Counter
    from fineforge.views.diagnostics import write_all

    with Counter(output.stderr, output.terminal and not output.quiet, output.paint_aside) as counter:
        found = engine.prepare_data(loaded, target, counter)
    if found.warnings:
        output.alert(write_all(found.warnings, output.paint_aside) + "\n")


def show(made: Plan, output: Output) -> None:
    """The plan on stdout, what is wrong with it on stderr."""
    from fineforge.views import text

    if not write_for_programs(output, [made], made.target):
        output.result(text.write_plan(made, output.paint))
    if made.diagnostics and not output.json:
        output.alert("")
        _alert(output, made.diagnostics)


def _alert(output: Output, found: Sequence[Diagnostic]) -> None:
    from fineforge.views.diagnostics import write_all

    output.alert(write_all(found, output.paint_aside))


def _refuse_foreign(out: Path) -> None:
    """A plan may replace an older plan, and no other file."""
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.engine import planfile
    from fineforge.host.files import refuse_name

    refuse_name(out, "FF007")
    if out.exists() and not planfile.is_plan(out):
        hint = "choose another name for `--out`"
        raise FineforgeError(Diagnostic("FF004", f"`{out}` exists and is not a saved plan", hint=hint))
