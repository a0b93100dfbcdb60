"""What `plan`, `apply`, `validate` and `status` do with folders and several specs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fineforge.cli import options
from fineforge.cli.failures import show
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.cli.running import How
    from fineforge.core.diagnostics import Diagnostic
    from fineforge.core.gateway import Gateway
    from fineforge.core.objects import ResourceKey
    from fineforge.core.plan import Mode
    from fineforge.engine.batch import Planned
    from fineforge.engine.orphans import Orphans
    from fineforge.engine.selection import Batch
    from fineforge.execution import lease

Specs = Sequence[Path]
specs = click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=options.path)
select = click.option(
    "--select",
    multiple=True,
    metavar="PATTERN",
    help="Only specs of this name, path, `tag:KEY=VALUE`, or `changed-since:REF`; may be repeated.",
)


def are_many(paths: Specs, patterns: Sequence[str]) -> bool:
    """Whether more than one spec may be meant."""
    from fineforge.host.files import is_folder

    return len(paths) != 1 or bool(patterns) or is_folder(paths[0])


def plan(
    output: Output,
    batch: Batch,
    target: str | None,
    mode: Mode,
    retry_failed: bool,
) -> tuple[Planned | None, str]:
    """The plans and the target's name; None where no spec is for it. Progress is told while it is read."""
    from fineforge.engine import batch as batches

    with _connected(batch, target) as (gateway, meant):
        if gateway is None:
            return None, _target(batch, target)
        with _counted(output, len(meant.specs)) as told:
            return batches.plan(meant, gateway, mode, retry_failed, told), gateway.workspace.target


def show_plans(output: Output, planned: Planned | None, target: str) -> None:
    """The plans on stdout, what is wrong with them on stderr."""
    from fineforge.cli.plans import write_for_programs
    from fineforge.host.files import shown_path
    from fineforge.views import many as view

    if planned is None:
        nothing_meant(output, target)
        if output.format != "markdown":
            write_for_programs(output, [], None)
        return
    failed = planned.unplanned
    files = {made.spec: shown_path(loaded.path) for loaded, made in planned.plans}
    if not write_for_programs(output, [made for _, made in planned.plans], target, failed, planned.problems, files):
        output.result(view.write_plans(planned, target, output.paint))
    _alert(output, _everything(planned))


def nothing_meant(output: Output, target: str) -> None:
    """`target`: empty where none of the specs was selected."""
    output.alert(f"no spec is for `{target}`" if target else "no spec is selected")


def exit_code(planned: Planned | None, detailed: bool) -> int:
    """As of one plan: the worst of all. A spec that cannot be planned is an error."""
    from fineforge.cli.plans import exit_code as of_one
    from fineforge.core.diagnostics import errors

    if planned is None:
        return 0
    codes = {of_one(made, detailed) for _, made in planned.plans}
    if planned.failed or errors(planned.problems):
        codes.add(1)
    return next((code for code in (1, 4, 2, 3) if code in codes), 0)


def prune(function: Callable[..., int]) -> Callable[..., int]:
    """`--prune` and `--allow-delete`."""
    allow = click.option("--allow-delete", is_flag=True, help="Of --prune: yes, delete.")
    words = "Take away what carries the project's tags and no spec wants; needs --allow-delete."
    return click.option("--prune", is_flag=True, help=words)(allow(function))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an apply was asked beyond its specs."""

    auto_approve: bool
    retry_failed: bool
    prune: bool
    allow_delete: bool
    how: How


def apply(output: Output, batch: Batch, target: str | None, wanted: Wanted, terms: lease.Terms) -> int:
    """Plans all, asks once, carries out what can be; the exit code is the worst of all."""
    from fineforge.cli import options
    from fineforge.core.plan import Mode
    from fineforge.engine import batch as batches
    from fineforge.engine import pruning

    with _connected(batch, target) as (gateway, meant):
        if gateway is None:
            nothing_meant(output, _target(batch, target))
            return _nothing_done(output)
        with _counted(output, len(meant.specs)) as told:
            planned = batches.plan(meant, gateway, Mode.APPLY, wanted.retry_failed, told)
        if wanted.prune:
            planned = pruning.with_orphans(planned, batch, gateway, wanted.allow_delete)
        _show_aside(output, planned, gateway.workspace.target)
        worst = exit_code(planned, detailed=False)
        merged = planned.merged
        if merged.writes and not wanted.auto_approve and not options.need_terminal(output, "Do you want this to be done?"):
            output.alert("nothing was changed")
            return 1
        return _carry_out(output, planned, gateway, wanted.how, terms, worst)


def _nothing_done(output: Output) -> int:
    """Who reads lines reads that nothing was to be done."""
    from fineforge.core.events import Outcome
    from fineforge.planner import sharing
    from fineforge.views.stream import JsonLines

    merged = sharing.one_plan((), {})
    if output.json or output.saving:
        with JsonLines(output.event, merged) as lines:
            lines.end(Outcome(merged, (), {}, {}, {}), 0)
    return 0


def apply_saved(output: Output, file: Path, planned: Planned, how: How, terms: lease.Terms) -> int:
    """What was read and approved when it was saved: nobody is asked again."""
    from fineforge import engine
    from fineforge.engine import planfile

    loaded, made = planned.plans[0]
    _show_aside(output, planned, made.target)
    if planned.broken:
        return exit_code(planned, detailed=False)
    with engine.connect(loaded, made.target) as gateway:
        planfile.consume(file)
        return _carry_out(output, planned, gateway, how, terms)


def _carry_out(output: Output, planned: Planned, gateway: Gateway, how: How, terms: lease.Terms, worst: int = 0) -> int:
    """`worst`: the exit code for what could not be planned."""
    from fineforge.cli import running
    from fineforge.engine import batch as batches

    merged = planned.merged
    if not merged.steps:
        return worst
    view = running.event_view(output, merged)
    with running.interruptible_apply(output) as stop:
        with view:
            warn, progress = partial(show, output=output), view.preparing
            outcome, held_back = batches.apply(planned, gateway, view, stop, how.parallelism, warn, how.detach, terms, progress)
        _alert(output, [found for error in held_back.values() for found in error.diagnostics])
        return running.ended(output, view, outcome, stop, [worst, *(error.exit_code for error in held_back.values())])


def status(output: Output, batch: Batch, target: str | None) -> int:
    """Every spec's objects; one that cannot be read does not hide the others."""
    from concurrent.futures import ThreadPoolExecutor
    from datetime import UTC, datetime

    from fineforge import engine
    from fineforge.core.diagnostics import FineforgeError
    from fineforge.documents import answers
    from fineforge.engine import batch as batches
    from fineforge.engine.shared_reads import SharedReads
    from fineforge.views.status import status_data, write_orphans, write_status

    found: dict[str, Any] = {}
    failed = [*batch.problems, *(one for problems in batch.failed.values() for one in problems)]
    with _connected(batch, target) as (gateway, meant):
        if gateway is None:
            nothing_meant(output, _target(batch, target))
            if output.json:
                output.answer(answers.ManyStatus([], []))
            return 0
        where, reads = gateway.workspace.target, SharedReads(gateway, len(meant.specs))

        def read(loaded: Any) -> None:
            try:
                found[loaded.spec.name] = engine.status(loaded, reads)
            except FineforgeError as error:
                failed.extend(error.diagnostics)

        with ThreadPoolExecutor(batches.PARALLEL) as pool:
            list(pool.map(read, meant.specs))
        orphans = _orphans(batch, gateway, {state.key for states in found.values() for state in states})
    now = datetime.now(UTC)
    ordered = [(loaded.spec.name, found[loaded.spec.name]) for loaded in meant.specs if loaded.spec.name in found]
    if output.json:
        lost = [answers.Orphans(found.spec, [str(have.key) for have in found.objects]) for found in orphans]
        shown = [status_data(name, where, states, now, answers.SpecStatus) for name, states in ordered]
        output.answer(answers.ManyStatus(shown, lost))
    else:
        told = [write_status(name, where, states, now, output.paint) for name, states in ordered]
        told += [write_orphans(found.spec, found.objects, output.paint) for found in orphans]
        output.result("\n\n".join(told))
    _alert(output, failed)
    return 1 if failed else 0


def _orphans(batch: Batch, gateway: Gateway, wanted: set[ResourceKey]) -> list[Orphans]:
    """What no spec of the project wants; asked only where all of them were read, and the project has a name."""
    from fineforge.engine import orphans as owning
    from fineforge.engine import pruning

    projects = {(loaded.project.root, loaded.project.name) for loaded in batch.specs}
    if batch.selected or batch.failed or len(projects) != 1:
        return []
    ((root, name),) = projects
    if not name or pruning.unread(batch, root):
        return []
    return owning.orphans([loaded.spec.name for loaded in batch.specs], name, gateway, wanted)


@contextmanager
def _connected(batch: Batch, target: str | None) -> Iterator[tuple[Gateway | None, Batch]]:
    """A gateway to the target, and the specs that are for it. Where there is none and some could not be read, that is raised."""
    from fineforge import engine
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.engine import selection

    roots = {loaded.project.root for loaded in batch.specs if loaded.project.name}
    if len(roots) > 1:
        message, hint = "these specs belong to several projects, which have targets of their own", "plan each project by itself"
        raise FineforgeError(Diagnostic("FF172", message, hint=hint))
    name = _target(batch, target)
    meant = selection.at(batch, name)
    if not meant.specs and (batch.failed or batch.problems):
        raise FineforgeError(*batch.problems, *(found for problems in batch.failed.values() for found in problems))
    if not meant.specs:
        yield None, meant
        return
    with engine.connect(meant.specs[0], name) as gateway:
        yield gateway, meant


def _target(batch: Batch, target: str | None) -> str:
    return batch.specs[0].project.target(target) if batch.specs else ""


@contextmanager
def _counted(output: Output, total: int) -> Iterator[Any]:
    """Draws on a terminal how many specs have been planned; elsewhere nothing."""
    done = 0

    def told(_: object) -> None:
        nonlocal done
        done += 1
        if output.terminal and not output.quiet:
            output.stderr.write(f"\r\x1b[2Kplanned {done} of {total} specs")
            output.stderr.flush()

    yield told
    if done and output.terminal and not output.quiet:
        output.stderr.write("\r\x1b[2K")
        output.stderr.flush()


def _show_aside(output: Output, planned: Planned, target: str) -> None:
    from fineforge.views import many as view

    if not output.json:
        output.alert(view.summary(planned) if output.quiet else view.write_plans(planned, target, output.paint_aside))
    _alert(output, _everything(planned))


def _everything(planned: Planned) -> list[Diagnostic]:
    return [
        *planned.problems,
        *(found for problems in planned.failed.values() for found in problems),
        *(found for _, made in planned.plans for found in made.diagnostics),
    ]


def _alert(output: Output, found: Sequence[Diagnostic]) -> None:
    from fineforge.cli.running import tell_problems
    from fineforge.views.diagnostics import write_all

    if output.streams_events:
        tell_problems(output, found)
    if found and not output.json:
        output.alert("\n" + write_all(found, output.paint_aside))
