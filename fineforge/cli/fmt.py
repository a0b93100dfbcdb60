"""`fineforge fmt`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from fineforge.cli import options
from fineforge.cli.output import Output


@options.command("""Put the keys of specs, project files and rules into one order; everything else stays as it is written.

FILE is a file, a folder, or `-` for stdin. Prints the names of files that change. A file that is no YAML is an error and stays
as it is; the others are done.""")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=options.path_or_dash)
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where a file would change.")
@click.option("--diff", is_flag=True, help="Show what changes.")
@options.streams
def command(output: Output, files: tuple[Path, ...], check: bool, diff: bool) -> int:
    from fineforge.config import format
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.host.files import read, shown_path, write
    from fineforge.views.diagnostics import write_all

    if any(str(file) == "-" for file in files):
        return _filter(output, check)
    found: list[Diagnostic] = []
    changed = 0
    for file in _meant(files):
        try:
            before = read(file)
            after = format.formatted(before, shown_path(file), file.name)
            if before == after:
                continue
            if not check:
                write(file, after)
        except FineforgeError as error:
            outside = f"format the file itself: `fineforge fmt {file.resolve()}`"
            found += (replace(one, hint=outside) if one.code == "FF602" else one for one in error.diagnostics)
            continue
        changed += 1
        output.quote(_difference(shown_path(file), before, after) if diff else shown_path(file))
    if found:
        output.alert(write_all(found, output.paint_aside))
    return 1 if found or (check and changed) else 0


def _filter(output: Output, check: bool) -> int:
    """For editors: a spec on stdin, its canonical form on stdout."""
    from fineforge.config import format

    before = sys.stdin.buffer.read()
    after = format.formatted(before, "stdin", "spec.yaml")
    if check:
        return 0 if before == after else 1
    output.stdout.write(after.decode())
    return 0


def _meant(files: Sequence[Path]) -> Iterator[Path]:
    """The files, and all of ours below the folders; a link is followed, so that it stays one."""
    from fineforge.config import discovery, project
    from fineforge.config.layers import FOLDER_FILE
    from fineforge.host.files import is_folder
    from fineforge.policies.rules import FOLDER

    seen: set[Path] = set()
    for path in files:
        below = [path]
        if is_folder(path):
            names = [path.rglob(name) for name in (project.FILE_NAME, FOLDER_FILE, f"{FOLDER}/*.yaml", f"{FOLDER}/*.yml")]
            special = sorted(file for group in names for file in group if not _hidden(file.relative_to(path)))
            below = [*special, *discovery.find([path])[0]]
        for file in below:
            if (real := file.resolve()) not in seen:
                seen.add(real)
                yield file


def _hidden(file: Path) -> bool:
    return any(part.startswith(".") or part == "node_modules" for part in file.parts)


def _difference(name: str, before: bytes, after: bytes) -> str:
    old, new = (content.decode("utf-8-sig").splitlines() for content in (before, after))
    return "\n".join(difflib.unified_diff(old, new, f"{name} before", f"{name} after", lineterm=""))
