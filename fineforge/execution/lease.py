"""The apply lease: of two applies of one spec at one target, one writes at a time.

It is a lease of 60 seconds on a blob of the target's default datastore, renewed while its holder lives, so that it ends by itself
when the holder dies. It keeps fineforge out, and nobody else. How the storage is spoken to is behind `gateway.Leases`; who we
are, and who has died, is `fineforge.host.holder`.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.events import Outcome
from fineforge.core.gateway import Gateway, Leased, Leases, Workspace
from fineforge.core.plan import Plan
from fineforge.host import holder
from fineforge.host.holder import Holder

SECONDS = 60
"""The longest that a blob lease can be taken for, but for ever."""
RENEW_SECONDS = 15.0
"""Three renewals may fail before it is over."""
RENEWED_AT_ONCE = 8
"""Of an apply of many specs: a thousand are through in a few seconds."""
POLL_SECONDS = 3.0
"""Between two attempts to take one that somebody has."""
MARGIN = 5.0
"""Seconds before its end from which on it is not relied upon."""


def read_clocks() -> tuple[float, float]:
    """Return seconds by the monotonic and by the wall clock: one stands still in a machine that sleeps, the other may be set."""
    return time.monotonic(), time.time()


@dataclass(frozen=True, slots=True)
class Terms:
    """How an apply wants its lease."""

    wanted: bool = True
    """False: nothing keeps another apply out."""
    timeout: float = 0.0
    """Seconds to wait for whoever has it."""
    tell: Callable[[str], None] = lambda _: None
    """Gets what is to be known meanwhile: who is waited for, that it was lost."""
    renew_seconds: float = RENEW_SECONDS
    poll_seconds: float = POLL_SECONDS
    clocks: Callable[[], tuple[float, float]] = read_clocks


AT_ONCE = Terms()
"""Wanted, and not waited for."""


class Lease:
    """One that is held, and renewed together with the others of this process."""

    def __init__(self, attempt: _Attempt, waited: bool, asked: tuple[float, float]) -> None:
        """`asked`: when it was asked for; by the answer it has run for a while."""
        self.waited = waited
        """Whether somebody else had it before: then the world may not be what was planned for."""
        self.why: Diagnostic | None = None
        """FF531 once it is lost."""
        self.renew_seconds = attempt.terms.renew_seconds
        self._attempt = attempt
        self._renewing = threading.Lock()
        self._over = False
        self._good_since = asked

    def lost(self) -> bool:
        """Whether nothing new may be started. Asks the storage only where no renewal has come through for too long."""
        if self.why is None and self._stale():
            self.renew()
        return self.why is not None

    def stop(self) -> None:
        """No renewal is under way any more, and none will be: it can be given back."""
        with self._renewing:
            self._over = True

    def renew(self) -> None:
        """A renewal that gets no answer may be tried again as long as the lease lasts."""
        attempt = self._attempt
        with self._renewing:
            if self._over or self.why is not None:
                return
            asked = attempt.terms.clocks()
            try:
                ours, reason = attempt.leases.renew(attempt.name, attempt.lease), ""
            except FineforgeError as error:
                ours, reason = None, error.diagnostics[0].message
            if ours:
                self._good_since = asked
            elif ours is False or self._stale():
                self.why = _lost(attempt.name, reason or self._who_has_it())
                attempt.terms.tell(f"{self.why.message}; no new steps will start, running operations continue")

    def _stale(self) -> bool:
        """Return True if the lease may have ended by either clock."""
        now = self._attempt.terms.clocks()
        return max(read - then for read, then in zip(now, self._good_since, strict=True)) > SECONDS - MARGIN

    def _who_has_it(self) -> str:
        try:
            found = self._attempt.leases.read(self._attempt.name)
        except FineforgeError:
            return "somebody ended it"
        other = Holder.read(found.note) if found is not None and found.held else None
        return f"it is held by {other}" if other and other != self._attempt.mine else "somebody ended it"


class _Renewals:
    """One thread for all leases of this process, however many specs an apply is of; it lives as long as there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leases: set[Lease] = set()
        self._none_left = threading.Event()

    def begin(self, lease: Lease) -> None:
        with self._lock:
            self._leases.add(lease)
            if len(self._leases) == 1:
                self._none_left = threading.Event()
                arguments = (self._none_left, lease.renew_seconds)
                threading.Thread(target=self._keep, args=arguments, name="leases", daemon=True).start()

    def end(self, lease: Lease) -> None:
        lease.stop()
        with self._lock:
            self._leases.discard(lease)
            if not self._leases:
                self._none_left.set()

    def _keep(self, none_left: threading.Event, seconds: float) -> None:
        with ThreadPoolExecutor(RENEWED_AT_ONCE, thread_name_prefix="lease") as pool:
            while not none_left.wait(seconds):
                with self._lock:
                    held = list(self._leases)
                wait([pool.submit(lease.renew) for lease in held])


_RENEWALS = _Renewals()


@contextmanager
def ensured(
    lease: Terms | Lease, plan: Plan, spec: tuple[str, str], folder: Path, gateway: Gateway, stop: threading.Event
) -> Iterator[Lease | None]:
    """The lease that an apply of this plan goes by: the one that is held already, or one that is held as long as the block lasts.
    None where none is wanted, and where the plan writes nothing: then the lease of a run that was killed is released.
    `spec`: project and name. `stop` ends the wait for it.

    Raises FF530 where somebody has it (exit code 5, or 130 where the wait was interrupted), FF532 where the storage refuses.
    """
    if isinstance(lease, Lease):
        yield lease
    elif not lease.wanted:
        yield None
    elif not plan.writes:
        _release_dead(gateway, "/".join(spec))
        yield None
    else:
        name = "/".join(spec)
        mine = holder.this_process(plan.mode.value, folder)
        attempt = _Attempt(gateway.leases(), name, str(uuid.uuid4()), mine, lease, gateway.workspace, stop)
        with _held(attempt) as held:
            yield held


def judged(outcome: Outcome, leases: Sequence[Lease]) -> Outcome:
    """The outcome, and why steps of it were not started, where that was the loss of a lease."""
    lost = next((lease.why for lease in leases if lease.why), None)
    return replace(outcome, lost=lost) if lost and outcome.skipped else outcome


def held(gateway: Gateway, name: str = "") -> list[tuple[str, Holder]]:
    """Who holds what now, by `project/spec`: of one, or of all at the gateway's target."""
    leases = gateway.leases()
    found: list[Leased | None] = [leases.read(name)] if name else [*leases.list()]
    return [(entry.name, Holder.read(entry.note)) for entry in found if entry is not None and entry.held]


def end(gateway: Gateway, name: str) -> bool:
    """Ends a lease by hand, whoever has it; False where nobody has. Its holder starts nothing new as soon as it notices."""
    return gateway.leases().end(name)


@dataclass(frozen=True, slots=True)
class _Attempt:
    leases: Leases
    name: str
    """`project/spec`."""
    lease: str
    """An id made for this one apply."""
    mine: Holder
    terms: Terms
    workspace: Workspace
    stop: threading.Event

    @property
    def place(self) -> str:
        return _place(self.workspace, self.name)


def _place(workspace: Workspace, name: str) -> str:
    """Where a lease is, as holders note it on their machine."""
    return f"{workspace.id} {name}"


def _release_dead(gateway: Gateway, name: str) -> None:
    """Release the lease of a run that was killed on this machine: one that writes would take it over.

    A refusal of the storage is no reason to stop a run that writes nothing. The lease ends by itself, and the note of its holder
    stays for the next run.
    """
    for old in holder.died_here(_place(gateway.workspace, name)):
        with suppress(FineforgeError):
            gateway.leases().release(name, old)
            holder.forget(old)


@contextmanager
def _held(attempt: _Attempt) -> Iterator[Lease]:
    with holder.alive(attempt.lease, attempt.place):
        lease = _wait(attempt)
        try:
            attempt.leases.write(attempt.name, attempt.lease, attempt.mine.note())
            _RENEWALS.begin(lease)
            try:
                yield lease
            finally:
                _RENEWALS.end(lease)
        finally:
            _give_back(attempt)


def _give_back(attempt: _Attempt) -> None:
    """What cannot be given back ends by itself; that is no reason to call an apply failed."""
    try:
        attempt.leases.release(attempt.name, attempt.lease)
    except FineforgeError as error:
        attempt.terms.tell(f"{error.diagnostics[0].message}; the apply lease expires within {SECONDS} s")
    else:
        holder.forget(attempt.lease)


def _wait(attempt: _Attempt) -> Lease:
    """Takes the lease, waiting for it as long as the terms allow.

    Where the storage gives no answer it may be ours all the same: what we left on this machine stays, for the next one to find.
    """
    begin = asked = attempt.terms.clocks()
    told = None
    while (other := _take(attempt)) is not None:
        left = attempt.terms.timeout - (asked[0] - begin[0])
        if left <= 0 or attempt.stop.is_set():
            holder.forget(attempt.lease)
            raise FineforgeError(_taken(attempt, other), exit_code=130 if attempt.stop.is_set() else 5)
        if other != told:
            attempt.terms.tell(f"`{attempt.name}` is held by {other}; waiting up to {round(left)} s")
            told = other
        attempt.stop.wait(min(attempt.terms.poll_seconds, left))
        asked = attempt.terms.clocks()
    return Lease(attempt, told is not None, asked)


def _take(attempt: _Attempt) -> Holder | None:
    """None where it is ours now, else who has it. A holder who died on this machine need not be waited for."""
    leases, name, lease = attempt.leases, attempt.name, attempt.lease
    if leases.take(name, lease, SECONDS):
        return None
    for old in holder.died_here(attempt.place):
        over = leases.take_over(name, old, lease)
        holder.forget(old)
        if over:
            return None
    found = leases.read(name)
    return Holder.read(found.note if found is not None else {})


def _taken(attempt: _Attempt, other: Holder) -> Diagnostic:
    hint = (
        f"`--lock-timeout 5m` waits; a dead holder loses the lease within {SECONDS} s; `fineforge lease release SPEC` releases it"
    )
    return Diagnostic("FF530", f"`{attempt.name}` is being changed at `{attempt.workspace.target}` by {other}", hint=hint)


def _lost(name: str, reason: str) -> Diagnostic:
    hint = "check `fineforge status`, then run the same command again"
    return Diagnostic("FF531", f"the apply lease of `{name}` was lost: {reason}", hint=hint)
