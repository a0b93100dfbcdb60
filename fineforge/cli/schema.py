"""`fineforge schema`."""

from __future__ import annotations

from typing import Any

import click

from fineforge.cli import options
from fineforge.cli.output import Output


@options.command("""Print a JSON Schema: of a spec, of `plan --json`, of the events of `apply --json`, or of other answers.

Editors validate and complete a spec that starts with `# yaml-language-server: $schema=fineforge.schema.json`.""")
@click.argument("what", type=click.Choice(["spec", "plan", "events", "answers"]), default="spec")
@options.streams
def command(output: Output, what: str) -> int:
    from fineforge.documents.schemas import answers_schema, events_schema, plan_schema

    output.data({"spec": document, "plan": plan_schema, "events": events_schema, "answers": answers_schema}[what]())
    return 0


def document() -> dict[str, Any]:
    """The schema, from the models that read a spec."""
    from fineforge import __version__
    from fineforge.config.spec.schema import schema

    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema(), "title": f"fineforge spec ({__version__})"}
