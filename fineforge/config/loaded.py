"""A loaded spec as one value: its file, its parsed content, its project, its pins and the values given on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fineforge.config import names, project, source, spec
from fineforge.config import pins as locks
from fineforge.config.variables import Given
from fineforge.core.diagnostics import Diagnostic


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
    lock: locks.Lock = field(default_factory=lambda: locks.Lock(Path(names.LOCK_FILE)))
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
