"""Variables: what the project file declares, what somebody gives, and what `${...}` in a value means.

Here belong the types of variables, the order in which values count, and references in texts. Which values of a spec hold
references is `fineforge.config.compose`'s; reading files and the environment is `fineforge.config.layers`'.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from fineforge.config import source
from fineforge.config.source import Source
from fineforge.config.validation import Shape, shown
from fineforge.core.diagnostics import Diagnostic, FineforgeError, did_you_mean
from fineforge.core.objects import SpecPath
from fineforge.core.redaction import hides

PREFIX = "FINEFORGE_VAR_"
"""An environment variable of this and a variable's name gives it a value."""
MAX_EXPANDED = 4 << 20
"""Characters that the references of one spec may expand to; a spec's own file has at most a quarter of that."""
MAX_CHAIN = 50
"""Variables that may refer to each other in a row."""


class Variable(Shape):
    """One that the project file declares. Without a default, somebody must give it where it is used."""

    type: Literal["string", "integer", "number", "boolean", "list", "mapping"] = "string"
    default: Any = None
    description: str = ""

    @property
    def has_default(self) -> bool:
        return "default" in self.model_fields_set


@dataclass(frozen=True, slots=True)
class Given:
    """What values somebody gave for this run."""

    options: Mapping[str, str] = field(default_factory=dict)
    """`--var`."""
    files: tuple[Source, ...] = ()
    """`--var-file`; of two that give one variable the later one counts."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Budget:
    """How much the references of one spec may still expand: characters and values that are read or written on the way."""

    left: int = MAX_EXPANDED

    def charge(self, amount: int) -> None:
        """Raise FF174 once nothing is left."""
        self.left -= amount
        if self.left < 0:
            raise _TooMuchError(f"the references expand to more than {MAX_EXPANDED:,} characters", "write the value out")


@dataclass(frozen=True, slots=True)
class Used:
    """A reference that stood in a value: `var.team`, and where its value is from."""

    reference: str
    origin: str


@dataclass(frozen=True, slots=True)
class Variables:
    """What references mean. What is given is taken literally: only a default may hold references itself."""

    declared: Mapping[str, Variable] = field(default_factory=dict)
    given: Given = field(default_factory=Given)
    source: Source | None = None
    """The project file, for places."""

    def problems(self) -> list[Diagnostic]:
        """What is wrong with what was given, whether or not it is used. The environment may hold what other projects declare."""
        found = [_undeclared(name, self.declared, "`--var` gives") for name in self.given.options if name not in self.declared]
        for file in self.given.files:
            unknown = [name for name in file.data if name not in self.declared]
            found += [replace(_undeclared(name, self.declared, ""), span=file.span((name,), key=True)) for name in unknown]
        for name, variable in self.declared.items():
            try:
                self._given(name, variable)
            except FineforgeError as error:
                found += error.diagnostics
        return found

    def fill(self, text: str, budget: Budget | None = None) -> tuple[Any, tuple[Used, ...]]:
        """A text with its references replaced; one that is the whole text keeps its type. Raises FF164 to FF169, FF173, FF174.

        Of the diagnostics those have no place that speak of the text itself. Texts of one spec share a `budget`.
        """
        return self._fill(text, (), budget or Budget())

    def _fill(self, text: str, trail: tuple[str, ...], budget: Budget) -> tuple[Any, tuple[Used, ...]]:
        budget.charge(len(text))
        parts: list[str] = []
        used: list[Used] = []
        found: list[Diagnostic] = []
        at = 0
        for match in _REFERENCE.finditer(text):
            parts.append(text[at : match.start()])
            at = match.end()
            if match.group() == "$${":
                parts.append("${")
                continue
            try:
                value, how = self._meaning(match, trail, budget)
                budget.charge(_size(value))
                if match.group() == text:
                    return value, (how,)
                parts.append(_inside(match.group(), value))
                used.append(how)
            except _TooMuchError:
                raise
            except FineforgeError as error:
                found += error.diagnostics
        if found:
            raise FineforgeError(*found)
        return "".join([*parts, text[at:]]), tuple(used)

    def _meaning(self, match: re.Match[str], trail: tuple[str, ...], budget: Budget) -> tuple[Any, Used]:
        """The value of one reference."""
        body = match.group("body")
        if body is None:
            raise _refusal("FF169", "`${` starts a reference that is not closed", "add `}`; write `$${` for a literal `${`")
        if variable := _VAR.fullmatch(body):
            value, origin = self._value(variable[1], trail, budget)
            return value, Used(f"var.{variable[1]}", origin)
        if asked := _ENV.fullmatch(body):
            text, origin = self._environment(asked[1], asked[2])
            return text, Used(f"env.{asked[1]}", origin)
        raise _refusal("FF169", f"`{match.group()}` is not a reference", _meant(body))

    def _environment(self, name: str, otherwise: str | None) -> tuple[str, str]:
        """A text of the environment; as in a shell, `:-` counts for an empty one too."""
        if hides(f"environment_variables.{name}"):
            hint = "plans and tags are widely readable; use the workspace's key vault or a managed identity"
            raise _refusal("FF173", f"`{name}` looks like a secret, and the values of a spec appear in plans", hint)
        value = self.given.environment.get(name)
        if otherwise is not None and not value:
            return otherwise, "default"
        if value is None:
            raise _refusal("FF168", f"environment variable `{name}` is not set", f"set it, or write `${{env.{name}:-DEFAULT}}`")
        return value, "environment"

    def _value(self, name: str, trail: tuple[str, ...], budget: Budget) -> tuple[Any, str]:
        """The value of a variable and where it is from."""
        variable = self.declared.get(name)
        if variable is None:
            raise FineforgeError(_undeclared(name, self.declared, ""))
        if name in trail:
            circle = " -> ".join(f"`{entry}`" for entry in (*trail[trail.index(name) :], name))
            raise _refusal("FF167", f"the variable `{name}` refers to itself: {circle}", "give one of them a literal value")
        if len(trail) >= MAX_CHAIN:
            raise _TooMuchError(f"a chain of more than {MAX_CHAIN} variables that refer to each other", "write the value out")
        given = self._given(name, variable)
        if given is not None:
            return given
        if not variable.has_default:
            meant = f": {variable.description}" if variable.description else ""
            hint = f"set it with `--var {name}=VALUE`, in a `--var-file`, or as {PREFIX}{name}"
            raise _refusal("FF165", f"the variable `{name}` has no value{meant}", hint)
        return self._default(name, variable, trail, budget), "default"

    def _given(self, name: str, variable: Variable) -> tuple[Any, str] | None:
        """What somebody gave, the strongest first: `--var`, `--var-file`, the environment. FF166 where it has another type."""
        if name in self.given.options:
            return _typed(self.given.options[name], variable, f"`--var {name}`"), "--var"
        for file in reversed(self.given.files):
            if name in file.data:
                span = file.span((name,))
                try:
                    return _checked(file.data[name], variable, f"the variable `{name}`"), f"{span.file}:{span.line}"
                except FineforgeError as error:
                    raise FineforgeError(*(replace(problem, span=span) for problem in error.diagnostics)) from None
        text = self.given.environment.get(PREFIX + name)
        return None if text is None else (_typed(text, variable, f"`{PREFIX}{name}`"), PREFIX + name)

    def _default(self, name: str, variable: Variable, trail: tuple[str, ...], budget: Budget) -> Any:
        """Its problems have their place in the project file. A text made of references is read as what was declared."""
        path: SpecPath = ("variables", name, "default")
        try:
            value, refers = self._filled(variable.default, (*trail, name), budget)
            what = f"the default of `{name}`"
            if refers and isinstance(value, str) and isinstance(variable.default, str):
                return _typed(value, variable, what)
            return _checked(value, variable, what)
        except _TooMuchError:  # the fault of no single default: it is placed at the text that asked
            raise
        except FineforgeError as error:
            if self.source is None:
                raise
            span = self.source.span(path)
            raise FineforgeError(*(p if p.span else replace(p, span=span) for p in error.diagnostics)) from None

    def _filled(self, value: Any, trail: tuple[str, ...], budget: Budget) -> tuple[Any, bool]:
        """A default with the references of all its texts replaced, and whether there were any."""
        if isinstance(value, str):
            filled, used = self._fill(value, trail, budget) if "${" in value else (value, ())
            return filled, bool(used)
        if isinstance(value, dict):
            return {key: self._filled(entry, trail, budget)[0] for key, entry in value.items()}, False
        return ([self._filled(entry, trail, budget)[0] for entry in value], False) if isinstance(value, list) else (value, False)


def declaration_problems(declared: Mapping[str, Variable]) -> Iterator[Diagnostic]:
    """What is wrong with declarations by themselves: names, and defaults without references whose type is another one."""
    for name, variable in declared.items():
        path: SpecPath = ("variables", name)
        if not _NAME.fullmatch(name):
            hint = "letters, digits and underscores, starting with a letter"
            yield Diagnostic("FF123", f"invalid variable name {shown(name)}", path=path, hint=hint)
        if variable.has_default and variable.default is not None and not _refers(variable.default):
            try:
                _checked(variable.default, variable, f"the default of `{name}`")
            except FineforgeError as error:
                yield from (replace(problem, path=(*path, "default")) for problem in error.diagnostics)


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<body>[^{}]*)\}|\$\{")
_VAR = re.compile(r"\s*var\.([A-Za-z][A-Za-z0-9_]*)\s*")
_ENV = re.compile(r"\s*env\.([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?\s*", re.DOTALL)

_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "text"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "list": ((list,), "a list"),
    "mapping": ((dict,), "a mapping of keys to values"),
}
"""A variable's type -> Python's, and in words."""


def _refers(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def _checked(value: Any, variable: Variable, what: str) -> Any:
    types, words = _TYPES[variable.type]
    if isinstance(value, types) and (variable.type == "boolean" or not isinstance(value, bool)):
        return value
    if variable.type == "string" and isinstance(value, bool | int | float):
        hint = "quote the value"
    else:
        hint = f"declared with `type: {variable.type}`"
    raise _refusal("FF166", f"{what} must be {words}, not {'nothing' if value is None else shown(value)}", hint)


def _typed(text: str, variable: Variable, what: str) -> Any:
    """A text of a command line or the environment as the type that was declared: YAML, but a string is taken as it is."""
    if variable.type == "string":
        return text
    try:
        data = source.load(f"value: {text}\n".encode(), what).data
    except FineforgeError:
        data = {}
    return _checked(data["value"] if data.keys() == {"value"} else text, variable, what)


def _inside(reference: str, value: Any) -> str:
    """A value within a text, as YAML writes it."""
    if isinstance(value, dict | list):
        raise _refusal(
            "FF166", f"`{reference}` is {shown(value)} and cannot be part of a text", "use the reference as the whole value"
        )
    return str(value).lower() if isinstance(value, bool) else str(value)


def _meant(body: str) -> str:
    """What to write instead of something that is no reference."""
    literal = "`$${` is a literal `${`"
    word = body.strip()
    if near := difflib.get_close_matches(word.partition(".")[0], ("var", "env"), 1, cutoff=0.5):
        rest = word.partition(".")[2]
        return f"did you mean `${{{near[0]}.{rest}}}`?" if rest else f"write `${{{near[0]}.NAME}}`; {literal}"
    return f"use `${{var.NAME}}` or `${{env.NAME}}`; {literal}"


def _undeclared(name: str, declared: Iterable[str], who: str) -> Diagnostic:
    hint = did_you_mean(name, declared, "declare it under `variables` in `fineforge.yaml`")
    message = f"{who} `{name}`, which is not a declared variable" if who else f"unknown variable `{name}`"
    return Diagnostic("FF164", message, hint=hint)


class _TooMuchError(FineforgeError):
    """FF174. Not collected with other problems: whatever is expanded after it would fail as well."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(Diagnostic("FF174", message, hint=hint))


def _size(value: Any) -> int:
    """Return how much of a budget a value takes: its characters, and one for each value in it."""
    if isinstance(value, dict):
        return 1 + sum(len(str(key)) + _size(entry) for key, entry in value.items())
    if isinstance(value, list):
        return 1 + sum(map(_size, value))
    return len(value) if isinstance(value, str) else 1


def _refusal(code: str, message: str, hint: str) -> FineforgeError:
    return FineforgeError(Diagnostic(code, message, hint=hint))
