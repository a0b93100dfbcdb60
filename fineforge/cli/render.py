"""`fineforge render`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.config.variables import Given


@options.command("""Print the Azure ML YAML of every object, as `az ml ... create --file` accepts it, without a network.

Names that depend on the workspace use a placeholder.""")
@options.spec
@click.option("--kind", "kinds", multiple=True, metavar="KIND", callback=options.kinds, help="Only this kind; repeatable.")
@options.target
@options.overrides
@options.as_json
@options.allow_outside
@options.variables
@options.streams
def command(
    output: Output,
    spec: Path,
    kinds: tuple[str, ...],
    target: str | None,
    overrides: dict[str, str],
    allow_outside: bool,
    given: Given,
) -> int:
    from fineforge import engine
    from fineforge.documents.answers import Rendered

    loaded = engine.SpecFile.read(spec, engine.SpecOptions(target, overrides, allow_outside, given))
    wanted = [one for one in engine.render(loaded.at()) if not kinds or one.key.kind in kinds]
    if output.json:
        output.answer(Rendered({str(one.key): dict(one.document) for one in wanted}))
    else:
        output.result("\n".join(f"---\n# {one.key}\n{one.text.rstrip()}" for one in wanted))
    return 0
