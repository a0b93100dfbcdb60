"""`fineforge lock`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.engine import Moved, SpecOptions


@options.command("""Pin what the specs leave open: the latest version of a model or component, the commit of a dataset, and the
metadata of each version. Writes `fineforge.lock.yaml` next to the project file; commit it.

Existing pins stay. --upgrade moves all of them, or only `models`, `components`, `datasets`, `sizes`
or one name.""")
@click.argument("specs", nargs=-1, type=options.path)
@options.target
@click.option(
    "--upgrade", multiple=True, is_flag=False, flag_value="all", metavar="[WHAT]", help="Move all pins, or those of WHAT."
)
@options.as_json
@options.quiet
@options.allow_outside
@options.variables
@options.reading
@options.streams
def command(output: Output, specs: tuple[Path, ...], upgrade: tuple[str, ...], reading: SpecOptions) -> int:
    from fineforge import engine
    from fineforge.config import pins
    from fineforge.core.diagnostics import Diagnostic, FineforgeError

    files, words = _apart(specs, upgrade)
    if not files:
        raise FineforgeError(Diagnostic("FF002", "missing argument `SPECS...`", hint="`fineforge lock SPEC...`"))
    batch = engine.load(files, options=reading)
    if batch.errors:
        raise FineforgeError(*batch.errors)
    with engine.connect(batch, reading.target) as gateway:
        lock, moves = engine.lock(batch.specs, gateway, words)
        name = gateway.workspace.target
    if lock.targets != batch.specs[0].lock.targets:
        pins.save(lock, batch.specs[0].lock, reading.allow_outside)
    _show(output, lock.path, name, moves)
    return 0


def _apart(specs: tuple[Path, ...], upgrade: tuple[str, ...]) -> tuple[list[Path], list[str]]:
    """`--upgrade` without a word takes what follows it: where that is a file, it is a spec, and everything is upgraded."""
    taken = [word for word in upgrade if Path(word).is_file() or word.endswith((".yaml", ".yml"))]
    words = ["all" if word in taken else word for word in upgrade]
    return [*(Path(word) for word in taken), *specs], words


def _show(output: Output, path: Path, target: str, moves: tuple[Moved, ...]) -> None:
    if output.json:
        from fineforge.documents import answers

        rows = [answers.Moved(move.kind, move.key, move.before or None, move.after) for move in moves]
        output.answer(answers.Lock(str(path), target, rows))
        return
    for move in moves:
        was = f"{move.before} -> " if move.before and move.before != move.after else "as it is now: " if move.before else ""
        output.quote(f"{'~' if move.before else '+'} {move.kind:<10}  {move.key}  {was}{move.after}")
    output.result(f"{path.name}: {len(moves)} pinned for {target}" if moves else f"{path.name}: nothing to pin for {target}")
