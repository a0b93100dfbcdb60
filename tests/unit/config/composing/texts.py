"""Layers from texts, for the tests of composition."""

from __future__ import annotations

import pytest

from fineforge.config import source
from fineforge.config.compose import Composed, Kind, Layer, compose
from fineforge.config.source import Source
from fineforge.config.variables import Given, Variable, Variables
from fineforge.core.diagnostics import Diagnostic, FineforgeError

KNOWN = ("local", "dev", "prod")
SPEC = """\
version: 1
name: support
component: {version: "0.0.82"}
model: {name: Phi-4, version: "8"}
dataset:
  source: data.jsonl
  splits: {train: {percent: 5}}
compute: {name: gpu, size: Standard_NC24ads_A100_v4}
register: {name: support}
"""


def parsed(text: str, file: str = "spec.yaml") -> Source:
    return source.load(text.encode(), file)


def project(text: str) -> Layer:
    return Layer(Kind.PROJECT, parsed("defaults:\n" + text, "fineforge.yaml"), ("defaults",))


def folder(text: str, name: str = "folder.yaml") -> Layer:
    return Layer(Kind.FOLDER, parsed(text, name))


def variables(declared: str = "", **given: object) -> Variables:
    """Declared as the project file has them; `options`, `files`, `environment` as they are given."""
    file = parsed(f"name: shop\nvariables:\n{declared}" if declared else "name: shop\n", "fineforge.yaml")
    entries = {name: Variable.model_validate(entry) for name, entry in file.data.get("variables", {}).items()}
    return Variables(entries, Given(**given), file)  # type: ignore[arg-type]


def made(text: str, *lower: Layer, target: str | None = None, values: Variables | None = None) -> Composed:
    return compose(parsed(text), lower, target, KNOWN, values or Variables())


def files(composed: Composed) -> tuple[str, ...]:
    """Those of its layers, lowest first."""
    return tuple(dict.fromkeys(layer.source.file for layer in composed.layers))


def refused(
    text: str, *lower: Layer, target: str | None = None, values: Variables | None = None
) -> dict[str, tuple[Diagnostic, ...]]:
    """The problems by code."""
    with pytest.raises(FineforgeError) as caught:
        made(text, *lower, target=target, values=values)
    found = caught.value.diagnostics
    return {problem.code: tuple(entry for entry in found if entry.code == problem.code) for problem in found}


def place(problem: Diagnostic) -> str:
    assert problem.span is not None, problem
    return f"{problem.span.file}:{problem.span.line}:{problem.span.column}"
