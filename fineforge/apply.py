"""Carrying out a plan: its steps as a graph, independent ones at the same time.

Every step reads its object again, stops where the world has moved since the plan, does at most one resource write, then waits.
Nothing is decided here: what a step does stands in the step. Losing a wait loses nothing; the next plan finds what goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, assert_never

import yaml

from fineforge import fields, ownership
from fineforge.core import Action, Event, EventKind, Outcome, Plan, Raw, ResourceKey, Status, Step
from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.gateway import Gateway
from fineforge.kinds import KINDS
from fineforge.planner.gates import judge
from fineforge.spec import MetricGate

Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What the steps of one apply share."""

    gateway: Gateway
    uploads: Mapping[str, Path]
    """By split: the prepared files."""
    listener: Listener
    stop: threading.Event
    """Set: waits are given up; what was started goes on."""


class _Moved(FineforgeError):
    """The world is not what the plan was made for."""


class _Refused(FineforgeError):
    """A gate said no."""


class _Stopped(Exception):
    """The wait was given up."""


def run(plan: Plan, job: Job, parallel: int = 8) -> Outcome:
    """Carries out every step whose needs are met. A failed branch stops no other; what waited for it is skipped and named."""
    state = _State({step.id: step for step in plan.steps})
    with ThreadPoolExecutor(parallel, thread_name_prefix="apply") as pool:
        running: dict[Future[None], Step] = {}
        while True:
            if not job.stop.is_set():
                for step in state.ready():
                    running[pool.submit(_carry_out, step, job)] = step
            state.skip_the_hopeless(job.listener)
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                state.record(running.pop(future), future.exception())
    return state.outcome(plan)


@dataclass(slots=True)
class _State:
    """Which steps are done, failed, refused, skipped, or still to come."""

    todo: dict[str, Step]
    started: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    failed: dict[str, Diagnostic] = field(default_factory=dict)
    refused: dict[str, Diagnostic] = field(default_factory=dict)
    moved: dict[str, Diagnostic] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)

    def ready(self) -> list[Step]:
        """Steps whose needs are all done, taken off the list."""
        found = [step for step in self.todo.values() if all(need in self.done for need in _needs(step))]
        for step in found:
            del self.todo[step.id]
        return found

    def record(self, step: Step, error: BaseException | None) -> None:
        match error:
            case None:
                self.done.append(step.id)
            case _Stopped():
                self.given_up.append(step.id)
            case _Moved():
                self.moved[step.id] = error.diagnostics[0]
            case _Refused():
                self.refused[step.id] = error.diagnostics[0]
            case FineforgeError():
                self.failed[step.id] = error.diagnostics[0]
            case _:
                self.failed[step.id] = Diagnostic("FF500", f"`{step.key}`: {type(error).__name__}: {error}")

    def skip_the_hopeless(self, listener: Listener) -> None:
        """Steps that wait for something that will not come."""
        lost = {*self.failed, *self.refused, *self.moved, *self.skipped, *self.given_up}
        while hopeless := [step for step in self.todo.values() if any(need in lost for need in _needs(step))]:
            for step in hopeless:
                cause = next(need for need in _needs(step) if need in lost)
                self.skipped[step.id] = cause
                lost.add(step.id)
                del self.todo[step.id]
                listener(Event(EventKind.SKIPPED, step, f"waits for `{cause}`"))

    def outcome(self, plan: Plan) -> Outcome:
        for step in self.todo.values():
            self.skipped[step.id] = "the interruption"
        return Outcome(plan, tuple(self.done), self.failed, self.refused, self.skipped, tuple(self.given_up), self.moved)


def _needs(step: Step) -> tuple[str, ...]:
    return (*step.depends_on, *((step.only_if,) if step.only_if else ()))


def _carry_out(step: Step, job: Job) -> None:
    """One step with its events. Whatever goes wrong leaves as an exception that `_State.record` understands."""
    begin = time.monotonic()

    def tell(kind: EventKind, message: str = "", diagnostic: Diagnostic | None = None) -> None:
        job.listener(Event(kind, step, message, seconds=time.monotonic() - begin, diagnostic=diagnostic))

    tell(EventKind.STARTED)
    try:
        _act(step, job)
    except _Stopped:
        tell(EventKind.SKIPPED, "no longer waiting; it goes on by itself")
        raise
    except _Refused as error:
        tell(EventKind.REFUSED, diagnostic=error.diagnostics[0])
        raise
    except FineforgeError as error:
        tell(EventKind.FAILED, diagnostic=error.diagnostics[0])
        raise
    tell(EventKind.DONE)


def _act(step: Step, job: Job) -> None:
    match step.action:
        case Action.NOOP | Action.READ:
            return
        case Action.CHECK:
            _check(step, job)
        case Action.WAIT if step.expected == "absent":
            _until_gone(step, job)
        case Action.WAIT:
            _wait(step, job)
        case Action.CREATE | Action.NEW_VERSION:
            _create(step, job)
        case Action.UPDATE:
            _update(step, job)
        case Action.ARCHIVE | Action.RESTORE:
            raw = _still(step, job)
            if raw is not None:
                job.gateway.update(step.key, KINDS[step.key.kind].archive(raw, step.action is Action.ARCHIVE))
        case Action.CANCEL:
            _cancel(step, job)
        case Action.DELETE:
            if _still(step, job) is not None:
                job.gateway.delete(step.key)
                job.gateway.wait(step.key, _progress(step, job), job.stop.is_set)
        case _:
            assert_never(step.action)


def _create(step: Step, job: Job) -> None:
    raw = job.gateway.get(step.key)
    if raw is not None:
        raise _Moved(Diagnostic("FF501", f"`{step.key}` exists by now; the plan was to create it", hint="plan again"))
    for upload in step.uploads:
        job.gateway.upload(job.uploads[upload.split], upload.destination)
    job.gateway.create(step.key, step.text)
    _wait(step, job)


def _update(step: Step, job: Job) -> None:
    """Read, compare, change only our fields, write: the SDK's own entities would lose what they do not know."""
    raw = _still(step, job)
    if raw is None:
        raise _Moved(Diagnostic("FF501", f"`{step.key}` is gone; the plan was to update it", hint="plan again"))
    kind = KINDS[step.key.kind]
    have = kind.observe(step.key, raw)
    document = {**have.document, "tags": have.tags}  # our own tags too: `used-by` comes and goes by a change
    for change in step.changes:
        live = fields.get(document, change.path) if "." not in change.path else _entry(document, change.path)
        if not _same(live, change.before):
            words = f"`{step.key}`: `{change.path}` is `{live}` by now, it was `{change.before}` when the plan was made"
            raise _Moved(Diagnostic("FF501", words, hint="plan again"))
    job.gateway.update(step.key, _body(step, raw))
    _wait(step, job)


def _body(step: Step, raw: Raw) -> dict[str, Any]:
    """The whole body to send back. Our tags go along where the step carries the rendered text that has them."""
    kind = KINDS[step.key.kind]
    tags: dict[str, str] = {}
    if step.text:
        rendered = (yaml.safe_load(step.text) or {}).get("tags") or {}
        tags = {key: str(value) for key, value in rendered.items() if ownership.is_owner_tag(key)}
    body = fields.patch(raw, [change for change in step.changes if not change.path.startswith("tags.")], kind.rules, tags)
    user = {change.path.removeprefix("tags."): change.after for change in step.changes if change.path.startswith("tags.")}
    fields.merge_tags(body, {key: "" if value is None else str(value) for key, value in user.items()})
    return body


def _cancel(step: Step, job: Job) -> None:
    raw = _still(step, job)
    if raw is None or KINDS[step.key.kind].observe(step.key, raw).status is not Status.RUNNING:
        return
    job.gateway.cancel(step.key)
    job.gateway.wait(step.key, _progress(step, job), job.stop.is_set)


def _still(step: Step, job: Job) -> Raw | None:
    """The object's body, if it is what the plan was made for; None where it is gone. Raises _Moved where it changed."""
    kind = KINDS[step.key.kind]
    raw = job.gateway.get(step.key)
    if raw is not None and kind.observe(step.key, raw).status is Status.BUSY:
        raw = job.gateway.wait(step.key, _progress(step, job), job.stop.is_set)
    if raw is None:
        return None
    have = kind.observe(step.key, raw)
    if step.expected not in ("", "absent", have.fingerprint):
        raise _Moved(Diagnostic("FF501", f"`{step.key}` was changed since the plan was made", hint="plan again"))
    return raw


def _wait(step: Step, job: Job) -> None:
    """Until the object is what it was made to be. A job tells its log and metrics meanwhile."""
    tail = _Tail(step, job) if step.key.kind == "job" else None
    raw = job.gateway.wait(step.key, tail.follow if tail else _progress(step, job), job.stop.is_set)
    if raw is None:
        raise FineforgeError(Diagnostic("FF502", f"`{step.key}` disappeared while it was waited for"))
    if tail is not None:
        tail.follow(raw)
    have = KINDS[step.key.kind].observe(step.key, raw)
    match have.status:
        case Status.READY | Status.COMPLETED:
            return
        case Status.FAILED:
            raise FineforgeError(_failed(step.key, have.message))
        case Status.CANCELED:
            raise FineforgeError(
                Diagnostic("FF504", f"`{step.key}` was cancelled", hint="`fineforge apply --retry-failed` submits it again")
            )
        case Status.BUSY | Status.RUNNING:
            raise _Stopped


def _until_gone(step: Step, job: Job) -> None:
    raw = job.gateway.wait(step.key, _progress(step, job), job.stop.is_set)
    if raw is None:
        return
    if KINDS[step.key.kind].observe(step.key, raw).leaving:
        raise _Stopped
    raise _Moved(Diagnostic("FF501", f"`{step.key}` was being deleted, and is there again", hint="plan again"))


def _failed(key: ResourceKey, message: str) -> Diagnostic:
    said = f": {message}" if message else ""
    if key.kind == "job":
        hint = "mend the cause, then `fineforge apply --retry-failed` submits it again"
        return Diagnostic("FF503", f"`{key}` failed{said}", hint=hint)
    return Diagnostic("FF503", f"`{key}` could not be provisioned{said}", hint="apply again: it is deleted and created")


class _Tail:
    """Follows a job's log and metrics while it runs. What cannot be read now is read later; it never ends the wait."""

    def __init__(self, step: Step, job: Job) -> None:
        self._step, self._job = step, job
        self._offset = 0
        self._state = ""

    def follow(self, raw: Raw) -> None:
        state = str((raw.get("properties") or {}).get("status") or "")
        if state != self._state:
            self._state = state
            self._job.listener(Event(EventKind.PROGRESS, self._step, state))
        try:
            text, self._offset = self._job.gateway.read_log(self._step.key.name, self._offset)
        except FineforgeError:
            return
        for line in text.splitlines():
            self._job.listener(Event(EventKind.LOG, self._step, line))


def _progress(step: Step, job: Job) -> Callable[[Raw], None]:
    def tell(raw: Raw) -> None:
        properties = raw.get("properties") or {}
        job.listener(Event(EventKind.PROGRESS, step, str(properties.get("provisioningState") or properties.get("status") or "")))

    return tell


def _check(step: Step, job: Job) -> None:
    gate = yaml.safe_load(step.text)
    reasons = _metrics(step, gate["metrics"], job) if "metrics" in gate else _smoke(step, gate["smoke"], job)
    if reasons:
        raise _Refused(Diagnostic("FF510" if "metrics" in gate else "FF511", "; ".join(reasons), path=step.path), exit_code=4)


def _metrics(step: Step, gates: list[dict[str, Any]], job: Job) -> list[str]:
    metrics = {name: points[-1][1] for name, points in job.gateway.read_metrics(step.key.name).items() if points}
    return [words for gate in gates if (words := judge(MetricGate(**gate), metrics.get(gate["name"])))]


def _smoke(step: Step, requests: list[dict[str, Any]], job: Job) -> list[str]:
    found = []
    for number, request in enumerate(requests, 1):
        answer = answer_text(
            job.gateway.invoke(step.key.parent or "", step.key.name, chat_request(request["messages"], request["parameters"]))
        )
        expect = request.get("expect") or {}
        if "contains" in expect and expect["contains"] not in answer:
            found.append(f"smoke request {number}: the answer does not contain `{expect['contains']}`: `{answer[:200]}`")
        if "equals" in expect and expect["equals"].strip() != answer.strip():
            found.append(f"smoke request {number}: the answer is not `{expect['equals']}`: `{answer[:200]}`")
        if not answer.strip():
            found.append(f"smoke request {number}: the answer is empty")
    return found


def chat_request(messages: list[dict[str, str]], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The body that the chat-completion models of the registry take."""
    return {"input_data": {"input_string": messages, "parameters": dict(parameters)}, "params": {}}


def answer_text(body: Any) -> str:
    """The answer's text, whichever of the forms the model server writes."""
    if isinstance(body, Mapping) and "output" in body:
        return str(body["output"])
    if isinstance(body, list) and body:
        return answer_text(body[0])
    return body if isinstance(body, str) else str(body)


def _entry(document: Mapping[str, Any], path: str) -> Any:
    """A value below a mapping whose keys may hold dots: `tags.a.b` is the tag `a.b`."""
    base, rest = path.split(".", 1)
    inner = document.get(base)
    if isinstance(inner, Mapping) and rest in inner:
        return inner[rest]
    return fields.get(document, path)


def _same(live: Any, before: Any) -> bool:
    """A traffic entry of zero is the same as none."""
    return (
        str(live or 0) == str(before or 0)
        if isinstance(before, int) or before is None
        else str(live).lower() == str(before).lower()
    )
