"""`fineforge import`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from fineforge.cli import options
from fineforge.cli.output import Output


@options.command("""Generate a spec for an existing fine-tuning job, endpoint or deployment. Changes nothing in Azure.

OBJECT is the name of a job, `endpoint/NAME`, or `deployment/ENDPOINT/NAME`. Settings that a spec cannot express become
comments.""")
@click.argument("word", metavar="OBJECT")
@options.target
@click.option("--name", metavar="NAME", help="Name of the spec.")
@click.option("--out", type=options.path, metavar="FILE", help="File to write; stdout by default.")
@options.quiet
@options.streams
def command(output: Output, word: str, target: str | None, name: str | None, out: Path | None) -> int:
    from datetime import UTC, datetime

    from fineforge import importing
    from fineforge.config import project
    from fineforge.engine import connection

    where = project.find(Path.cwd())
    if out is not None and os.path.lexists(out):
        _refuse(out)
    with connection.reach(where, where.target(target)) as gateway:
        text = importing.spec_of(word, gateway, datetime.now(UTC).date().isoformat(), name)
    if out is None:
        output.quote(text.rstrip("\n"))
        return 0
    _write(out, text)
    output.result(f"wrote {out}")
    output.say(f"next: fineforge validate {out}")
    return 0


def _refuse(out: Path) -> None:
    from fineforge.core.diagnostics import Diagnostic, FineforgeError

    raise FineforgeError(Diagnostic("FF004", f"`{out}` exists already", hint="choose another name for `--out`"))


def _write(out: Path, text: str) -> None:
    from fineforge.host.files import create, refused

    try:
        create(out, text)
    except OSError as error:
        raise refused(out, error) from None
