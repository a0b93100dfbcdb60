"""`fineforge version`."""

from __future__ import annotations

from fineforge import __version__
from fineforge.cli import options
from fineforge.cli.output import Output


@options.command("Print the version; with --json also those of the main dependencies.")
@options.as_json
@options.streams
def command(output: Output) -> int:
    if output.json:
        from fineforge.documents.answers import Version

        output.answer(Version(__version__, _stands_on()))
    else:
        output.result(f"fineforge {__version__}")
    return 0


def _stands_on() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in ("azure-ai-ml", "azure-identity", "pydantic", "torch", "transformers"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found
