"""The apply leases of a batch: one for each spec whose plan writes, held until the apply is over."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fineforge.config.loaded import TargetedSpec
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.gateway import Gateway
from fineforge.core.plan import Plan
from fineforge.execution.lease import Lease, Terms, ensured


class Leases:
    """The leases that are held, and why others could not be acquired."""

    def __init__(self, gateway: Gateway, terms: Terms, stop: threading.Event, stack: ExitStack) -> None:
        self.held: dict[Path, Lease] = {}
        self.refused: dict[Path, FineforgeError] = {}
        self._gateway, self._terms, self._stop, self._stack = gateway, terms, stop, stack

    def acquire(self, plans: Sequence[tuple[TargetedSpec, Plan]]) -> bool:
        """Acquire the lease of every plan that writes, but for those tried before. Return True if another apply held one of them.

        Then the world may not be what was planned for: plan again, and acquire what the new plans need. Raises FineforgeError
        where none of the plans can be begun.
        """
        waited = False
        tried = self.held.keys() | self.refused.keys()
        missing = [(spec, plan) for spec, plan in plans if spec.path not in tried]
        for spec, plan in sorted(missing, key=lambda entry: entry[1].spec):  # In one order, or two applies wait for each other.
            try:
                wanted = ensured(self._terms, plan, spec.owner, spec.path.parent, self._gateway, self._stop)
                lease = self._stack.enter_context(wanted)
            except FineforgeError as error:
                self.refused[spec.path] = error
                continue
            if lease is not None:
                self.held[spec.path] = lease
                waited = waited or lease.waited
        if plans and all(spec.path in self.refused for spec, _ in plans):
            self.refuse_missing()
        return waited

    def refuse_missing(self) -> None:
        """Raise why a lease could not be acquired, if one could not: what is applied as a whole needs all of them."""
        if self.refused:
            raise all_of(self.refused)

    def lost(self) -> bool:
        """Return True if one of the leases was lost, so that no further step may start."""
        return any(lease.lost() for lease in self.held.values())


@contextmanager
def hold_leases(gateway: Gateway, terms: Terms, stop: threading.Event) -> Iterator[Leases]:
    """Hold the leases that the block acquires until it ends. `stop` ends a wait for one of them."""
    with ExitStack() as stack:
        yield Leases(gateway, terms, stop, stack)


def all_of(held_back: Mapping[Path, FineforgeError]) -> FineforgeError:
    """Return everything that holds specs back as one error, with the worst exit code."""
    codes = {error.exit_code for error in held_back.values()}
    worst = next(code for code in (130, 1, 5, 4, *codes) if code in codes)
    return FineforgeError(*(problem for error in held_back.values() for problem in error.diagnostics), exit_code=worst)
