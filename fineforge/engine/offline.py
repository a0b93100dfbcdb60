"""What can be said of specs without a network: of each at every target that it is for, and of what they do to each other there.

What is said of one spec at one target is `engine.validate`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fineforge.config.loaded import Loaded
from fineforge.core.diagnostics import Diagnostic, FineforgeError, errors
from fineforge.core.facts import Facts
from fineforge.core.objects import Desired
from fineforge.engine import data as preparing
from fineforge.engine.desired import desired_objects
from fineforge.engine.loaded import at, only_target, parameters_of, targets, utc_today
from fineforge.engine.selection import Batch, Failures, conflicts
from fineforge.planner import checks
from fineforge.policies import rules
from fineforge.resources import facts as registry_facts
from fineforge.resources.parameters import Parameter


@dataclass(frozen=True, slots=True)
class Validated:
    """What can be said without a network."""

    parameters: Mapping[str, Parameter]
    facts: Facts
    diagnostics: tuple[Diagnostic, ...]


def validate(loaded: Loaded, target: str | None = None, today: str | None = None) -> Validated:
    """Every check that needs no network, against the dated snapshot of the catalog. Errors are in the result, none is raised."""
    target = target or only_target(loaded)
    loaded = at(loaded, target)
    found: list[Diagnostic] = []
    datasets = {}
    try:
        datasets = preparing.described(loaded)
    except FineforgeError as error:
        found += error.diagnostics
    facts, unknown = registry_facts.snapshot_facts(loaded.spec, today or utc_today(), datasets, "/offline", loaded.pins)
    found += unknown
    parameters, problems = parameters_of(loaded, facts)
    found += problems
    found += checks.check(loaded.spec, facts, parameters, target)
    found += [problem for book in rules.books(loaded.project) for problem in book.problems]
    if loaded.project.templates is not None and not errors(found):  # those that are shipped raise nothing; somebody's own may
        try:
            desired_objects(loaded, facts, parameters)
        except FineforgeError as error:
            found += error.diagnostics
    return Validated(parameters, facts, loaded.place(found))


def render(loaded: Loaded, target: str | None = None) -> tuple[Desired, ...]:
    """The YAML of every object, offline. Raises every error of the spec at once."""
    validated = validate(loaded, target)
    if broken := errors(validated.diagnostics):
        raise FineforgeError(*broken)
    loaded = at(loaded, target or only_target(loaded))
    return desired_objects(loaded, validated.facts, validated.parameters)


_GIVEN_THERE = frozenset({"FF165", "FF168"})
"""Who gives variables for the target that is meant may have others for the others."""


def validate_batch(batch: Batch, target: str | None = None, everywhere: bool = True) -> Failures:
    """What is wrong with each spec, by path: at `target`; without one at all that the spec is for, or, where `everywhere` is
    false, at the one that is meant when none is named. A problem of some targets only says of which."""

    def places(loaded: Loaded) -> tuple[str, ...]:
        return (target,) if target else targets(loaded) if everywhere else (only_target(loaded),)

    where = {loaded.path: places(loaded) for loaded in (*batch.specs, *batch.left)}
    said: dict[Path, dict[Diagnostic, list[str]]] = {loaded.path: {} for loaded in batch.specs}
    for name in dict.fromkeys(name for names in where.values() for name in names):
        for path, found in _there(batch, name, where).items():
            for diagnostic in found:
                said[path].setdefault(diagnostic, []).append(name)
    told = {path: tuple(_told(one, names, where[path]) for one, names in found.items()) for path, found in said.items()}
    return {**batch.failed, **told}


def _there(batch: Batch, target: str, where: Mapping[Path, Sequence[str]]) -> Failures:
    """At one target, of the specs that are looked at there."""
    known: dict[Path, Loaded] = {}
    failed: dict[Path, tuple[Diagnostic, ...]] = {}
    for loaded in (one for one in (*batch.specs, *batch.left) if target in where[one.path]):
        try:
            known[loaded.path] = at(loaded, target)
        except FineforgeError as error:
            is_meant = target == where[loaded.path][0]
            failed[loaded.path] = tuple(one for one in error.diagnostics if is_meant or one.code not in _GIVEN_THERE)
    specs, left = (tuple(known[one.path] for one in some if one.path in known) for some in (batch.specs, batch.left))
    clashes = conflicts(replace(batch, specs=specs, left=left), None)
    found = {one.path: (*validate(one, target).diagnostics, *clashes.get(one.path, ())) for one in specs}
    return found | {one.path: failed[one.path] for one in batch.specs if one.path in failed}


def _told(found: Diagnostic, names: Sequence[str], everywhere: Sequence[str]) -> Diagnostic:
    if len(names) == len(everywhere):
        return found
    return replace(found, message=f"{found.message} (at the target " + ", ".join(f"`{name}`" for name in names) + ")")
