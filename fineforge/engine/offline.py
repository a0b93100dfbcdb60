"""Validate and render specs without a network: each at every target that it is for, and held against the others there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fineforge.config.loaded import SpecFile, TargetedSpec
from fineforge.core.diagnostics import Diagnostic, FineforgeError, errors
from fineforge.core.facts import Facts
from fineforge.core.objects import Desired
from fineforge.engine import data
from fineforge.engine.desired import build_desired
from fineforge.engine.facts import check_facts, utc_today
from fineforge.engine.selection import Batch, Failures, TargetedBatch, conflicts
from fineforge.policies import rules
from fineforge.resources.facts import snapshot_facts
from fineforge.resources.naming import Identity
from fineforge.resources.parameters import Parameter


@dataclass(frozen=True, slots=True)
class Validated:
    """What is known of a spec without a network."""

    parameters: Mapping[str, Parameter]
    facts: Facts
    names: Identity
    diagnostics: tuple[Diagnostic, ...]


def validate(spec: TargetedSpec, today: str | None = None) -> Validated:
    """Run every check that needs no network, against the dated snapshot of the catalog. Errors are in the result."""
    problems: list[Diagnostic] = []
    datasets = {}
    try:
        datasets = data.described(spec)
    except FineforgeError as error:
        problems += error.diagnostics
    facts, unknown = snapshot_facts(spec.spec, today or utc_today(), datasets, "/offline", spec.pins)
    gathered = check_facts(spec, facts)
    problems += [*unknown, *gathered.diagnostics]
    problems += [problem for book in rules.books(spec.project) for problem in book.problems]
    names = gathered.identify(spec)
    if spec.project.templates is not None and not errors(problems):  # A project's own templates may be wrong.
        try:
            build_desired(spec, facts, gathered.parameters, names)
        except FineforgeError as error:
            problems += error.diagnostics
    return Validated(gathered.parameters, facts, names, spec.place(problems))


def render(spec: TargetedSpec) -> tuple[Desired, ...]:
    """Return the YAML of every object, without a network. Raises every error of the spec at once."""
    validated = validate(spec)
    if broken := errors(validated.diagnostics):
        raise FineforgeError(*broken)
    return build_desired(spec, validated.facts, validated.parameters, validated.names)


_VARIABLES = frozenset({"FF165", "FF168"})
"""Variables that have no value: a user who gives those of the default target may have others for the other targets."""


def validate_batch(batch: Batch, target: str | None = None, everywhere: bool = True) -> Failures:
    """Return what is wrong with each spec, by path: at `target`, or without one at every target that the spec is for.

    Where `everywhere` is false, only the default target is looked at. A problem of some targets only names them.
    """

    def targets(spec: SpecFile) -> tuple[str, ...]:
        return (target,) if target else spec.targets if everywhere else (spec.default_target,)

    by_path = {spec.path: targets(spec) for spec in (*batch.specs, *batch.left)}
    problems: dict[Path, dict[Diagnostic, list[str]]] = {spec.path: {} for spec in batch.specs}
    for name in dict.fromkeys(name for names in by_path.values() for name in names):
        for path, diagnostics in _validate_at(batch, name, by_path).items():
            for diagnostic in diagnostics:
                problems[path].setdefault(diagnostic, []).append(name)
    named = {path: tuple(_name_targets(one, at, by_path[path]) for one, at in some.items()) for path, some in problems.items()}
    return {**batch.failed, **named}


def _validate_at(batch: Batch, target: str, targets: Mapping[Path, tuple[str, ...]]) -> Failures:
    """Validate at one target the specs that are looked at there."""

    def here(specs: tuple[SpecFile, ...]) -> tuple[SpecFile, ...]:
        return tuple(spec for spec in specs if target in targets[spec.path])

    at = TargetedBatch.of(replace(batch, specs=here(batch.specs), left=here(batch.left), failed={}), target)
    clashes = conflicts(at, None)
    problems = {spec.path: (*validate(spec).diagnostics, *clashes.get(spec.path, ())) for spec in at.specs}
    for path, diagnostics in at.failed.items():
        is_default = target == targets[path][0]
        problems[path] = tuple(one for one in diagnostics if is_default or one.code not in _VARIABLES)
    return problems


def _name_targets(diagnostic: Diagnostic, names: list[str], everywhere: tuple[str, ...]) -> Diagnostic:
    if len(names) == len(everywhere):
        return diagnostic
    listed = ", ".join(f"`{name}`" for name in names)
    return replace(diagnostic, message=f"{diagnostic.message} (at the target {listed})")
