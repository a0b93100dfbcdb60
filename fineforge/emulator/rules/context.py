"""What the rules of every kind work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fineforge.emulator.lifecycle import Lifecycle
from fineforge.emulator.rules.base import Settings
from fineforge.emulator.rules.operations import Operations
from fineforge.emulator.rules.runner import Runner
from fineforge.emulator.storage.blobs import BlobFolder
from fineforge.emulator.storage.store import Store


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    store: Store
    lifecycle: Lifecycle
    operations: Operations
    blobs: BlobFolder
    runner: Runner
    effects: list[Callable[[], None]] = field(default_factory=list)
    """Calls to the runner, made after the change is committed and outside the lock."""

    def now(self) -> str:
        return self.lifecycle.timestamp()

    def created(self) -> dict[str, Any]:
        """`systemData` of something new."""
        user = {"createdBy": self.settings.user, "createdByType": "User"}
        return {"createdAt": self.now(), **user, "lastModifiedAt": self.now()}
