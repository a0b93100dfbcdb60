"""`fineforge explain`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fineforge.cli import options
from fineforge.cli.output import Output

if TYPE_CHECKING:
    from fineforge.catalog.facts import ComponentFact, ModelFact
    from fineforge.config.variables import Given


@options.command("""Explain a spec, a model, a component or an error code.

\b
  fineforge explain specs/quickstart.yaml     values, parameters, origins
  fineforge explain model Phi-4               sizes, dates, defaults, twin
  fineforge explain chat_completion_pipeline  every input of a component
  fineforge explain FF120                     cause and fix""")
@click.argument("topic", nargs=-1, required=True)
@options.target
@options.overrides
@options.allow_outside
@options.variables
@options.as_json
@options.streams
def command(
    output: Output, topic: tuple[str, ...], target: str | None, overrides: dict[str, str], allow_outside: bool, given: Given
) -> int:
    from fineforge.core.diagnostics import Diagnostic, FineforgeError

    name = topic[-1] if topic[0] in ("model", "component", "spec") and len(topic) > 1 else topic[0]
    if re.fullmatch(r"FF\d{3}", name.upper()):
        return _code(output, name.upper())
    if topic[0] != "model" and ((name and os.path.lexists(name)) or name.endswith((".yaml", ".yml"))):
        return _spec(output, Path(name), target, overrides, allow_outside, given)
    if models := _models(name):
        return _model(output, models)
    if components := _components(name):
        return _component(output, components)
    raise FineforgeError(Diagnostic("FF005", f"nothing to explain under the name `{name}`", hint=_near(name)))


def _code(output: Output, code: str) -> int:
    from fineforge.core.codes import CODES
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.views.explain import write_code

    if code not in CODES:
        raise FineforgeError(Diagnostic("FF005", f"unknown code `{code}`", hint="docs/error-codes.md lists them all"))
    entry = CODES[code]
    if output.json:
        from fineforge.documents.answers import ExplainedCode

        output.answer(ExplainedCode(code, entry.title, entry.explanation))
    else:
        output.result(write_code(code, entry, output.paint))
    return 0


def _spec(output: Output, path: Path, target: str | None, overrides: dict[str, str], allow_outside: bool, given: Given) -> int:
    from fineforge import engine
    from fineforge.cli.failures import show
    from fineforge.config.compose import Composed
    from fineforge.core.diagnostics import Severity, errors
    from fineforge.views.explain import composition_data, parameter_data, write_composition, write_parameters

    loaded = engine.SpecFile.read(path, engine.SpecOptions(target, overrides, allow_outside, given))
    composed = loaded.source
    assert isinstance(composed, Composed), "every spec that was loaded is"
    found = engine.validate(loaded.at(composed.target))
    problems = [diagnostic for diagnostic in found.diagnostics if diagnostic.severity is not Severity.NOTE]
    if output.json:
        from fineforge.documents.answers import ExplainedSpec

        parameters = {name: parameter_data(entry) for name, entry in found.parameters.items()}
        output.answer(ExplainedSpec(composed.target, parameters, composition_data(composed)))
        return 1 if errors(problems) else 0
    parts = [write_composition(path.name, composed, output.paint)] if composed.is_composed else []
    output.result("\n\n".join([*parts, write_parameters(path.name, found.parameters, output.paint)]))
    if problems:
        show(problems, output)
    return 1 if errors(problems) else 0


def _models(name: str) -> list[ModelFact]:
    from fineforge.catalog import snapshot

    return [model for (known, _), model in snapshot.load().models.items() if known.lower() == name.lower()]


def _components(name: str) -> list[ComponentFact]:
    from fineforge.catalog import snapshot

    return [component for (known, _), component in snapshot.load().components.items() if known.lower() == name.lower()]


def _model(output: Output, models: list[ModelFact]) -> int:
    from fineforge.views.explain import write_model

    _result(output, models, [write_model(model, output.paint) for model in models])
    return 0


def _component(output: Output, components: list[ComponentFact]) -> int:
    from fineforge.views.explain import write_component

    _result(output, components, [write_component(component, output.paint) for component in components])
    return 0


def _result(output: Output, facts: list[Any], texts: list[str]) -> None:
    from dataclasses import asdict

    from fineforge.documents.answers import Facts

    if output.json:
        output.answer(Facts([asdict(fact) for fact in facts]))
    else:
        output.result("\n\n".join(texts))


def _near(name: str) -> str:
    from fineforge.catalog import snapshot

    catalog = snapshot.load()
    near = snapshot.near_names(name, [known for known, _ in [*catalog.models, *catalog.components]])
    if near:
        return "did you mean " + " or ".join(f"`{entry}`" for entry in dict.fromkeys(near)) + "?"
    return "a spec's file, a base model, a component, or a code such as FF120"
