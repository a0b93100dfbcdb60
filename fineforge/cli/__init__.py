"""The command line: parse, call the engine, call a view, end with an exit code.

Here are the entry point and the table of commands; each command is a module of this package, imported when it runs, so that
`fineforge --help` costs nothing but click. A command module imports the engine and the views inside its function for the same
reason: its own `--help` and completion stay as quick.
"""

from __future__ import annotations

import difflib
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise, takewhile
from keyword import iskeyword
from typing import Any

import click
from click.shell_completion import CompletionItem

from fineforge.cli.failures import ending
from fineforge.cli.output import Output
from fineforge.host import files

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("command", "Create a valid spec with sample data; never overwrites files"),
    "validate": ("command", "Check specs offline: names, types, sizes, retirement, data"),
    "plan": ("command", "Show what apply would change, without changing anything"),
    "apply": ("command", "Create, update or replace what the spec defines"),
    "destroy": ("command", "Delete or archive what apply created"),
    "drift": ("command", "Show manual changes since the last apply"),
    "adopt": ("command", "Make an existing cluster or endpoint belong to the spec"),
    "forget": ("command", "Release the spec's objects without deleting them"),
    "status": ("command", "Show the spec's objects and current costs"),
    "logs": ("command", "Show the log of the job, or of the deployment"),
    "metrics": ("command", "Show the metrics of the job"),
    "invoke": ("command", "Send a request to the deployed model"),
    "data": ("command", "Prepare the data, check its rows, show samples"),
    "lease": ("group", "Show running applies, or release a lease"),
    "lock": ("command", "Pin the versions and commits that specs leave open"),
    "render": ("command", "Print the Azure ML YAML that would be submitted"),
    "explain": ("command", "Explain the parameters of a spec, a model or an error code"),
    "schema": ("command", "Print the JSON Schema of a spec"),
    "import": ("command", "Generate a spec for an existing job, endpoint or deployment"),
    "policy": ("group", "Test the policies of a project"),
    "emulator": ("group", "Run the local Azure ML"),
    "version": ("command", "Print the version"),
}
"""Name -> what the module of that name offers, and one line of help."""


class Commands(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f"fineforge.cli.{module}"), COMMANDS[cmd_name][0])
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            meant = f"; did you mean `{near[0]}`?" if near else ""
            ctx.fail(f"unknown command `{args[0]}`{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name, help=words) for name, (_, words) in COMMANDS.items() if name.startswith(incomplete)]


@click.command(
    cls=Commands,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 success, 1 error, 2 changes, 3 drift, 4 refused by a gate or a policy, 5 an object changed or another "
    "apply is running, 130 interrupted. `plan` returns 2 and 3 only with `--detailed-exitcode`.",
)
@click.option("--version", "show_version", is_flag=True, help="Print the version.")
@click.pass_context
def root(ctx: click.Context, show_version: bool) -> None:
    """Plan and apply fine-tuned models on Azure Machine Learning, from one YAML spec.

    Try it on this machine, without an Azure account:

    \b
      fineforge emulator start
      fineforge plan specs/quickstart.yaml --target local
    """
    if show_version:
        ctx.invoke(import_module("fineforge.cli.version").command)
    elif ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


COLLECTING = (100_000, 20, 50)
"""When to look for cycles. Imports make a hundred thousand objects that live until the end; looking through them again and again
takes a fifth of a short command's time."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and ends the process with its exit code."""
    gc.set_threshold(*COLLECTING)
    _open_streams()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def _open_streams() -> None:
    """Who closed our output (`>&-`) wants none of it: it goes nowhere, and no file that is opened later gets its number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - for as long as we live


def run(arguments: Sequence[str]) -> int:
    """Runs one command; whatever happens, the return value is an exit code of the table in the README."""
    output = _output(list(takewhile(lambda argument: argument != "--", arguments)))
    try:
        files.sweep()
        code = _run(arguments, output)
        output.close()
    except BaseException as error:
        return ending(error, output, arguments)
    return code


def _run(arguments: Sequence[str], output: Output) -> int:
    try:
        code: Any = root.main(list(arguments), prog_name="fineforge", obj=output, standalone_mode=False)
        output.stdout.flush()
    except BaseException as error:
        return ending(error, output, arguments)
    return code if isinstance(code, int) else 0


_STREAMING = (["apply"], ["destroy"], ["adopt"], ["forget"])


def _output(arguments: Sequence[str]) -> Output:
    """What a command line that cannot be parsed wants its problems written as."""
    pairs = [*pairwise(arguments)]
    json = (
        "--json" in arguments
        or "--output=json" in arguments
        or any(pair in (("--output", "json"), ("-o", "json")) for pair in pairs)
    )
    return Output(sys.stdout, sys.stderr, json=json, streams_events=arguments[:1] in _STREAMING)
