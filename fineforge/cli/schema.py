"""`fineforge schema`."""

from __future__ import annotations

from typing import Any

from fineforge.cli import options
from fineforge.cli.output import Output


@options.command("""Print the JSON Schema of a spec.

Editors check and complete a spec that begins with `# yaml-language-server: $schema=fineforge.schema.json`.""")
@options.streams
def command(output: Output) -> int:
    output.data(document())
    return 0


def document() -> dict[str, Any]:
    """The schema, from the models that read a spec."""
    from fineforge import __version__
    from fineforge.spec import Spec

    schema = Spec.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": f"fineforge spec ({__version__})"}
