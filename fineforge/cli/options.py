"""The options that several commands share, and the class of every command."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fineforge.cli.output import Output


class Command(click.Command):
    """A command whose stdout holds its results only: whatever libraries print lands on stderr, and what they log is not shown."""

    def invoke(self, ctx: click.Context) -> Any:
        _quieten_libraries()
        with contextlib.redirect_stdout(sys.stderr):
            return super().invoke(ctx)


def _quieten_libraries() -> None:
    """FINEFORGE_LOG=debug, info or warning shows what the libraries log; else errors reach the user as diagnostics only."""
    import logging
    import warnings

    level = os.environ.get("FINEFORGE_LOG", "").upper()
    if level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        from fineforge.host.secrets import Formatter

        logging.basicConfig(level=level, stream=sys.stderr)
        for handler in logging.getLogger().handlers:
            handler.setFormatter(Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    else:
        logging.getLogger().addHandler(logging.NullHandler())
        warnings.simplefilter("ignore")


def command(text: str) -> Callable[[Callable[..., int]], click.Command]:
    """Declares a command; `text` is its help."""
    return click.command(cls=Command, help=text, context_settings={"help_option_names": ["-h", "--help"]})


def _remember(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            setattr(ctx.obj, name, True)

    return callback


def streams(function: Callable[..., int]) -> Callable[..., int]:
    """`--no-color`; the function gets the `Output` first."""
    option = click.option(
        "--no-color", is_flag=True, expose_value=False, callback=_remember("no_colour"), help="Disable colors; same as NO_COLOR."
    )
    return option(click.pass_obj(function))


as_json = click.option(
    "--json", is_flag=True, expose_value=False, is_eager=True, callback=_remember("json"), help="Write JSON to stdout."
)


def output_as(*formats: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """`--output FORMAT`, and `--json` for the one that every command has."""

    def choose(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is None:
            return
        if ctx.obj.json and value != "json":
            raise click.BadParameter(f"`--json` and `--output {value}` are different formats")
        ctx.obj.format, ctx.obj.json = value, value == "json"

    choice = click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json", *formats]),
        expose_value=False,
        callback=choose,
        help="Output format; `--json` is short for `--output json`.",
    )
    return lambda function: as_json(choice(function))


class _File(click.Path):
    """A path that may be missing, but not empty: `""` would be the working directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("empty path: check that the shell variable is set", param, ctx)
        return super().convert(value, param, ctx)


path = _File(readable=False, path_type=Path)
path_or_dash = _File(readable=False, path_type=Path, allow_dash=True)


def _open_file(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None:
        from fineforge.host.files import Saving

        ctx.obj.saving = Saving(path)


json_into = click.option(
    "--json-into",
    type=path,
    metavar="FILE",
    expose_value=False,
    callback=_open_file,
    help="Also write the JSON to a file, complete or not at all.",
)
quiet = click.option(
    "-q", "--quiet", is_flag=True, expose_value=False, callback=_remember("quiet"), help="Show only results and problems."
)
specs = click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=path)
select = click.option(
    "--select",
    multiple=True,
    metavar="PATTERN",
    help="Only specs with this name, path, `tag:KEY=VALUE`, or `changed-since:REF`; repeatable.",
)
spec = click.argument("spec", type=path)
target = click.option(
    "-t", "--target", metavar="NAME", help="Target workspace; `local` is the emulator.  [env: FINEFORGE_TARGET]"
)
auto_approve = click.option("--auto-approve", is_flag=True, help="Apply without asking for confirmation.")
allow_outside = click.option("--allow-outside", is_flag=True, help="Allow files and links outside the project.")
retry_failed = click.option("--retry-failed", is_flag=True, help="Submit a failed or cancelled job again, as a new attempt.")


def pairs(values: tuple[str, ...], *prefixes: str) -> dict[str, str]:
    """`NAME=VALUE` by name, the values as they are. What may stand before a name is left out."""
    found = {}
    for entry in values:
        name, equals, value = entry.partition("=")
        name = name.strip()
        for prefix in prefixes:
            name = name.removeprefix(prefix)
        if not equals or not name:
            raise click.BadParameter(f"`{entry}` is not NAME=VALUE")
        found[name] = value
    return found


def _overrides(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Training parameters; the blocks' names may stand before them."""
    return {name: value.strip() for name, value in pairs(values, "training.", "optimization.").items()}


overrides = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_overrides,
    help="Override a training parameter; repeatable.",
)


def _seconds(_: click.Context, __: click.Parameter, value: str) -> float:
    """`30s`, `5m`, `1h30m`; a plain number is seconds."""
    found = re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s?)?", value)
    if not value or found is None:
        raise click.BadParameter(f"`{value}` is not a duration such as 30s, 5m or 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def lease(function: Callable[..., int]) -> Callable[..., int]:
    """`--lock` and `--lock-timeout`, as Terraform spells them."""
    keep = click.option(
        "--lock",
        type=bool,
        default=True,
        metavar="true|false",
        help="`false`: apply without a lease, if the storage is unreachable.",
    )
    wait = click.option(
        "--lock-timeout",
        callback=_seconds,
        default="0s",
        metavar="DURATION",
        help="Time to wait for another apply to end: 30s, 5m.",
    )
    return keep(wait(function))


def _variables(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    return pairs(values, "var.")


def variables(function: Callable[..., int]) -> Callable[..., int]:
    """`--var` and `--var-file`; the function gets what they and the environment give as `given`."""

    @functools.wraps(function)
    def with_given(*arguments: Any, var: dict[str, str], var_file: tuple[Path, ...], **others: Any) -> int:
        from fineforge.config import layers

        return function(*arguments, given=layers.read_given(var, var_file, bool(others.get("allow_outside"))), **others)

    said = "Set a variable of the project file; repeatable.  [env: FINEFORGE_VAR_<name>]"
    one = click.option("--var", multiple=True, metavar="NAME=VALUE", callback=_variables, help=said)
    many = click.option(
        "--var-file",
        multiple=True,
        type=path,
        metavar="FILE",
        help="YAML file with values of variables; the last file takes precedence.",
    )
    return one(many(with_given))


def kinds(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Callback of what takes kinds of objects: they are looked at when some are given, and not for `--help`."""
    if values:
        from fineforge.resources.kinds import KINDS

        if unknown := [kind for kind in values if kind not in KINDS]:
            raise click.BadParameter(f"`{unknown[0]}` must be one of {', '.join(KINDS)}")
    return values


def at_commit(function: Callable[..., int]) -> Callable[..., int]:
    """`--at`: the function gets `specs` as they were at that commit."""

    @functools.wraps(function)
    def with_commit(*arguments: Any, at: str | None, specs: tuple[Path, ...], **others: Any) -> int:
        if at is None:
            return function(*arguments, specs=specs, **others)
        from fineforge.host import git

        with git.at(at, specs) as there:
            return function(*arguments, specs=there, **others)

    words = "Use the specs and all their files as of a git commit, for example to roll back."
    return click.option("--at", metavar="COMMIT", help=words)(with_commit)


parallelism = click.option(
    "--parallelism",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    metavar="N",
    help="Maximum number of parallel steps.",
)


def prune(function: Callable[..., int]) -> Callable[..., int]:
    """`--prune` and `--allow-delete`."""
    allow = click.option("--allow-delete", is_flag=True, help="Confirm the deletions of --prune.")
    words = "Delete the project's objects that belong to no spec; needs --allow-delete."
    return click.option("--prune", is_flag=True, help=words)(allow(function))


def reading(function: Callable[..., int]) -> Callable[..., int]:
    """Give the function `--target`, `--set`, `--allow-outside` and the variables as one `SpecOptions`, named `reading`."""

    @functools.wraps(function)
    def with_options(*arguments: Any, **others: Any) -> int:
        from fineforge.config.loaded import SpecOptions

        values = {name: others.pop(name) for name in ("target", "overrides", "allow_outside", "given") if name in others}
        return function(*arguments, reading=SpecOptions(**values), **others)

    return with_options


def applying(function: Callable[..., int]) -> Callable[..., int]:
    """Give the function the options of `lease`, `--detach` and `--parallelism` as one `ApplyOptions`, named `applying`.

    The function writes an event stream. Goes below `streams`.
    """

    @functools.wraps(function)
    def with_options(output: Output, *, lock: bool, lock_timeout: float, **others: Any) -> int:
        from fineforge.cli.running import terms_of
        from fineforge.engine import ApplyOptions

        output.streams_events = True
        names = {"detach": "detach", "parallelism": "parallel"}
        values = {names[name]: others.pop(name) for name in names if name in others}
        return function(output, applying=ApplyOptions(lease=terms_of(output, lock, lock_timeout), **values), **others)

    return with_options


def confirm(output: Output, question: str) -> bool:
    """Ask on the terminal and return the answer. FF003 without one, since a prompt that no user sees hangs for ever."""
    from fineforge.core.diagnostics import Diagnostic, FineforgeError

    if not output.interactive:
        hint = "review `fineforge plan` first, then add `--auto-approve`"
        raise FineforgeError(Diagnostic("FF003", "cannot ask for confirmation: not running in a terminal", hint=hint))
    return click.confirm(question, default=False, err=True)
