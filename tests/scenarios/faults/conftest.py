"""The quickstart against the emulator, as the invariants' tests have it; what an apply of it makes is made once per worker."""

from __future__ import annotations

from tests.scenarios.invariants.conftest import applied, applied_once, client, here, own_cache

__all__ = ["applied", "applied_once", "client", "here", "own_cache"]
