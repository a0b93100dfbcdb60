"""`fineforge apply`, and how destroy, adopt and forget plan, ask and carry out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.failures import show
from fineforge.cli.output import Output
from fineforge.cli.plan import alert_problems, exit_code, refuse_unplanned, show_aside
from fineforge.cli.running import connected, counted, ended, event_view, interruptible_apply

if TYPE_CHECKING:
    from fineforge.core.gateway import Gateway
    from fineforge.engine import ApplyOptions, Batch, Planned, SpecOptions
    from fineforge.engine.leases import Leases


@options.command("""Create, update or replace what the spec defines: plan, ask for confirmation, apply.

SPEC is a spec, or a plan saved by `plan --out`, which is applied exactly as it is, or not at all. You can interrupt it at any
moment: run it again to continue.""")
@options.specs
@options.select
@options.target
@options.auto_approve
@options.retry_failed
@options.prune
@click.option("--detach", is_flag=True, help="Do not wait for the job; a later apply continues from there.")
@options.lease
@options.overrides
@options.allow_outside
@options.as_json
@options.json_into
@options.quiet
@options.variables
@options.at_commit
@options.parallelism
@options.reading
@options.streams
@options.applying
def command(
    output: Output,
    specs: tuple[Path, ...],
    select: tuple[str, ...],
    reading: SpecOptions,
    auto_approve: bool,
    retry_failed: bool,
    prune: bool,
    allow_delete: bool,
    applying: ApplyOptions,
) -> int:
    from fineforge import engine
    from fineforge.core.plan import Mode
    from fineforge.engine import planfile

    if len(specs) == 1 and not select and not prune and planfile.is_plan(specs[0]):
        _refuse_changes(specs[0], reading, retry_failed)
        return _apply_saved(output, specs[0], reading, applying)
    batch = engine.load(specs, select, reading)

    def make(gateway: Gateway) -> Planned:
        with counted(output, batch) as report:
            planned = engine.plan(batch, gateway, Mode.APPLY, retry_failed, report)
        if prune:
            from fineforge.engine import orphans

            return orphans.with_orphans(planned, batch, gateway, allow_delete)
        return planned

    return plan_and_apply(output, batch, make, auto_approve, applying)


def plan_and_apply(
    output: Output, batch: Batch, make: Callable[[Gateway], Planned], auto_approve: bool, applying: ApplyOptions
) -> int:
    """Make the plans, show them, ask, and carry them out. If another apply held a lease, plan and ask again once it is over."""
    from fineforge import engine

    with connected(output, batch) as gateway:
        if gateway is None:
            return _nothing_done(output)
        planned = make(gateway)
        if (code := _disapprove(output, planned, auto_approve)) is not None:
            return code
        with interruptible_apply(output) as stop, engine.hold_leases(gateway, applying.lease, stop) as leases:
            while leases.acquire(planned.sound):
                applying.lease.tell("the other apply has ended: planning again")
                planned = make(gateway)
                if (code := _disapprove(output, planned, auto_approve)) is not None:
                    return code
            return _carry_out(output, planned, gateway, applying, leases, stop)


def _disapprove(output: Output, planned: Planned, auto_approve: bool) -> int | None:
    """Show the plans, and ask if they write. Return the exit code if none of them can or shall be applied."""
    refuse_unplanned(planned)
    show_aside(output, planned)
    if not planned.sound:
        return exit_code(planned, detailed=False)
    writes = any(plan.writes for _, plan in planned.sound)
    if writes and not auto_approve and not options.confirm(output, "Apply this plan?"):
        output.alert("nothing was changed")
        return 1
    return None


def _carry_out(
    output: Output, planned: Planned, gateway: Gateway, applying: ApplyOptions, leases: Leases, stop: threading.Event
) -> int:
    """Apply the plans with their events shown. Return the exit code, which is also that of what could not be planned."""
    from fineforge import engine
    from fineforge.views.stream import diagnostic_line

    view = event_view(output, planned.merged)
    with view:
        hooks = engine.ApplyHooks(view, partial(show, output=output), view.preparing, stop)
        applied = engine.apply(planned, gateway, applying, hooks, leases)
    shown = set(planned.diagnostics)
    problems = [one for error in applied.held_back.values() for one in error.diagnostics if one not in shown]
    for problem in problems:
        output.event(diagnostic_line(problem))
    alert_problems(output, problems)
    others = [exit_code(planned, detailed=False), *(error.exit_code for error in applied.held_back.values())]
    return ended(output, view, applied.outcome, stop, others)


def _nothing_done(output: Output) -> int:
    """End an event stream, since programs that read it need to learn that nothing was to be done."""
    from fineforge.core.events import Outcome
    from fineforge.engine import Planned
    from fineforge.views.stream import JsonLines

    merged = Planned(()).merged
    if output.json or output.saving:
        with JsonLines(output.event, merged) as lines:
            lines.end(Outcome(merged, (), {}, {}, {}), 0)
    return 0


def _refuse_changes(file: Path, reading: SpecOptions, retry_failed: bool) -> None:
    """Raise FF006 for options that a saved plan holds already."""
    from fineforge.core.diagnostics import Diagnostic, FineforgeError

    if reading.target or reading.overrides or retry_failed:
        hint = "remove `--target`, `--set` and `--retry-failed`: the plan already contains them"
        raise FineforgeError(Diagnostic("FF006", f"`{file}` is a saved plan, and these options would change it", hint=hint))


def _apply_saved(output: Output, file: Path, reading: SpecOptions, applying: ApplyOptions) -> int:
    """Apply exactly what was approved when it was saved. The file is used up once all leases are held."""
    from fineforge import engine
    from fineforge.engine import batch, planfile

    with planfile.opened(file, reading.allow_outside) as entries:
        planned = batch.saved(entries, reading)  # Judged by the policies of today.
        show_aside(output, planned)
        if planned.broken:
            return exit_code(planned, detailed=False)
        spec, plan = planned.plans[0]
        with (
            engine.connect(spec, plan.target) as gateway,
            interruptible_apply(output) as stop,
            engine.hold_leases(gateway, applying.lease, stop) as leases,
        ):
            leases.acquire(planned.sound)
            leases.refuse_missing()
            planfile.consume(file)
            return _carry_out(output, planned, gateway, applying, leases, stop)
