"""`fineforge data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.config.variables import Given
    from fineforge.engine.data import Data
    from fineforge.views.data import SplitView

CACHE = "cache"


@options.command("""Prepare a spec's data, check its rows and show some of them. Uploads nothing.

`fineforge data cache` shows the data cache of this machine; --clear empties it.""")
@click.argument("spec", metavar="SPEC | cache", type=options.path)
@options.target
@click.option(
    "--rows", type=click.IntRange(min=0), default=2, show_default=True, metavar="N", help="Number of rows to show per split."
)
@click.option("--clear", is_flag=True, help="With `cache`: delete all cached files.")
@options.allow_outside
@options.as_json
@options.quiet
@options.variables
@options.streams
def command(output: Output, spec: Path, target: str | None, rows: int, clear: bool, allow_outside: bool, given: Given) -> int:
    if str(spec) == CACHE:
        return _cache(output, clear)
    if clear:
        raise click.UsageError("`--clear` is for `fineforge data cache`")
    from fineforge import engine
    from fineforge.views.data import Counter
    from fineforge.views.diagnostics import write_all

    loaded = engine.SpecFile.read(spec, engine.SpecOptions(target, allow_outside=allow_outside, given=given))
    with Counter(output.stderr, output.terminal and not output.quiet, output.paint_aside) as counter:
        found = engine.prepare_data(loaded.at(), counter)
    _show(output, loaded.spec.name, found, rows)
    if found.warnings and not output.json:
        output.alert("\n" + write_all(found.warnings, output.paint_aside))
    return 0


def _show(output: Output, name: str, found: Data, rows: int) -> None:
    from fineforge.documents.diagnostics import problem
    from fineforge.views import data

    views = _views(found, rows)
    assets = {split: fact.asset for split, fact in found.facts.items() if fact.asset}
    if output.json:
        output.answer(data.splits_data(name, views, assets, [problem(warning) for warning in found.warnings]))
    else:
        output.result(data.write_splits(views, assets, output.paint) or "this spec has no `dataset`")


def _views(found: Data, rows: int) -> list[SplitView]:
    from fineforge.engine.data import shown_rows
    from fineforge.views.data import SplitView

    return [
        SplitView(
            split,
            found.facts[split].source,
            found.facts[split].revision,
            found.facts[split].selection,
            file.rows,
            file.bytes,
            file.sha256,
            file.path,
            file.summary,
            shown_rows(file.path, rows),
        )
        for split, file in found.files.items()
    ]


def _cache(output: Output, clear: bool) -> int:
    from fineforge.engine import data as preparing
    from fineforge.views import data

    place, limit, kinds = preparing.cached()
    if clear:
        freed = preparing.clear_cache()
        output.say(f"{data.size(freed)} freed in {place}")
        kinds = preparing.cached()[2]
    if output.json:
        output.answer(data.cache_data(place, limit, kinds))
    elif not clear:
        output.result(data.write_cache(place, limit, kinds, output.paint))
    return 0
