"""`fineforge validate`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fineforge.cli import many, options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.diagnostics import Diagnostic


@options.command("""Check specs, or folders of them, without a network: YAML, keys, names, parameters, sizes, retirement, data.

Prints every problem of every spec at once, with its line. Exit code 1 where there is an error.""")
@many.specs
@many.select
@options.target
@options.overrides
@options.allow_outside
@options.as_json
@options.quiet
@options.streams
def command(
    output: Output,
    specs: tuple[Path, ...],
    select: tuple[str, ...],
    target: str | None,
    overrides: dict[str, str],
    allow_outside: bool,
) -> int:
    from fineforge import batch
    from fineforge.diagnostics import errors
    from fineforge.views.diagnostics import write_all

    loaded = batch.load(specs, select, overrides, allow_outside)
    found = many.validate(loaded, target)
    _show(output, found)
    if loaded.problems and not output.json:
        output.alert("\n" + write_all(loaded.problems, output.paint_aside))
    return 1 if errors(loaded.problems) or any(errors(diagnostics) for diagnostics in found.values()) else 0


def _show(output: Output, found: Mapping[Path, tuple[Diagnostic, ...]]) -> None:
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
