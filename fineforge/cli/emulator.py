"""`fineforge emulator`: the local Azure ML, started, stopped, looked at, and lent to other programs."""

from __future__ import annotations

import subprocess

import click

from fineforge.cli.options import streams
from fineforge.cli.output import Output


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Run the local Azure ML: the official SDK drives it unmodified, and it really trains."""


@group.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port; a free one by default.")
@click.option(
    "--trainer", type=click.Choice(["real", "instant"]), help="`real` trains (default); `instant` trains nothing, for tests."
)
@click.option("--lifecycle", type=click.Choice(["instant", "timed", "stepped"]), default="instant", hidden=True)
@click.option("--test-hooks", is_flag=True, hidden=True)
@streams
def start(output: Output, port: int, trainer: str | None, lifecycle: str, test_hooks: bool) -> int:
    """Start it in the background, if it does not run."""
    from fineforge.host import emulator as local

    emulator = local.start(port, trainer or "", lifecycle, test_hooks)
    click.echo(f"the emulator is listening on {emulator.facts['host']}:{emulator.facts['port']}", output.stdout)
    click.echo("plan against it: fineforge plan SPEC --target local", output.stderr)
    return 0


@group.command()
@streams
def stop(output: Output) -> int:
    """Stop it; what it holds stays."""
    from fineforge.host import emulator as local

    click.echo("stopped" if local.stop() else "the emulator was not running", output.stdout)
    return 0


@group.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@streams
def status(output: Output, as_json: bool) -> int:
    """Whether it runs, and where."""
    from fineforge.documents.answers import EmulatorStatus
    from fineforge.host import emulator as local

    found = local.read()
    hidden = ("client_secret",)
    facts = {key: value for key, value in found.facts.items() if key not in hidden} if found else {}
    if as_json:
        output.answer(EmulatorStatus(found is not None), **facts)
    elif found is None:
        click.echo("not running; `fineforge emulator start` starts it", output.stdout)
    else:
        for key in ("host", "port", "pid", "trainer", "workspace", "started", "home"):
            click.echo(f"{key:10} {facts[key]}", output.stdout)
    return 0 if found else 1


@group.command()
@click.option("-n", "--lines", type=click.IntRange(1), default=50, show_default=True)
@streams
def logs(output: Output, lines: int) -> int:
    """The end of its own log."""
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.host import emulator as local

    file = local.log_file()
    if not file.exists():
        raise FineforgeError(Diagnostic("FF701", "the local emulator was never started on this machine"))
    for line in local.logged(0)[-lines:]:
        click.echo(line, output.stdout)
    return 0


@group.command()
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@streams
def reset(output: Output, auto_approve: bool) -> int:
    """Stop it and delete everything that it holds."""
    from fineforge.cli.options import confirm
    from fineforge.host import emulator as local

    if not auto_approve and not confirm(output, f"Delete everything in {local.home()}?"):
        return 1
    local.reset()
    click.echo("the emulator is empty", output.stdout)
    return 0


@group.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@streams
def execute(output: Output, command: tuple[str, ...]) -> int:
    """Run COMMAND with its Azure traffic led to the emulator: any script that uses the official SDK."""
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.host import emulator as local

    emulator = local.require()
    try:
        code = subprocess.run(list(command), env=local.environment(emulator), check=False).returncode
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise FineforgeError(Diagnostic("FF705", f"`{command[0]}` cannot be run: {words}")) from None
    # As shells do: 128 and the signal that ended it.
    return code if code >= 0 else 128 - code
