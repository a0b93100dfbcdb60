"""How a command ends when it fails: every exception becomes diagnostics on stderr and an exit code, never a traceback."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from fineforge.cli.output import Output
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.host.secrets import conceal

INTERRUPTED = 130


def ending(error: BaseException, output: Output, arguments: Sequence[str]) -> int:
    """Says what went wrong; returns the exit code."""
    match error:
        case FineforgeError():
            show(error.diagnostics, output)
            return error.exit_code
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            output.alert("interrupted")
            return INTERRUPTED
        case click.exceptions.NoArgsIsHelpError():  # a group without a command: its help, as it is laid out
            output.alert(error.format_message())
            return 1
        case click.ClickException():
            show([_usage(error)], output)
            return 1
        case SystemExit():
            return error.code if isinstance(error.code, int) else 1
        case BrokenPipeError():
            return _broken_pipe()
        case OSError(errno=errno.ENOSPC):
            show(
                [Diagnostic("FF007", "no space is left on the disk", hint="free some space, then run the same command again")],
                output,
            )
            return 1
        case FileNotFoundError() if _is_nowhere():
            show([Diagnostic("FF112", "the working directory no longer exists", hint="change to an existing directory")], output)
            return 1
        case _:
            show([_internal(error, arguments)], output)
            return 1


def show(diagnostics: Sequence[Diagnostic], output: Output) -> None:
    """Prints diagnostics: to stderr for people, with `--json` to stdout, as one document or as lines of the event stream."""
    from fineforge.views.diagnostics import write_all

    if output.streams_events and (output.json or output.saving):
        from fineforge.views.stream import diagnostic_line

        for diagnostic in dict.fromkeys(diagnostics):
            output.event(diagnostic_line(diagnostic))
    if output.json and output.streams_events:
        return
    if output.json:
        from fineforge.documents.answers import Failure
        from fineforge.documents.diagnostics import problem

        output.answer(Failure(True, [problem(diagnostic) for diagnostic in dict.fromkeys(diagnostics)]))
    else:
        output.alert(write_all(diagnostics, output.paint_aside))


def _usage(error: click.ClickException) -> Diagnostic:
    """click's words in the style of every other message: lower case first, no full stop, backticks."""
    words = error.format_message().replace("'", "`").rstrip(".").replace(". (Did", " (did").replace(". Did", "; did")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "fineforge"
    return Diagnostic("FF002", words[:1].lower() + words[1:], hint=f"`{command} --help` shows what it takes")


def _is_nowhere() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _internal(error: BaseException, arguments: Sequence[str]) -> Diagnostic:
    file = _write_report(error, arguments)
    where = f"the traceback is in {file}" if file else "the traceback could not be written to a file"
    words = conceal(str(error)).splitlines()
    what = f"{type(error).__name__}: {words[0][:200]}" if words else type(error).__name__
    return Diagnostic("FF001", f"internal error: {what}", hint=f"{where}; please report this")


def _write_report(error: BaseException, arguments: Sequence[str]) -> str | None:
    """Writes the traceback for whoever mends it, readable by the user alone; None where that fails too."""
    import platform
    import traceback
    from datetime import UTC, datetime

    from platformdirs import user_log_path

    from fineforge import __version__
    from fineforge.host.files import create

    head = f"fineforge {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    text = head + f"arguments: {list(arguments)}\n\n" + "".join(traceback.format_exception(error))
    try:
        folder = user_log_path("fineforge", appauthor=False, ensure_exists=True)
        file = folder / f"error-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.txt"
        create(file, conceal(text), 0o600)
    except OSError:
        return None
    return str(file)


def _broken_pipe() -> int:
    """Who reads our output has closed it, as `head` does: the rest goes nowhere, quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
