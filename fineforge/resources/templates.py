"""Jinja to YAML to document. Sandboxed and strict: a template computes nothing but text, and a name that is missing is an error.

Templates come in as texts; reading them from disk is not done here.
"""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fineforge.config.source import LOADER, MAX_DEPTH, MAX_NODES
from fineforge.core.diagnostics import Diagnostic, FineforgeError, SourceSpan
from fineforge.host.worker import WorkerError

Run = Callable[..., list[Any]]
"""`fineforge.host.worker.run`."""


class Templates:
    """The templates of one run, by file name. `folder` is where the project's own are, as messages show it.

    With `run`, which works as `fineforge.host.worker.run`, templates are rendered by it: those of another author may take all the
    time and memory there is.
    """

    def __init__(self, texts: Mapping[str, str], folder: str = "templates", run: Run | None = None) -> None:
        self.texts, self.folder, self._run = dict(texts), folder, run

    def render(self, name: str, variables: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the text and the parsed document.

        Raises FF201 (the template fails), FF202 (not YAML), FF203 (not a mapping), FF207 (too much time or memory).
        """
        text = self.text(name, variables)
        try:
            return text, _parse(text)
        except _Problem as problem:
            raise FineforgeError(self._diagnostic(name, problem.code, problem.message)) from None

    def text(self, name: str, variables: Mapping[str, Any]) -> str:
        """Return the text alone. Raises FF201 or FF207, and the errors of `render` if templates are rendered by `run`."""
        if self._run is None:
            answer = _rendered(self.texts, name, variables)
        else:
            try:
                [answer] = self._run(renderer, self.texts, [(name, variables)])
            except WorkerError as stopped:
                raise FineforgeError(self._diagnostic(name, "FF207", str(stopped))) from None
        if isinstance(answer, str):
            return answer
        raise FineforgeError(self._diagnostic(name, *answer))

    def _diagnostic(self, name: str, code: str, message: str, line: int = 0) -> Diagnostic:
        words = f"template `{name}`{'' if code in _CONTINUING else ':'} {message}"
        return Diagnostic(code, words, span=self._span(name, line) if line else None)

    def _span(self, name: str, line: int) -> SourceSpan:
        lines = self.texts.get(name, "").splitlines()
        snippet = lines[line - 1] if 0 < line <= len(lines) else ""
        return SourceSpan(f"{self.folder}/{name}", line, 1, line, len(snippet) + 1, snippet)


_CONTINUING = ("FF202", "FF203", "FF207")
"""Codes whose message continues the sentence that begins with the template's name."""

_Answer = str | tuple[str, str, int]
"""A text, or a code, a message and a line (0 if it is not known)."""


@dataclass(frozen=True, slots=True)
class _Problem(Exception):
    code: str
    message: str


def renderer(texts: Mapping[str, str]) -> Callable[[tuple[str, Mapping[str, Any]]], _Answer]:
    """Return the function that renders a template, given its name and variables, and checks that its output can be parsed."""

    def render(item: tuple[str, Mapping[str, Any]]) -> _Answer:
        answer = _rendered(texts, *item)
        if isinstance(answer, str):
            try:
                if len(answer) > MAX_TEXT:
                    raise _Problem("FF207", f"produces more than {MAX_TEXT:,} characters")
                _check_size(_parse(answer))
            except _Problem as problem:
                return problem.code, problem.message, 0
        return answer

    return render


def _rendered(texts: Mapping[str, str], name: str, variables: Mapping[str, Any]) -> _Answer:
    try:
        return _environment(tuple(sorted(texts.items()))).get_template(name).render(variables)
    except MemoryError:
        raise
    except jinja2.TemplateNotFound as error:
        word = str(error.name)
        quoted = f"`{word}`" if word in texts.get(name, "") else "of the name that it computes"
        return "FF201", f"there is no template {quoted}", 0
    except Exception as error:  # A template may raise anything at all; it must never be a traceback.
        return "FF201", _explain(error, texts), getattr(error, "lineno", None) or _template_line(error) or 0


def _explain(error: Exception, texts: Mapping[str, str]) -> str:
    """Return what failed, without any value that the template computed: reversed or cut, no redaction would know a secret.

    Jinja's own message is kept where all that it quotes is written in a template.
    """
    message = str(error).rstrip(".")
    if isinstance(error, jinja2.TemplateSyntaxError | ZeroDivisionError):
        return message
    written = isinstance(error, jinja2.TemplateRuntimeError | OverflowError)
    quoted = re.findall(r"'(.*?)'(?=[ .:]|\Z)", message, re.DOTALL)
    if written and message.count("'") == 2 * len(quoted) and all(_is_written(part, texts) for part in quoted):
        return message
    return f"an expression in it fails ({type(error).__name__})"


def _is_written(word: str, texts: Mapping[str, str]) -> bool:
    """Return True if a template of the run contains the word, or it is a type of Python's that Jinja names."""
    if hasattr(builtins, word.removesuffix(" object")):
        return True
    return word.isidentifier() and any(re.search(rf"\b{re.escape(word)}\b", text) for text in texts.values())


MAX_TEXT = 1 << 20
"""Characters of a rendered template."""


def _parse(text: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, Loader=LOADER)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2026-99-99
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1} of its output" if mark else ""
        raise _Problem("FF202", f"does not give YAML{place}") from None
    if not isinstance(document, dict):
        raise _Problem("FF203", "does not give a mapping")
    return document


def _check_size(document: object) -> None:
    """Raise _Problem for a document that is nested too deep, or that aliases make too large or endless."""
    waiting, count = [(document, 1)], 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH:
            raise _Problem("FF207", f"gives YAML that is nested more than {MAX_DEPTH} deep")
        if count > MAX_NODES:
            raise _Problem("FF207", f"gives YAML of more than {MAX_NODES:,} values once its aliases are expanded")
        entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting += [(entry, depth + 1) for entry in entries]


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
