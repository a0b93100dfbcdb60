"""A spec as it was read: its file, what it is composed of, its project and its lock; and as it is meant at a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fineforge.config import layers, spec
from fineforge.config import pins as locks
from fineforge.config.compose import Composed
from fineforge.config.loaded import Loaded
from fineforge.config.variables import Given
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.facts import Facts
from fineforge.planner import checks
from fineforge.resources import facts as registry_facts
from fineforge.resources import parameters as params
from fineforge.resources.parameters import Parameter


@contextmanager
def placed(loaded: Loaded) -> Iterator[None]:
    """What is raised inside about a key of the spec gets its place in the file."""
    try:
        yield
    except FineforgeError as error:
        raise FineforgeError(*loaded.place(error.diagnostics), exit_code=error.exit_code) from None


def parameters_of(loaded: Loaded, facts: Facts) -> tuple[dict[str, Parameter], tuple[Diagnostic, ...]]:
    return params.resolve(loaded.spec, facts, loaded.project.training, loaded.overrides)


def refuse_target(loaded: Loaded, target: str) -> None:
    if found := checks.wrong_target(loaded.spec, target):
        raise FineforgeError(*loaded.place(found))


def utc_today() -> str:
    return datetime.now(UTC).date().isoformat()


def load(
    path: Path,
    overrides: Mapping[str, Any] | None = None,
    allow_outside: bool = False,
    target: str | None = None,
    given: Given | None = None,
) -> Loaded:
    """Reads a spec and what it is composed of, as it is meant at a target. Raises FF1xx, every error at once.

    `overrides`: `--set`. `given`: variables (`fineforge.config.layers.read_given`); without, the environment alone gives some.
    """
    composed, where = layers.read(path, target, given, allow_outside)
    lock = locks.find(where.root, allow_outside)
    return Loaded(path, spec.parse(composed), composed, where, overrides or {}, allow_outside, lock, given=given)


def at(loaded: Loaded, target: str) -> Loaded:
    """The spec as it is meant at a target: under its overlay, and what it leaves open filled in from the lock file."""
    composed = loaded.source
    if isinstance(composed, Composed) and composed.target != target and composed.overlays:
        again = load(loaded.path, loaded.overrides, loaded.allow_outside, target, loaded.given)
        loaded = replace(loaded, spec=again.spec, source=again.source, project=again.project)
    pins = loaded.lock.at(target)
    name = registry_facts.component_name(loaded.spec).name if loaded.spec.trains else ""
    return replace(loaded, spec=locks.fill(loaded.spec, pins, name), pins=pins)


def targets(loaded: Loaded) -> tuple[str, ...]:
    """Those that the spec is for: the one that is meant when none is named, then the project's others and those of overlays."""
    composed = loaded.source
    known = [*loaded.project.targets, *(composed.overlays if isinstance(composed, Composed) else ())]
    allowed = [name for name in known if loaded.spec.targets is None or name in loaded.spec.targets]
    return tuple(dict.fromkeys([only_target(loaded), *allowed]))


def only_target(loaded: Loaded) -> str:
    """The target of what is said without a workspace: the project's, or the spec's own where it is for others only."""
    allowed = loaded.spec.targets or ()
    wanted = loaded.project.target(None)
    return allowed[0] if allowed and wanted not in allowed else wanted
