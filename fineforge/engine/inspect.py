"""Answer questions about what exists: status, logs, metrics and the deployed model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from fineforge.config import pins
from fineforge.config.loaded import TargetedSpec
from fineforge.core.chat import answer_text, chat_request
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import READS, Gateway, Reader
from fineforge.core.objects import ResourceKey
from fineforge.core.runs import Series
from fineforge.engine import data
from fineforge.engine.facts import read_facts, resolve_parameters, utc_today
from fineforge.engine.planned import plan_destroy
from fineforge.engine.selection import Batch, Failures, TargetedBatch
from fineforge.engine.shared_reads import SharedReads
from fineforge.execution.follower import tell_log
from fineforge.planner.costs import State, states
from fineforge.resources import naming
from fineforge.resources.kinds import KINDS

Named = Callable[[int], naming.Identity]
"""The names of the spec's objects, with the job's attempt, from 1."""


def status(spec: TargetedSpec, gateway: Reader) -> tuple[State, ...]:
    """Return every object of the spec as it is, and what costs money now. Raises what could not be read: it may well exist."""
    planned = plan_destroy(spec, gateway)
    if planned.world.unread:
        raise FineforgeError(*planned.world.unread.values())
    wanted = [want.key for want in planned.desired]
    return states(wanted, planned.world, spec.owner, planned.facts, spec.spec)


def batch_status(batch: Batch, gateway: Reader) -> tuple[dict[str, tuple[State, ...]], Failures]:
    """Return the status of every spec of a batch by its name, with shared reads, and what is wrong with those that have none."""
    at = TargetedBatch.of(batch, gateway.workspace.target)
    reads = SharedReads(gateway, len(at.specs))

    def read(spec: TargetedSpec) -> tuple[State, ...] | FineforgeError:
        try:
            return status(spec, reads)
        except FineforgeError as error:
            return error

    with ThreadPoolExecutor(READS) as pool:
        answers = list(zip(at.specs, pool.map(read, at.specs), strict=True))
    failed = {spec.path: answer.diagnostics for spec, answer in answers if isinstance(answer, FineforgeError)}
    found = {spec.spec.name: answer for spec, answer in answers if not isinstance(answer, FineforgeError)}
    return found, {**at.failed, **failed}


def logs(
    spec: TargetedSpec,
    gateway: Gateway,
    write: Callable[[str], None],
    attempt: int | None = None,
    follow: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Writes the job's log line by line; with `follow` until the job is over. FF421 where there is no such job."""
    tell_log(_job(spec, gateway, attempt).name, gateway, write, follow, stopped)


def deployment_log(spec: TargetedSpec, gateway: Gateway, lines: int) -> str:
    """The last lines of the log of the deployment's container. FF420 while it comes or goes."""
    key = find_deployment(gateway, _named(spec, gateway), spec.owner)
    return gateway.read_deployment_log(key, lines)


def metrics(spec: TargetedSpec, gateway: Gateway, attempt: int | None = None) -> tuple[ResourceKey, Mapping[str, Series]]:
    """The job, and its metrics by name. FF421 where there is no such job."""
    job = _job(spec, gateway, attempt)
    return job, gateway.read_metrics(job.name)


def invoke(
    spec: TargetedSpec, gateway: Gateway, messages: list[dict[str, str]], parameters: Mapping[str, Any], deployment: str | None
) -> str:
    """The deployed model's answer. Raises FF404 where there is no endpoint, FF4xx as the service refuses."""
    if spec.spec.endpoint is None:
        raise FineforgeError(*spec.place([Diagnostic("FF121", "`endpoint` is missing", hint="this spec deploys nothing")]))
    name = spec.spec.endpoint.name or naming.default_endpoint_name(spec.spec.name, gateway.workspace.id)
    return answer_text(gateway.invoke(name, deployment, chat_request(messages, parameters)))


def _job(spec: TargetedSpec, gateway: Reader, attempt: int | None) -> ResourceKey:
    return find_job(gateway, _named(spec, gateway), spec.owner, attempt)


def _named(spec: TargetedSpec, gateway: Reader) -> Named:
    """Return the names of the spec's objects by attempt, whether or not the objects exist."""
    datasets = data.described(spec)
    with spec.placing():
        facts = pins.hold(read_facts(gateway, spec.spec, utc_today(), datasets), spec.pins)
    return partial(naming.identify, spec.spec, facts, resolve_parameters(spec, facts)[0])


def find_job(gateway: Reader, named: Named, owner: tuple[str, str], attempt: int | None = None) -> ResourceKey:
    """The job of the spec as it is now: the attempt that is asked for, else the last that exists. FF421 where there is none.

    `owner` is the project and the name of the spec; jobs that it had before it was changed are named where there is nothing else.
    """
    wanted = named(attempt or 1).job
    if wanted is None:
        raise FineforgeError(
            Diagnostic("FF421", "this spec trains nothing", hint="it has no `dataset`, or deploys a registered model")
        )
    last = _last(gateway, named)
    if last is None:
        older = ", ".join(f"`{name}`" for name in _ours(gateway, owner))
        hint = f"the spec has changed; earlier jobs in the workspace: {older}" if older else "`fineforge apply` submits it"
        raise FineforgeError(Diagnostic("FF421", f"`{named(1).job}` does not exist", hint=hint))
    if attempt is None or attempt == last:
        return named(last).job or wanted
    if attempt > last:
        raise FineforgeError(Diagnostic("FF421", f"`{wanted}` does not exist", hint=f"the last attempt is {last}"))
    return wanted


def find_deployment(gateway: Reader, named: Named, owner: tuple[str, str]) -> ResourceKey:
    """The deployment that the spec wants, else the newest of its own, which still serves. FF404 where there is none."""
    wanted = named(1).deployment
    if wanted is None:
        raise FineforgeError(Diagnostic("FF404", "this spec deploys nothing", hint="it has no `deployment`"))
    found = {key: KINDS["deployment"].observe(key, raw) for key, raw in gateway.list("deployment", wanted.parent).items()}
    ours = [have for have in found.values() if have.owner is not None and (have.owner.project, have.owner.spec) == owner]
    if wanted in found or not ours:
        return wanted
    return max(ours, key=lambda have: (have.created, have.key.name)).key


def _last(gateway: Reader, named: Named) -> int | None:
    """The number of the last attempt that exists."""
    number = 0
    while (key := named(number + 1).job) is not None and gateway.get(key) is not None:
        number += 1
    return number or None


def _ours(gateway: Reader, owner: tuple[str, str]) -> list[str]:
    ours = [KINDS["job"].observe(key, raw) for key, raw in gateway.list("job", "/".join(owner)).items()]
    return [have.key.name for have in sorted(ours, key=lambda have: have.created, reverse=True)][:3]
