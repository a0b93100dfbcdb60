"""`fineforge validate`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.core.diagnostics import Diagnostic
    from fineforge.engine import SpecOptions


@options.command("""Check specs, or folders of them, without a network: YAML, keys, names, parameters, sizes, retirement, data.

Without a target, at every target the spec allows. Prints every problem of every spec with its line. Exit code 1 if there is
an error.""")
@options.specs
@options.select
@options.target
@options.overrides
@options.allow_outside
@options.output_as("sarif", "github")
@options.quiet
@options.variables
@options.reading
@options.streams
def command(
    output: Output,
    specs: tuple[Path, ...],
    select: tuple[str, ...],
    reading: SpecOptions,
) -> int:
    from fineforge.core.diagnostics import FineforgeError, errors
    from fineforge.engine import offline, selection

    found: Mapping[Path, Sequence[Diagnostic]] = {}
    try:
        loaded = selection.load(specs, select, reading)
        found = offline.validate_batch(loaded, reading.target, everywhere="FINEFORGE_TARGET" not in os.environ)
        problems = loaded.problems
    except FineforgeError as error:
        problems = error.diagnostics
    _show(output, found, problems)
    return 1 if errors(problems) or any(errors(diagnostics) for diagnostics in found.values()) else 0


def _show(output: Output, found: Mapping[Path, Sequence[Diagnostic]], problems: Sequence[Diagnostic]) -> None:
    """`problems` belong to no file. Where stdout is for programs, people find the same on stderr."""
    from fineforge.core.diagnostics import Severity, errors
    from fineforge.documents.answers import ValidatedSpec, Validation
    from fineforge.documents.diagnostics import problem
    from fineforge.views import reports
    from fineforge.views.diagnostics import write_all
    from fineforge.views.paint import one_line

    if output.json:
        specs = [
            ValidatedSpec(str(path), not errors(ds), [problem(diagnostic) for diagnostic in ds]) for path, ds in found.items()
        ]
        output.answer(Validation(specs, [problem(diagnostic) for diagnostic in problems]))
        return
    everything = [*(diagnostic for diagnostics in found.values() for diagnostic in diagnostics), *problems]
    if shown := [one for one in everything if not output.quiet or one.severity is not Severity.NOTE]:
        output.alert(write_all(shown, output.paint_aside))
    listed = {**{str(path): diagnostics for path, diagnostics in found.items()}, "": problems}
    if output.format == "sarif":
        output.data(reports.sarif(listed, _in_repository))
    elif output.format == "github":
        if everything:
            output.result(reports.workflow_commands(listed, _in_repository))
    else:
        for path, diagnostics in found.items():
            if not errors(diagnostics):
                output.result(f"{one_line(str(path))} is valid")


def _in_repository(path: str) -> str:
    """As reviewers' tools name a file: from the root of the repository, with `/`."""
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    whole = Path(os.path.normpath(here / path))
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else whole.as_posix()
