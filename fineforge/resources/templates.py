"""Jinja to YAML to document. Sandboxed and strict: a template computes nothing but text, and a name that is missing is an error.

Templates come in as texts; reading them from disk is not done here.
"""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jinja2
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fineforge.config.source import LOADER
from fineforge.core.diagnostics import Diagnostic, FineforgeError, SourceSpan


class Templates:
    """The templates of one run, by file name; `folder` is where the project's own are, as messages say it."""

    def __init__(self, texts: Mapping[str, str], folder: str = "templates") -> None:
        self.texts, self.folder = dict(texts), folder
        self._environment = _environment(tuple(sorted(self.texts.items())))

    def render(self, name: str, variables: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Text and parsed document. Raises FF201 (template), FF202 (not YAML) or FF203 (no mapping), with the template's line."""
        text = self.text(name, variables)
        return text, self._parse(name, text)

    def text(self, name: str, variables: Mapping[str, Any]) -> str:
        """The text alone. Raises FF201."""
        try:
            return self._environment.get_template(name).render(variables)
        except jinja2.TemplateNotFound as error:
            message = f"there is no template {self._quoted(name, str(error.name))}"
            raise FineforgeError(Diagnostic("FF201", message)) from None
        except Exception as error:  # A template may raise anything at all; it must never be a traceback.
            raise FineforgeError(self._failed(name, error)) from None

    def _failed(self, name: str, error: Exception) -> Diagnostic:
        line = getattr(error, "lineno", None) or _template_line(error)
        return Diagnostic("FF201", f"template `{name}`: {self._words(error)}", span=self._span(name, line) if line else None)

    def _words(self, error: Exception) -> str:
        """Return what failed, without any value that the template computed: reversed or cut, no redaction would know a secret.

        Jinja's own words are kept where all that they quote is written in a template.
        """
        words = str(error).rstrip(".")
        if isinstance(error, jinja2.TemplateSyntaxError | ZeroDivisionError):
            return words
        written = isinstance(error, jinja2.TemplateRuntimeError | OverflowError)
        quoted = re.findall(r"'(.*?)'(?=[ .:]|\Z)", words, re.DOTALL)
        if written and words.count("'") == 2 * len(quoted) and all(self._is_written(part) for part in quoted):
            return words
        return f"an expression in it fails ({type(error).__name__})"

    def _is_written(self, word: str) -> bool:
        """Return True if a template of the run holds the word as it is, or it is a type of Python's that Jinja names."""
        if hasattr(builtins, word.removesuffix(" object")):
            return True
        return word.isidentifier() and any(re.search(rf"\b{re.escape(word)}\b", text) for text in self.texts.values())

    def _quoted(self, name: str, word: str) -> str:
        return f"`{word}`" if word in self.texts.get(name, "") else "of the name that it computes"

    def _parse(self, name: str, text: str) -> dict[str, Any]:
        try:
            document = yaml.load(text, Loader=LOADER)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" in line {mark.line + 1} of its output" if mark else ""
            raise FineforgeError(Diagnostic("FF202", f"template `{name}` does not give YAML{where}")) from None
        if not isinstance(document, dict):
            raise FineforgeError(Diagnostic("FF203", f"template `{name}` does not give a mapping"))
        return document

    def _span(self, name: str, line: int) -> SourceSpan:
        lines = self.texts.get(name, "").splitlines()
        snippet = lines[line - 1] if 0 < line <= len(lines) else ""
        return SourceSpan(f"{self.folder}/{name}", line, 1, line, len(snippet) + 1, snippet)


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, without the operators by which one short line asks for all the memory there is."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if not all(isinstance(side, int | float) and abs(side) <= LARGEST for side in (left, right)):
            raise jinja2.exceptions.SecurityError(f"`{operator}` is for numbers, and none that is too large")
        if operator == "**" and abs(right) > LARGEST_POWER:
            raise jinja2.exceptions.SecurityError("the exponent is too large")
        return super().call_binop(context, operator, left, right)


LARGEST, LARGEST_POWER = 2**53, 64
"""Of the numbers that a template may multiply; nothing in an Azure ML YAML comes near."""


@lru_cache(maxsize=16)
def _environment(texts: tuple[tuple[str, str], ...]) -> ImmutableSandboxedEnvironment:
    """Kept for as long as the texts are the same: compiling the templates costs more than everything else about a spec."""
    environment = _Environment(
        loader=jinja2.DictLoader(dict(texts)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters["tojson"] = yaml_json
    return environment


_UNSAFE = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")


@lru_cache(maxsize=4096)
def _scalar(value: str) -> str:
    """A JSON string, with the characters escaped that YAML calls unprintable or line breaks, or that turn writing round."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", json.dumps(value, ensure_ascii=False))


def yaml_json(value: Any) -> str:
    """JSON that YAML 1.1 reads back as the same value: PyYAML takes `5e-06` for text, so a float always has its dot."""
    if isinstance(value, str):
        return _scalar(value)
    if isinstance(value, float):
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(str(key))}: {yaml_json(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(yaml_json(entry) for entry in value) + "]"
    return json.dumps(str(value) if isinstance(value, jinja2.Undefined) else value)  # its text is the error that names it


def _template_line(error: BaseException) -> int | None:
    """Line of the innermost frame that lies in a template."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
