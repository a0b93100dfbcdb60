"""Carrying out a plan: its steps as a graph, independent ones at the same time.

Every step reads its object again, stops where the world has moved since the plan, does at most one resource write, then waits.
Nothing is decided here: what a step does stands in the step. Losing a wait loses nothing; the next plan finds what goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, assert_never

from fineforge.core.chat import without_bytes
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.gateway import Gateway
from fineforge.core.objects import Observed, Raw, ResourceKey, Status
from fineforge.core.plan import Action, MetricCheck, Plan, Step
from fineforge.execution.follower import Follower
from fineforge.execution.gates import refusals
from fineforge.execution.races import find_winner
from fineforge.execution.schedule import INTERRUPTED, Detached, Listener, Moved, Refused, Schedule, Stopped, Unbegun
from fineforge.planner.attempts import fallback_after
from fineforge.resources import fields
from fineforge.resources.kinds import KINDS, child_kind


@dataclass(frozen=True, slots=True)
class Execution:
    """What the steps of one apply share."""

    gateway: Gateway
    uploads: Mapping[str, Path]
    """By where they go: the prepared files."""
    listener: Listener
    stop: threading.Event
    """Set: waits are given up; what was started goes on."""
    detach: bool = False
    """A job that runs is not waited for; everything that does not need it is done."""
    halted: Callable[[], bool] = lambda: False
    """Whether no further step may be started; those that run are waited for."""


def run(plan: Plan, execution: Execution, parallel: int = 8) -> Outcome:
    """Carry out every step whose needs are met. A failed branch stops no other branch: its dependents are skipped and named.

    Raise graphlib.CycleError where steps wait for each other; `check_plan` reports that before an apply.
    """
    state = Schedule.of(plan)
    finished: SimpleQueue[tuple[Step, BaseException | None]] = SimpleQueue()

    def submit(pool: ThreadPoolExecutor, step: Step) -> None:
        pool.submit(_carry_out, step, execution).add_done_callback(lambda future: finished.put((step, future.exception())))

    with ThreadPoolExecutor(parallel, thread_name_prefix="apply") as pool:
        running = 0
        while True:
            if not execution.stop.is_set() and not execution.halted():
                for step in state.start_ready():
                    submit(pool, step)
                    running += 1
            if not running:
                break
            step, error = finished.get()
            running -= 1
            state.record(step, error)
            if error is not None:
                state.skip_dependents(step, execution.listener)
    cause = INTERRUPTED if execution.stop.is_set() else "the apply lease, which was lost"
    return replace(state.outcome(plan, cause), detached=execution.detach and not execution.stop.is_set())


def _carry_out(step: Step, execution: Execution) -> None:
    """One step with its events. Whatever goes wrong leaves as an exception that `Schedule.record` understands."""
    begin = time.monotonic()

    def tell(kind: EventKind, message: str = "", diagnostic: Diagnostic | None = None) -> None:
        execution.listener(Event(kind, step, message, seconds=time.monotonic() - begin, diagnostic=diagnostic))

    tell(EventKind.STARTED)
    try:
        _act(step, execution)
    except Detached:
        tell(EventKind.DETACHED, "goes on by itself")
        raise
    except Unbegun:
        tell(EventKind.SKIPPED, "interrupted before it began")
        raise
    except Stopped:
        tell(EventKind.SKIPPED, "no longer waiting; it goes on by itself")
        raise
    except Refused as error:
        tell(EventKind.REFUSED, diagnostic=error.diagnostics[0])
        raise
    except FineforgeError as error:
        tell(EventKind.FAILED, diagnostic=error.diagnostics[0])
        raise
    tell(EventKind.DONE)


def _act(step: Step, execution: Execution) -> None:
    match step.action:
        case Action.NOOP | Action.READ:
            return
        case Action.CHECK:
            _check(step, execution)
        case Action.WAIT if step.expected == "absent":
            _until_gone(step, execution)
        case Action.WAIT:
            _wait(step, execution)
        case Action.CREATE | Action.NEW_VERSION:
            _create(step, execution)
        case Action.UPDATE:
            _update(step, execution)
        case Action.ARCHIVE | Action.RESTORE:
            _put_away(step, execution)
        case Action.CANCEL:
            _cancel(step, execution)
        case Action.DELETE:
            _delete(step, execution)
        case _:
            assert_never(step.action)


def _create(step: Step, execution: Execution) -> None:
    raw = execution.gateway.get(step.key)
    if raw is not None:
        raise Moved(Diagnostic("FF501", f"`{step.key}` exists by now; the plan was to create it", hint="plan again"))
    for upload in step.uploads:
        execution.gateway.upload(execution.uploads[upload.destination], upload.destination)
    if step.key.kind == "model" and (unseen := without_bytes(step, execution.gateway)):
        execution.listener(Event(EventKind.PROGRESS, step, unseen))
    try:
        _write(step, execution, lambda: execution.gateway.create(step.key, step.text))
        _wait(step, execution)
    except FineforgeError as error:
        fallback = fallback_after(step, error.diagnostics[0].message)
        if fallback is None:
            raise
        _fall_back(fallback, error.diagnostics[0], execution)


def _fall_back(step: Step, refusal: Diagnostic, execution: Execution) -> None:
    """The alternative that the plan showed: one more write. A refused create leaves a failed record that keeps the name
    (reported), and the walkthrough itself writes over it; where the service does not allow that, the next plan deletes it."""
    execution.listener(Event(EventKind.PROGRESS, step, f"refused: {refusal.message}; once more at low priority"))
    raw = execution.gateway.get(step.key)
    if raw is not None:
        have = KINDS[step.key.kind].observe(step.key, raw)
        if have.status is not Status.FAILED or have.owner is None:
            raise Moved(Diagnostic("FF501", f"`{step.key}` is not what was refused: {_as_it_is(step, have)}", hint="plan again"))
    execution.gateway.create(step.key, step.text)
    _wait(step, execution)


def _update(step: Step, execution: Execution) -> None:
    """Read, compare, change only our fields, write: the SDK's own entities would lose what they do not know."""
    raw = _still(step, execution)
    if raw is None:
        raise Moved(Diagnostic("FF501", f"`{step.key}` is gone; the plan was to update it", hint="plan again"))
    kind = KINDS[step.key.kind]
    have = kind.observe(step.key, raw)
    document = {**have.document, "tags": have.tags}  # our own tags too: `used-by` comes and goes by a change
    if any(not fields.is_before(document, change) for change in step.changes):
        words = f"`{step.key}` was changed since the plan was made: {_as_it_is(step, have)}"
        raise Moved(Diagnostic("FF501", words, hint="plan again"))
    _write(step, execution, lambda: execution.gateway.update(step.key, changed_body(step, raw)))
    _wait(step, execution)


def _write(step: Step, execution: Execution, send: Callable[[], None]) -> None:
    """Send the one write of a step. Raises Moved where another process changed the object after it was read for this step."""
    try:
        send()
    except FineforgeError as error:
        if overtaken := find_winner(step, execution.gateway, error.diagnostics[0]):
            raise Moved(overtaken) from None
        raise


def changed_body(step: Step, raw: Raw) -> dict[str, Any]:
    """Return the whole body to send back: what was read, with the step's changes and our owner tags."""
    kind = KINDS[step.key.kind]
    body = fields.patch(raw, [change for change in step.changes if not change.path.startswith("tags.")], kind.rules, step.tags)
    user = {change.path.removeprefix("tags."): change.after for change in step.changes if change.path.startswith("tags.")}
    fields.merge_tags(body, {key: "" if value is None else str(value) for key, value in user.items()})
    return body


def _put_away(step: Step, execution: Execution) -> None:
    """Into the archive, where what is gone need not go, or out of it."""
    raw = _still(step, execution)
    if raw is not None:
        execution.gateway.update(step.key, KINDS[step.key.kind].archive(raw, step.action is Action.ARCHIVE))
    elif step.action is Action.RESTORE:
        raise Moved(Diagnostic("FF501", f"`{step.key}` is gone; the plan was to restore it", hint="plan again"))


def _delete(step: Step, execution: Execution) -> None:
    raw = _still(step, execution)
    if raw is None:
        return
    if kind := child_kind(step.key.kind):
        _only_ours_inside(step, raw, kind, execution)
    _write(step, execution, lambda: execution.gateway.delete(step.key))
    _until_gone(step, execution)


def _only_ours_inside(step: Step, raw: Raw, kind: str, execution: Execution) -> None:
    """Deleting an endpoint deletes its deployments; what somebody else made in it since the plan, another spec too, must not go
    with it."""
    inside = execution.gateway.list(kind, step.key.name)
    ours = _whose(step.key, raw)
    strangers = [key.name for key, other in inside.items() if _whose(key, other) != ours]
    if strangers:
        names = ", ".join(f"`{name}`" for name in strangers)
        raise Moved(Diagnostic("FF501", f"`{step.key}` holds {names} by now, which is not this spec's", hint="plan again"))


def _whose(key: ResourceKey, raw: Raw) -> tuple[str, str] | None:
    owner = KINDS[key.kind].observe(key, raw).owner
    return (owner.project, owner.spec) if owner else None


def _cancel(step: Step, execution: Execution) -> None:
    raw = _still(step, execution)
    if raw is None or KINDS[step.key.kind].observe(step.key, raw).status is not Status.RUNNING:
        return
    execution.gateway.cancel(step.key)
    _settled(step, execution)


def _still(step: Step, execution: Execution) -> Raw | None:
    """The object's body, if it is what the plan was made for; None where it is gone. Raises Moved where it changed."""
    kind = KINDS[step.key.kind]
    raw = execution.gateway.get(step.key)
    if raw is not None and kind.observe(step.key, raw).status is Status.BUSY:
        try:
            raw = _settled(step, execution)
        except Stopped:
            raise Unbegun from None
    if raw is None:
        return None
    have = kind.observe(step.key, raw)
    if step.expected not in ("", "absent", have.fingerprint):
        words = f"`{step.key}` was changed since the plan was made: {_as_it_is(step, have)}"
        raise Moved(Diagnostic("FF501", words, hint="plan again"))
    return raw


def _as_it_is(step: Step, have: Observed) -> str:
    """What is other now, as far as the step tells what it was; else how the object is."""
    document = {**have.document, "tags": have.tags}
    for change in step.changes:
        if not fields.is_before(document, change):
            return f"`{change.path}` is `{fields.entry(document, change.path)}`, it was `{change.before}`"
    if have.status is Status.FAILED:
        return f"it has failed{': ' + have.message if have.message else ''}"
    if have.owner is None:
        return "it no longer carries the tags of fineforge"
    state = "archived" if have.archived else have.status.value
    return f"it is {state}, of the spec `{have.owner.spec}`, and some of its fields are others"


def _settled(step: Step, execution: Execution, follower: Follower | None = None) -> Raw | None:
    """The object once it is no longer busy, None when it is gone. Raises Stopped where the wait was given up, or not wanted."""
    detached = follower is not None and execution.detach
    tell = follower.follow if follower else _progress(step, execution)
    raw = execution.gateway.wait(step.key, tell, lambda: detached or execution.stop.is_set())
    if raw is not None and KINDS[step.key.kind].observe(step.key, raw).status in (Status.BUSY, Status.RUNNING):
        raise Detached if detached and not execution.stop.is_set() else Stopped
    return raw


def _wait(step: Step, execution: Execution) -> None:
    """Until the object is what it was made to be. A job tells its log and metrics meanwhile."""
    runs = KINDS[step.key.kind].is_followed and step.action is not Action.UPDATE
    follower = Follower(step, execution.gateway, execution.listener) if runs else None
    raw = _settled(step, execution, follower)
    if raw is None:
        raise FineforgeError(Diagnostic("FF502", f"`{step.key}` disappeared while it was waited for", hint="plan again"))
    if follower is not None:
        follower.end(raw)
    have = KINDS[step.key.kind].observe(step.key, raw)
    if have.status is Status.FAILED:
        raise FineforgeError(_failed(step.key, have.message))
    if have.status is Status.CANCELED:
        hint = "`fineforge apply --retry-failed` submits it again"
        raise FineforgeError(Diagnostic("FF504", f"`{step.key}` was cancelled", hint=hint))


def _until_gone(step: Step, execution: Execution) -> None:
    raw = _settled(step, execution)
    if raw is None:
        return
    have = KINDS[step.key.kind].observe(step.key, raw)
    if have.status is Status.FAILED:
        said = f": {have.message}" if have.message else ""
        raise FineforgeError(Diagnostic("FF503", f"`{step.key}` could not be deleted{said}", hint="plan again"))
    raise Moved(Diagnostic("FF501", f"`{step.key}` was being deleted, and is there again", hint="plan again"))


def _failed(key: ResourceKey, message: str) -> Diagnostic:
    said = f": {message}" if message else ""
    if KINDS[key.kind].is_followed:
        hint = "mend the cause, then `fineforge apply --retry-failed` submits it again"
        return Diagnostic("FF503", f"`{key}` failed{said}", hint=hint)
    return Diagnostic("FF503", f"`{key}` could not be provisioned{said}", hint="apply again: it is deleted and created")


def _progress(step: Step, execution: Execution) -> Callable[[Raw], None]:
    def tell(raw: Raw) -> None:
        properties = raw.get("properties") or {}
        execution.listener(
            Event(EventKind.PROGRESS, step, str(properties.get("provisioningState") or properties.get("status") or ""))
        )

    return tell


def _check(step: Step, execution: Execution) -> None:
    if reasons := refusals(step, execution.gateway):
        metrics = isinstance(step.gate, MetricCheck)
        left = "" if metrics else f"; `{step.key.name}` stays for the next try, and bills"
        what = "the model is not registered" if metrics else "no traffic is moved"
        hint = f"{what}; everything else is as it was before{left}"
        raise Refused(Diagnostic("FF510" if metrics else "FF511", "; ".join(reasons), path=step.path, hint=hint), exit_code=4)
