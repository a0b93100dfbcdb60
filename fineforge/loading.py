"""A spec as it was read: its file, what it is composed of, its project and its lock; and as it is meant at a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fineforge import layers, observe, project, source, spec
from fineforge import lock as locks
from fineforge.composing import Composed
from fineforge.diagnostics import Diagnostic
from fineforge.variables import Given


@dataclass(frozen=True, slots=True)
class Loaded:
    """A spec as it was read."""

    path: Path
    spec: spec.Spec
    source: source.Source
    project: project.Project
    overrides: Mapping[str, Any]
    """`--set` parameters."""
    allow_outside: bool = False
    lock: locks.Lock = field(default_factory=lambda: locks.Lock(Path(locks.FILE_NAME)))
    pins: locks.Pins = field(default_factory=locks.Pins)
    """The lock's, of the target that is spoken of; none before a target is known."""
    given: Given | None = None
    """Variables."""

    @property
    def project_name(self) -> str:
        """The scope of ownership."""
        return self.project.name or self.spec.name

    @property
    def owner(self) -> tuple[str, str]:
        """Project and spec, as owner tags say them."""
        return self.project_name, self.spec.name

    @property
    def whose(self) -> str:
        """The same as one word: `project/spec`."""
        return "/".join(self.owner)

    def place(self, found: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
        """The diagnostics with their places in the spec's file."""
        return tuple(self.source.place(diagnostic) for diagnostic in found)


def load(
    path: Path,
    overrides: Mapping[str, Any] | None = None,
    allow_outside: bool = False,
    target: str | None = None,
    given: Given | None = None,
) -> Loaded:
    """Reads a spec and what it is composed of, as it is meant at a target. Raises FF1xx, every error at once.

    `overrides`: `--set`. `given`: variables (`fineforge.layers.read_given`); without, the environment alone gives some.
    """
    composed, where = layers.read(path, target, given)
    lock = locks.find(where.root)
    return Loaded(path, spec.parse(composed), composed, where, overrides or {}, allow_outside, lock, given=given)


def at(loaded: Loaded, target: str) -> Loaded:
    """The spec as it is meant at a target: under its overlay, and what it leaves open filled in from the lock file."""
    composed = loaded.source
    if isinstance(composed, Composed) and composed.target != target and composed.overlays:
        again = load(loaded.path, loaded.overrides, loaded.allow_outside, target, loaded.given)
        loaded = replace(loaded, spec=again.spec, source=again.source, project=again.project)
    pins = loaded.lock.at(target)
    name = observe.component_name(loaded.spec).name if loaded.spec.trains else ""
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
