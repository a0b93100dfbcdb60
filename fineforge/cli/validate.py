"""`fineforge validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.diagnostics import Diagnostic


@options.command("""Check one or more specs without a network: YAML, keys, names, parameters, sizes, retirement, data files.

Prints every problem of every spec at once, with its line. Exit code 1 where there is an error.""")
@click.argument("specs", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.target
@options.overrides
@options.allow_outside
@options.as_json
@options.quiet
@options.streams
def command(output: Output, specs: tuple[Path, ...], target: str | None, overrides: dict[str, str], allow_outside: bool) -> int:
    from fineforge import engine
    from fineforge.diagnostics import FineforgeError, errors

    found: dict[Path, tuple[Diagnostic, ...]] = {}
    for path in specs:
        try:
            found[path] = engine.validate(engine.load(path, overrides, allow_outside), target).diagnostics
        except FineforgeError as error:
            found[path] = error.diagnostics
    _show(output, found)
    return 1 if any(errors(diagnostics) for diagnostics in found.values()) else 0


def _show(output: Output, found: dict[Path, tuple[Diagnostic, ...]]) -> None:
    from fineforge.diagnostics import errors
    from fineforge.views.diagnostics import as_data, write_all

    if output.json:
        specs = [
            {"file": str(path), "valid": not errors(ds), "diagnostics": [as_data(d) for d in ds]} for path, ds in found.items()
        ]
        output.data({"specs": specs})
        return
    everything = [diagnostic for diagnostics in found.values() for diagnostic in diagnostics]
    if everything:
        output.alert(write_all(everything, output.paint_aside))
    for path, diagnostics in found.items():
        if not errors(diagnostics):
            output.result(f"{path} is valid")
