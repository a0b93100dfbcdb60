"""`fineforge invoke`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.spec import Spec


def _settings(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """`NAME=VALUE`; a value that reads as JSON is a number or true or false, anything else is text."""
    found: dict[str, Any] = {}
    for entry in values:
        name, equals, value = entry.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"`{entry}` is not NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


@options.command("""Ask the deployed model, and print its answer.

Without MESSAGE the spec's first smoke request is sent; `-` reads the message from stdin.""")
@options.spec
@click.argument("message", required=False)
@options.target
@click.option("--system", metavar="TEXT", help="A system message to send first.")
@click.option("--deployment", metavar="NAME", help="Ask this deployment, whatever its traffic.")
@click.option("--param", "settings", multiple=True, metavar="NAME=VALUE", callback=_settings, help="A generation parameter.")
@options.as_json
@options.streams
def command(
    output: Output,
    spec: Path,
    message: str | None,
    target: str | None,
    system: str | None,
    deployment: str | None,
    settings: dict[str, Any],
) -> int:
    from fineforge import engine

    loaded = engine.load(spec)
    messages, sample = _sample(loaded.spec) if message is None else (_messages(message), {})
    if system is not None:
        messages = [{"role": "system", "content": system}, *messages]
    with engine.connect(loaded, target) as gateway:
        answer = engine.invoke(loaded, gateway, messages, {**sample, **settings}, deployment)
    if output.json:
        output.data({"messages": messages, "answer": answer})
    else:
        output.result(answer)
    return 0


def _messages(message: str) -> list[dict[str, str]]:
    text = sys.stdin.read().strip() if message == "-" else message
    return [{"role": "user", "content": text}]


def _sample(spec: Spec) -> tuple[list[dict[str, str]], dict[str, Any]]:
    if not spec.gates.smoke:
        raise click.UsageError("give a message: the spec has no `gates.smoke` to take one from")
    gate = spec.gates.smoke[0].model_dump(mode="json")
    return list(gate["messages"]), dict(gate["parameters"])
