"""Answer questions about what exists: status, logs, metrics and the deployed model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fineforge.config import pins as locks
from fineforge.config.loaded import Loaded
from fineforge.core.chat import answer_text, chat_request
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import Gateway, Reader
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Mode
from fineforge.core.runs import Series
from fineforge.engine import attempts
from fineforge.engine import data as preparing
from fineforge.engine import facts as live_facts
from fineforge.engine.attempts import Named
from fineforge.engine.loaded import at, parameters_of, placed, utc_today
from fineforge.engine.planned import plan
from fineforge.execution.follower import tell_log
from fineforge.planner.costs import State, states
from fineforge.resources import naming
from fineforge.resources.kinds import KINDS


def status(loaded: Loaded, gateway: Reader) -> tuple[State, ...]:
    """Every object of the spec as it is, and what costs money now. What could not be read is raised, for it is not absent."""
    loaded = at(loaded, gateway.workspace.target)
    planned = plan(loaded, gateway, Mode.DESTROY)
    if planned.world.unread:
        raise FineforgeError(*planned.world.unread.values())
    wanted = [want.key for want in planned.desired]
    return states(wanted, planned.world, loaded.owner, planned.facts, loaded.spec)


def logs(
    loaded: Loaded,
    gateway: Gateway,
    write: Callable[[str], None],
    attempt: int | None = None,
    follow: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Writes the job's log line by line; with `follow` until the job is over. FF421 where there is no such job."""
    tell_log(_job(loaded, gateway, attempt).name, gateway, write, follow, stopped)


def deployment_log(loaded: Loaded, gateway: Gateway, lines: int) -> str:
    """The last lines of the log of the deployment's container. FF420 while it comes or goes."""
    key = find_deployment(gateway, _named(loaded, gateway), loaded.owner)
    return gateway.read_deployment_log(key, lines)


def metrics(loaded: Loaded, gateway: Gateway, attempt: int | None = None) -> tuple[ResourceKey, Mapping[str, Series]]:
    """The job, and its metrics by name. FF421 where there is no such job."""
    job = _job(loaded, gateway, attempt)
    return job, gateway.read_metrics(job.name)


def invoke(
    loaded: Loaded, gateway: Gateway, messages: list[dict[str, str]], parameters: Mapping[str, Any], deployment: str | None
) -> str:
    """The deployed model's answer. Raises FF404 where there is no endpoint, FF4xx as the service refuses."""
    if loaded.spec.endpoint is None:
        raise FineforgeError(*loaded.place([Diagnostic("FF121", "`endpoint` is missing", hint="this spec deploys nothing")]))
    name = loaded.spec.endpoint.name or naming.default_endpoint_name(loaded.spec.name, gateway.workspace.id)
    return answer_text(gateway.invoke(name, deployment, chat_request(messages, parameters)))


def _job(loaded: Loaded, gateway: Reader, attempt: int | None) -> ResourceKey:
    return find_job(gateway, _named(loaded, gateway), loaded.owner, attempt)


def _named(loaded: Loaded, gateway: Reader) -> attempts.Named:
    """The names of the spec's objects, whatever there is of them."""
    loaded = at(loaded, gateway.workspace.target)
    with placed(loaded):
        facts = locks.hold(live_facts.read_facts(gateway, loaded.spec, utc_today(), preparing.described(loaded)), loaded.pins)
    parameters, _ = parameters_of(loaded, facts)
    return partial(naming.identify, loaded.spec, facts, parameters)


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
        hint = f"it was changed since; the workspace has {older} of it" if older else "`fineforge apply` submits it"
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
        raise FineforgeError(Diagnostic("FF404", "this spec deploys nothing", hint="`deployment` is missing in it"))
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
