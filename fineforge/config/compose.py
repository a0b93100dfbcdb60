"""One spec out of several layers: defaults of the project and of folders, the spec, the overlay of a target; variables filled in.

Every value keeps its place: what is said about the spec points to the file and the line that the value came from. Here belong
the layers and what may stand in them. How they are laid over each other is `fineforge.config.merge`, what `${...}` means
`fineforge.config.variables`; files are read by `fineforge.config.layers`.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain
from typing import Any

from fineforge.config.merge import BLOCKS, Merged
from fineforge.config.source import Source
from fineforge.config.spec import Spec
from fineforge.config.validation import dotted, known_keys, shown
from fineforge.config.variables import Budget, Used, Variables
from fineforge.core.diagnostics import Diagnostic, FineforgeError, SourceSpan, did_you_mean
from fineforge.core.objects import SpecPath

OVERLAYS = "overlays"


class Kind(StrEnum):
    PROJECT = "project defaults"
    FOLDER = "folder defaults"
    SPEC = "spec"
    OVERLAY = "overlay"


@dataclass(frozen=True, slots=True)
class Layer:
    """A partial spec, and where it stands."""

    kind: Kind
    source: Source
    prefix: SpecPath = ()
    """Where it begins in the file."""

    @property
    def data(self) -> Mapping[str, Any]:
        """What it says; nothing where it is no mapping, which is an error by itself."""
        data: Any = self.source.data
        for key in self.prefix:
            data = data.get(key) if isinstance(data, dict) else None
        return data if isinstance(data, dict) else {}

    @property
    def label(self) -> str:
        """`overlay prod`, `folder defaults`."""
        return f"{self.kind.value} {self.prefix[-1]}" if self.kind is Kind.OVERLAY else self.kind.value

    def span(self, path: SpecPath, *, key: bool = False) -> SourceSpan:
        return self.source.span((*self.prefix, *path), key=key)

    def place(self, diagnostic: Diagnostic, *, key: bool = False) -> Diagnostic:
        """The diagnostic about this layer's own path with its place in the file; one that has a place already keeps it."""
        return diagnostic if diagnostic.span else replace(diagnostic, span=self.span(diagnostic.path, key=key))


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one value of a composed spec is from."""

    path: SpecPath
    value: Any
    layer: Layer
    span: SourceSpan
    used: tuple[Used, ...] = ()
    """The references that stood there."""


@dataclass(frozen=True, slots=True)
class Composed(Source):
    """A spec's data as it is meant at a target. `file` and `lines` are the spec's own; places may be in other files."""

    target: str | None = None
    """None: no overlay was laid over."""
    layers: tuple[Layer, ...] = ()
    """Lowest first."""
    origins: Mapping[SpecPath, Layer] = field(default_factory=dict)
    """Path -> layer; what has no row here is from where the nearest row above it is."""
    used: Mapping[SpecPath, tuple[Used, ...]] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that the project's defaults name. They rank as a layer of their own: see `resources.parameters`."""
    apart: Mapping[SpecPath, Any] = field(default_factory=dict)
    """Those of `training` that no upper layer overrides, by path; they are not in `data`."""

    def span(self, path: SpecPath, *, key: bool = False) -> SourceSpan:
        """Where `path` stands, in whichever file that is."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]].span(path, key=key)
        return Source.span(self, path, key=key)

    @property
    def overlays(self) -> tuple[str, ...]:
        """The targets at which the spec is another one."""
        return next((overlay_targets(layer.source) for layer in self.layers if layer.kind is Kind.SPEC), ())

    @property
    def is_composed(self) -> bool:
        """Whether anything but the spec's own text counted."""
        return len(self.layers) > 1 or bool(self.used)

    def provenance(self) -> Iterator[Entry]:
        """Every value with its origin, in the order of a spec's keys; what the project's defaults add to its parameters too."""
        rank = {key: number for number, key in enumerate(known_keys(Spec, ()))}
        leaves = chain(_leaves(self.data, ()), self.apart.items())
        for path, value in sorted(leaves, key=lambda leaf: rank.get(str(leaf[0][0]), len(rank))):
            origin = next(self.origins[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.origins)
            used = chain.from_iterable(how for where, how in self.used.items() if where[: len(path)] == path[: len(where)])
            yield Entry(path, value, origin, origin.span(path), tuple(dict.fromkeys(used)))


def compose(parsed: Source, lower: Sequence[Layer], target: str | None, known: Collection[str], variables: Variables) -> Composed:
    """The spec as it is meant at `target`.

    `lower`: defaults, lowest first. `known`: the targets that an overlay may be for. Raises FineforgeError with every problem
    at once (FF120, FF122, FF162 to FF169, FF173, FF174), each in its file. A reference that an upper layer
    overrides may fail: nobody needs it.
    """
    layers = (*lower, Layer(Kind.SPEC, parsed), *_overlay(parsed, target))
    given, budget = variables.problems(), Budget()
    found = [*given, *_overlay_problems(parsed, target, known, variables, budget)]
    found += chain.from_iterable(layer_problems(layer) for layer in lower)
    used: list[dict[SpecPath, tuple[Used, ...]]] = [{} for _ in layers]
    filled = [_fill_layer(layer, variables, used[number], budget) for number, layer in enumerate(layers)]
    merged = Merged()
    for number, values in enumerate(filled):
        merged.lay(copy.deepcopy(values) if layers[number].kind is Kind.PROJECT else values, number)
    said = {problem.message for problem in given}
    found += [problem for problem in _unresolved(merged.data) if problem.message not in said]
    training, apart = _apart(layers, filled, merged)
    found += _not_scalar(apart, layers)
    if found:
        raise FineforgeError(*dict.fromkeys(found))
    return Composed(
        parsed.file,
        parsed.lines,
        merged.data,
        parsed.keys,
        parsed.values,
        target,
        layers,
        {path: layers[number] for path, number in merged.origins.items()},
        _surviving(used, merged),
        training,
        apart,
    )


def spec_targets(parsed: Source, lower: Sequence[Layer]) -> tuple[str, ...]:
    """The targets that a spec says it is for, before anything is composed; none where it says nothing, or nothing that fits."""
    for layer in (Layer(Kind.SPEC, parsed), *reversed(lower)):
        targets = layer.data.get("targets")
        if targets is not None:
            return tuple(name for name in targets if isinstance(name, str)) if isinstance(targets, list) else ()
    return ()


def overlay_targets(parsed: Source) -> tuple[str, ...]:
    """The targets that a spec has overlays for: what `validate` may want to look at as well."""
    overlays = parsed.data.get(OVERLAYS)
    return tuple(overlays) if isinstance(overlays, dict) else ()


def layer_problems(layer: Layer) -> list[Diagnostic]:
    """FF120 and FF162: keys that no spec knows, and those that belong into the spec itself."""
    known = [key for key in known_keys(Spec, ()) if key not in _OWN[layer.kind]]
    found = []
    for name in layer.data:
        if name in known:
            continue
        if reason := _OWN[layer.kind].get(name):
            problem = Diagnostic("FF162", f"`{name}` is not allowed in {_WHERE[layer.kind]}", path=(name,), hint=reason)
        else:
            hint = did_you_mean(name, known, "known here: " + ", ".join(f"`{key}`" for key in known))
            problem = Diagnostic("FF120", f"unknown key `{dotted((*layer.prefix, name))}`", path=(name,), hint=hint)
        found.append(layer.place(problem, key=True))
    return found


_IDENTITY = {
    "version": "set it in the spec",
    "name": "it identifies the spec and the owner of its objects; set it in the spec",
    OVERLAYS: "defaults apply to all targets; write overlays in a spec",
}
_OWN: Mapping[Kind, Mapping[str, str]] = {
    Kind.PROJECT: _IDENTITY,
    Kind.FOLDER: _IDENTITY,
    Kind.OVERLAY: {**_IDENTITY, "targets": "an overlay already applies to one target", OVERLAYS: "overlays cannot be nested"},
    Kind.SPEC: {},
}
"""Keys of a spec that may not stand in a layer, and why."""
_WHERE = {Kind.PROJECT: "defaults", Kind.FOLDER: "defaults", Kind.OVERLAY: "an overlay", Kind.SPEC: "a spec"}


@dataclass(frozen=True, slots=True)
class _Unresolved:
    """Stands for a value whose references failed."""

    problems: tuple[Diagnostic, ...]


def _overlay(parsed: Source, target: str | None) -> Iterator[Layer]:
    if target in overlay_targets(parsed):
        yield Layer(Kind.OVERLAY, parsed, (OVERLAYS, str(target)))


def _overlay_problems(
    parsed: Source, target: str | None, known: Collection[str], variables: Variables, budget: Budget
) -> Iterator[Diagnostic]:
    """What is wrong with the overlays of all targets, as far as it does not depend on values that are given."""
    overlays = parsed.data.get(OVERLAYS, {})
    if not isinstance(overlays, dict):
        yield _at(parsed, (OVERLAYS,), "FF122", f"`{OVERLAYS}` must be a mapping of targets to partial specs", "")
        return
    targets = parsed.data.get("targets")
    for name, partial in overlays.items():
        path: SpecPath = (OVERLAYS, name)
        if not isinstance(partial, dict):
            hint = "set one, or delete the key"
            said = "has no value" if partial is None else f"must be a mapping of keys to values, not {shown(partial)}"
            yield _at(parsed, path, "FF122", f"`{dotted(path)}` {said}", hint)
        elif name not in known:
            hint = did_you_mean(name, known, "known: " + ", ".join(f"`{entry}`" for entry in known))
            yield _at(parsed, path, "FF163", f"overlay for unknown target `{name}`", hint)
        elif isinstance(targets, list) and name not in targets:
            yield _at(parsed, path, "FF163", f"the overlay for `{name}` is never used: `targets` does not list it", "")
        layer = Layer(Kind.OVERLAY, parsed, path)
        yield from layer_problems(layer)
        if name != target:
            failed = _unresolved(_fill_layer(layer, variables, {}, budget))
            yield from (problem for problem in failed if problem.code in ("FF164", "FF169"))


def _at(parsed: Source, path: SpecPath, code: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(code, message, path=path, span=parsed.span(path, key=True), hint=hint)


def _fill_layer(layer: Layer, variables: Variables, used: dict[SpecPath, tuple[Used, ...]], budget: Budget) -> dict[str, Any]:
    """A copy of what the layer says, references replaced; `used` gets which ones stood where."""

    def fill(value: Any, path: SpecPath) -> Any:
        if isinstance(value, str):
            return text(value, path) if "${" in value else value
        if isinstance(value, dict):
            return {key: entry(key, inner, (*path, key)) for key, inner in value.items()}
        return [fill(inner, (*path, number)) for number, inner in enumerate(value)] if isinstance(value, list) else value

    def entry(key: str, value: Any, path: SpecPath) -> Any:
        if "${" not in key:
            return fill(value, path)
        problem = Diagnostic(
            "FF169", f"the key `{key}` cannot contain a reference", path=path, hint="only values can; write the key out"
        )
        return _Unresolved((layer.place(problem, key=True),))

    def text(value: str, path: SpecPath) -> Any:
        try:
            filled, how = variables.fill(value, budget)
        except FineforgeError as error:
            return _Unresolved(tuple(p if p.span else layer.place(replace(p, path=path)) for p in error.diagnostics))
        if how:
            used[path] = how
        return copy.deepcopy(filled) if isinstance(filled, dict | list) else filled

    own = OVERLAYS if layer.kind is Kind.SPEC else None
    return {key: entry(key, value, (key,)) for key, value in layer.data.items() if key != own}


def _unresolved(value: Any) -> Iterator[Diagnostic]:
    if isinstance(value, _Unresolved):
        yield from value.problems
    elif isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            if isinstance(entry, dict | list | _Unresolved):
                yield from _unresolved(entry)


def _apart(
    layers: Sequence[Layer], filled: Sequence[Mapping[str, Any]], merged: Merged
) -> tuple[dict[str, Any], dict[SpecPath, Any]]:
    """Takes the parameters of the project's defaults out of the result: what they say, and what is left of it."""
    number = next((number for number, layer in enumerate(layers) if layer.kind is Kind.PROJECT), None)
    training: dict[str, Any] = {}
    left: dict[SpecPath, Any] = {}
    for block in BLOCKS if number is not None else ():
        said, now = filled[number or 0].get(block), merged.data.get(block)
        for name, value in said.items() if isinstance(said, dict) and (block,) not in merged.taken else ():
            if (block, name) not in merged.taken and not isinstance(value, _Unresolved):
                training[name] = value
        if isinstance(now, dict):
            left |= {(block, name): value for name, value in now.items() if merged.origin((block, name)) == number}
            merged.data[block] = {name: value for name, value in now.items() if (block, name) not in left}
            if not merged.data[block] and merged.origins[(block,)] == number:
                del merged.data[block]
    return training, left


def _not_scalar(values: Mapping[SpecPath, Any], layers: Iterable[Layer]) -> Iterator[Diagnostic]:
    """FF122: parameters of the project's defaults that a variable made into something that no parameter can be."""
    project = next((layer for layer in layers if layer.kind is Kind.PROJECT), None)
    for path, value in values.items():
        if isinstance(value, dict | list) and project is not None:
            words = f"`{dotted(path)}` must be a number, text, true or false, not {shown(value)}"
            yield project.place(Diagnostic("FF122", words, path=path))


def _surviving(used: Sequence[Mapping[SpecPath, tuple[Used, ...]]], merged: Merged) -> dict[SpecPath, tuple[Used, ...]]:
    """The references of the values that count."""
    return {
        path: how for number, references in enumerate(used) for path, how in references.items() if merged.origin(path) == number
    }


def _leaves(value: Any, path: SpecPath) -> Iterator[tuple[SpecPath, Any]]:
    """Values by path; a list is one, as it is when layers are laid over each other."""
    if isinstance(value, dict) and value:
        for key, entry in value.items():
            yield from _leaves(entry, (*path, key))
    elif path:
        yield path, value
