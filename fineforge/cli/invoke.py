"""`fineforge invoke`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.config.spec import Spec
    from fineforge.config.variables import Given


def _settings(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    return {name: _value(text) for name, text in options.pairs(values).items()}


def _value(text: str) -> Any:
    """What reads as JSON is a number or true or false, anything else is text."""
    from fineforge.host.files import JsonError, JsonLimitError, parse_json

    try:
        return parse_json(text)
    except JsonLimitError as error:
        raise click.BadParameter(f"`{text[:40]}` cannot be sent: {error}") from None
    except JsonError:
        return text


@options.command("""Send a request to the deployed model and print its answer.

Without MESSAGE the spec's first smoke request is sent; `-` reads the message from stdin. The file of --file contains JSON: a list
of messages, or {"messages": [...], "parameters": {...}}.""")
@options.spec
@click.argument("message", required=False)
@options.target
@click.option("--file", type=options.path, metavar="FILE", help="File with the request as JSON.")
@click.option("--system", metavar="TEXT", help="System message to send first.")
@click.option("--deployment", metavar="NAME", help="Send the request to this deployment, regardless of traffic.")
@click.option("--param", "settings", multiple=True, metavar="NAME=VALUE", callback=_settings, help="A generation parameter.")
@options.as_json
@options.allow_outside
@options.variables
@options.streams
def command(
    output: Output,
    spec: Path,
    message: str | None,
    file: Path | None,
    target: str | None,
    system: str | None,
    deployment: str | None,
    settings: dict[str, Any],
    allow_outside: bool,
    given: Given,
) -> int:
    from fineforge import engine
    from fineforge.documents.answers import Invocation

    loaded = engine.SpecFile.read(spec, engine.SpecOptions(target, allow_outside=allow_outside, given=given))
    if message is not None and file is not None:
        raise click.UsageError("pass either MESSAGE or `--file`")
    messages, sample = (
        _request(file, allow_outside) if file else (_messages(message), {}) if message is not None else _sample(loaded.spec)
    )
    if system is not None:
        messages = [{"role": "system", "content": system}, *messages]
    with engine.connect(loaded, target) as gateway:
        answer = engine.invoke(loaded.at(gateway.workspace.target), gateway, messages, {**sample, **settings}, deployment)
    if output.json:
        output.answer(Invocation(messages, answer))
    else:
        output.quote(answer)
    return 0


def _messages(message: str) -> list[dict[str, str]]:
    text = sys.stdin.read().strip() if message == "-" else message
    return [{"role": "user", "content": text}]


def _request(file: Path, allow_outside: bool = False) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Messages and parameters of a request's file; what the registry's chat models take as a body is one, too."""
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.host.files import REQUEST, JsonError, read_json, shown_path

    try:
        told = read_json(file, REQUEST, allow_outside=allow_outside)
    except JsonError as error:
        raise FineforgeError(Diagnostic("FF008", f"`{shown_path(file)}` is not JSON: {error}")) from None
    if isinstance(told, dict) and isinstance(told.get("input_data"), dict):
        told = {"messages": told["input_data"].get("input_string"), "parameters": told["input_data"].get("parameters")}
    messages = told.get("messages") if isinstance(told, dict) else told
    parameters = (told.get("parameters") or {}) if isinstance(told, dict) else {}
    turns = messages if isinstance(messages, list) else []
    whole = bool(turns) and all(isinstance(turn, dict) and {"role", "content"} <= set(turn) for turn in turns)
    if not whole or not isinstance(parameters, dict):
        hint = 'a list of {"role", "content"}, or {"messages": [...], "parameters": {...}}'
        raise FineforgeError(Diagnostic("FF008", f"`{shown_path(file)}` is not a valid request", hint=hint))
    return [{"role": str(turn["role"]), "content": str(turn["content"])} for turn in turns], parameters


def _sample(spec: Spec) -> tuple[list[dict[str, str]], dict[str, Any]]:
    if not spec.gates.smoke:
        raise click.UsageError("pass MESSAGE or `--file`: the spec has no `gates.smoke` to take a request from")
    gate = spec.gates.smoke[0].model_dump(mode="json")
    return list(gate["messages"]), dict(gate["parameters"])
