"""A spec as one value: `SpecFile` as it was read, and `TargetedSpec` as it is meant at one target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fineforge.config import layers, names, pins, project, source, spec
from fineforge.config.compose import Composed
from fineforge.config.variables import Given
from fineforge.core.diagnostics import Diagnostic, FineforgeError


@dataclass(frozen=True, slots=True)
class SpecOptions:
    """How a user asks for specs to be read, whichever specs they are."""

    target: str | None = None
    """The target that specs are composed for. None: the project's own default."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Training parameters of `--set`."""
    allow_outside: bool = False
    """True if data files may lie outside the project."""
    given: Given | None = None
    """Values of variables. None: only the environment gives values."""


DEFAULTS = SpecOptions()


@dataclass(frozen=True, slots=True)
class _Spec:
    """What a spec has with and without a target."""

    path: Path
    spec: spec.Spec
    source: source.Source
    project: project.Project
    options: SpecOptions = DEFAULTS

    @property
    def project_name(self) -> str:
        """The scope of ownership."""
        return self.project.name or self.spec.name

    @property
    def owner(self) -> tuple[str, str]:
        """Project and spec, as owner tags name them."""
        return self.project_name, self.spec.name

    @property
    def whose(self) -> str:
        """The owner as one word: `project/spec`."""
        return "/".join(self.owner)

    def is_for(self, target: str) -> bool:
        """True if the spec names the target, or names no targets at all."""
        return self.spec.targets is None or target in self.spec.targets

    def place(self, diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
        """Return the diagnostics with their places in the spec's file."""
        return tuple(self.source.place(diagnostic) for diagnostic in diagnostics)

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Give the errors that the block raises their places in the spec's file."""
        try:
            yield
        except FineforgeError as error:
            raise FineforgeError(*self.place(error.diagnostics), exit_code=error.exit_code) from None


@dataclass(frozen=True, slots=True)
class TargetedSpec(_Spec):
    """A spec at one target: under the target's overlay, with the versions that it leaves open filled in from the lock file."""

    target: str = ""
    pins: pins.Pins = field(default_factory=pins.Pins)
    unpinned: spec.Spec | None = None
    """The spec before the lock file filled in versions."""

    @property
    def open_spec(self) -> spec.Spec:
        """The spec with the versions that its author left open still open."""
        return self.unpinned or self.spec


@dataclass(frozen=True, slots=True)
class SpecFile(_Spec):
    """A spec as it was read, composed for the target of `options`."""

    lock: pins.Lock = field(default_factory=lambda: pins.Lock(Path(names.LOCK_FILE)))

    @classmethod
    def read(cls, path: Path, options: SpecOptions = DEFAULTS) -> SpecFile:
        """Read a spec and what it is composed of. Raises FF1xx, every error at once."""
        composed, where = layers.read(path, options.target, options.given, options.allow_outside)
        return cls(path, spec.parse(composed), composed, where, options, pins.find(where.root, options.allow_outside))

    @property
    def targets(self) -> tuple[str, ...]:
        """Every target that the spec is for, the default one first."""
        known = [*self.project.targets, *(self.source.overlays if isinstance(self.source, Composed) else ())]
        return tuple(dict.fromkeys([self.default_target, *(name for name in known if self.is_for(name))]))

    @property
    def default_target(self) -> str:
        """The target where no other is named: the project's, or the first of the spec's own where that is not among them."""
        wanted = self.project.target(self.options.target)
        return wanted if self.options.target or self.is_for(wanted) else (self.spec.targets or (wanted,))[0]

    def at(self, target: str | None = None) -> TargetedSpec:
        """Return the spec at a target, or at its default one. Raises FF1xx where the target's overlay is wrong."""
        target, meant = target or self.default_target, self
        if isinstance(self.source, Composed) and self.source.target != target and self.source.overlays:
            meant = SpecFile.read(self.path, replace(self.options, target=target))
        pinned = self.lock.at(target)
        filled = pins.fill(meant.spec, pinned)
        return TargetedSpec(self.path, filled, meant.source, meant.project, self.options, target, pinned, meant.spec)
