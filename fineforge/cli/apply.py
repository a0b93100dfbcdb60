"""`fineforge apply`, and how destroy, adopt and forget plan, ask and carry out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import many, options
from fineforge.cli.failures import show
from fineforge.cli.output import Output
from fineforge.cli.plans import exit_code
from fineforge.cli.running import How, ended, event_view, interruptible_apply, tell_problems, terms_of

if TYPE_CHECKING:
    from fineforge.config.variables import Given
    from fineforge.core.gateway import Gateway
    from fineforge.core.plan import Plan
    from fineforge.engine import Loaded
    from fineforge.execution.lease import Lease, Terms


@options.command("""Make the workspace what the spec says: plan, ask, carry out.

SPEC is a spec, or a plan that `plan --out` saved; a saved plan is applied exactly as it is, or not at all. May be interrupted at
any moment: run it again and it goes on.""")
@many.specs
@many.select
@options.target
@options.auto_approve
@options.retry_failed
@many.prune
@click.option("--detach", is_flag=True, help="Do not wait for the job; a later apply goes on from there.")
@options.lease
@options.overrides
@options.allow_outside
@options.as_json
@options.json_into
@options.quiet
@options.variables
@options.at_commit
@options.parallelism
@options.streams
def command(
    output: Output,
    specs: tuple[Path, ...],
    select: tuple[str, ...],
    target: str | None,
    auto_approve: bool,
    retry_failed: bool,
    prune: bool,
    allow_delete: bool,
    detach: bool,
    lock: bool,
    lock_timeout: float,
    overrides: dict[str, str],
    allow_outside: bool,
    given: Given,
    parallelism: int,
) -> int:
    from fineforge import engine
    from fineforge.core.plan import Mode
    from fineforge.engine import planfile, selection

    output.streams_events = True
    terms, how = terms_of(output, lock, lock_timeout), How(detach, parallelism)
    if prune or many.are_many(specs, select):
        found = selection.load(specs, select, overrides, allow_outside, target, given)
        wanted = many.Wanted(auto_approve, retry_failed, prune, allow_delete, how)
        return many.apply(output, found, target, wanted, terms)
    spec = specs[0]
    if planfile.is_plan(spec):
        return _apply_saved(output, spec, terms, how, allow_outside, given, [target, overrides, retry_failed])
    loaded = engine.load(spec, overrides, allow_outside, target, given)

    def make(gateway: Gateway) -> Plan:
        return engine.plan(loaded, gateway, Mode.APPLY, retry_failed).plan

    return plan_and_apply(output, loaded, target, make, auto_approve, terms, how)


def plan_and_apply(
    output: Output,
    loaded: Loaded,
    target: str | None,
    make: Callable[[Gateway], Plan],
    auto_approve: bool,
    terms: Terms,
    how: How | None = None,
) -> int:
    """Makes the plan, shows it, asks, carries it out. Where another apply was waited for, it is made, and approved, once more."""
    from fineforge import engine

    with engine.connect(loaded, target) as gateway:
        made = make(gateway)
        if (code := _disapproved(output, made, auto_approve)) is not None:
            return code
        with interruptible_apply(output) as stop, engine.leased(made, loaded, gateway, terms, stop) as held:
            if held is not None and held.waited:
                terms.tell("the other apply is over: planning again")
                made = make(gateway)
                if (code := _disapproved(output, made, auto_approve)) is not None:
                    return code
            return carry_out(output, made, loaded, gateway, held or terms, stop, how or How())


def _disapproved(output: Output, made: Plan, auto_approve: bool) -> int | None:
    """The exit code where the plan must not, or shall not, be carried out. Nothing is asked where nothing would happen."""

    _show_aside(made, output)
    if code := exit_code(made, detailed=False):
        return code
    if made.writes and not auto_approve and not options.need_terminal(output, "Do you want this to be done?"):
        output.alert("nothing was changed")
        return 1
    return None


def carry_out(
    output: Output, made: Plan, loaded: Loaded, gateway: Gateway, lease: Terms | Lease, stop: threading.Event, how: How
) -> int:
    """Applies the plan with its events shown; returns the exit code."""
    from fineforge import engine

    view = event_view(output, made)
    with view:
        warn, progress = partial(show, output=output), partial(view.preparing, made.spec)
        outcome = engine.apply(made, loaded, gateway, view, stop, how.parallelism, warn, how.detach, lease, progress)
    return ended(output, view, outcome, stop)


def _apply_saved(
    output: Output, file: Path, terms: Terms, how: How, allow_outside: bool, given: Given, decided: list[object]
) -> int:
    """What the plan says was read and approved when it was saved; so nobody is asked again."""
    from fineforge import engine
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.engine import batch, planfile

    if any(decided):
        hint = "leave out `--target`, `--set` and `--retry-failed`: the plan has them in it"
        raise FineforgeError(Diagnostic("FF006", f"`{file}` is a saved plan and cannot be changed", hint=hint))
    with planfile.opened(file, allow_outside) as entries:
        planned = batch.saved(entries, allow_outside, given)  # by the rules of today
        if len(entries) != 1:
            return many.apply_saved(output, file, planned, how, terms)
        ((loaded, made),) = planned.plans
        _show_aside(made, output)
        if code := exit_code(made, detailed=False):
            return code
        with (
            engine.connect(loaded, made.target) as gateway,
            interruptible_apply(output) as stop,
            engine.leased(made, loaded, gateway, terms, stop) as held,
        ):
            planfile.consume(file)
            return carry_out(output, made, loaded, gateway, held or terms, stop, how)


def _show_aside(made: Plan, output: Output) -> None:
    """The plan is not the result of an apply: it goes to stderr, and as JSON into the event stream."""
    from fineforge.documents.summary import summary
    from fineforge.views.diagnostics import write_all
    from fineforge.views.text import write_plan

    tell_problems(output, made.diagnostics, made.spec)
    if not output.json:
        output.alert(summary(made) if output.quiet else write_plan(made, output.paint_aside))
    if made.diagnostics and not output.json:
        output.alert("\n" + write_all(made.diagnostics, output.paint_aside))
