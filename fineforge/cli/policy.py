"""`fineforge policy test`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.engine.policy_cases import Result


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Try the project's rules about plans."""


@options.command("""Run the test cases of the project's rules, without a workspace.

FILE is a file in the folder `policies`; the default is all of them. Exit code 1 if a case fails or a rule is invalid.""")
@click.argument("files", metavar="[FILE...]", nargs=-1, type=options.path)
@options.allow_outside
@options.as_json
@options.streams
def test(output: Output, files: tuple[Path, ...], allow_outside: bool) -> int:
    from fineforge.documents.answers import PolicyCase, PolicyCases
    from fineforge.documents.diagnostics import problem
    from fineforge.engine import policy_cases
    from fineforge.views.diagnostics import write_all

    results, problems = policy_cases.run(files, allow_outside)
    everything = [*problems, *(found for result in results for found in result.problems)]
    if output.json:
        cases = [PolicyCase(str(result.file), result.name, result.passed, list(result.wrong)) for result in results]
        output.answer(PolicyCases(cases, [problem(found) for found in dict.fromkeys(everything)]))
    else:
        output.quote(_text(results))
        if everything:
            output.alert("\n" + write_all(everything, output.paint_aside))
    return 1 if everything or not all(result.passed for result in results) else 0


def _text(results: list[Result]) -> str:
    lines: list[str] = []
    file: Any = None
    for result in results:
        if result.file != file:
            lines += [""] * bool(lines) + [result.span.file]
            file = result.file
        lines.append(f"  {'pass' if result.passed else 'FAIL'}  {result.name}")
        lines += [f"        {words}" for words in result.wrong]
    failed = sum(not result.passed for result in results)
    return "\n".join([*lines, *([""] if lines else []), f"{len(results) - failed} passed, {failed} failed"])


group.add_command(test)
