"""What tests make true of the emulated world: names that others took, quota, failures to come."""

from __future__ import annotations

from dataclasses import dataclass

from fineforge.emulator.models.base import Key
from fineforge.emulator.store import Store


@dataclass(frozen=True, slots=True)
class Planted:
    store: Store

    def name_taken(self, name: str) -> None:
        """Another tenant of the region has an endpoint of this name."""
        self.store.put("region_name", (name.lower(),), {"owner": "another tenant"})

    def failure(self, kind: str, path: Key, code: str, message: str) -> None:
        """The next long operation of this object fails so."""
        self.store.put("planted_failure", (kind, *path), {"code": code, "message": message})

    def quota(self, family: str, limit: int | None) -> None:
        """Cores of a VM family (`standardDSv2Family`); None: no entry. Also the names of `sizes.DEFAULT_LIMITS`."""
        self.store.put("quota", (family,), {"limit": limit})
