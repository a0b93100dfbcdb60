"""Judging what is decided during an apply: metrics of the run, what it left, and answers of the new deployment.

Which gates there are is the planner's; what follows from a refusal is `apply`'s. Here belong asking and judging, and the
contract of chat models: how a question is put, and where the text of an answer is.
"""

from __future__ import annotations

from fineforge.core.chat import MODEL_ERROR, answer_text, chat_request
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.gateway import Gateway
from fineforge.core.plan import MetricCheck, SmokeCheck, SmokeRequest, Step
from fineforge.planner.gates import judge


def refusals(step: Step, gateway: Gateway) -> list[str]:
    """Return why the gate of a CHECK step refuses, one text per failed condition; an empty list where it passes."""
    match step.gate:
        case MetricCheck(limits):
            last = {name: series.last for name, series in gateway.read_metrics(step.key.name).items()}
            return [reason for limit in limits if (reason := judge(limit, last.get(limit.name)))]
        case SmokeCheck(requests):
            return [
                f"smoke request {number}: {reason}"
                for number, request in enumerate(requests, 1)
                for reason in _smoke(step, request, gateway)
            ]
        case None:
            return []


def _smoke(step: Step, request: SmokeRequest, gateway: Gateway) -> list[str]:
    """Ask one deployment by header, so that its share of the traffic does not matter."""
    turns = [{"role": turn.role, "content": turn.content} for turn in request.messages]
    body = chat_request(turns, request.parameters)
    try:
        answer = answer_text(gateway.invoke(step.key.parent or "", step.key.name, body)).strip()
    except FineforgeError as error:
        if error.diagnostics[0].code != MODEL_ERROR:
            raise
        return [error.diagnostics[0].message]
    if not answer:
        return ["the answer is empty"]
    shown = f"`{answer if len(answer) <= 200 else answer[:199] + '…'}`"
    failures = []
    if request.contains is not None and request.contains not in answer:
        failures.append(f"the answer does not contain `{request.contains}`: {shown}")
    if request.equals is not None and request.equals.strip() != answer:
        failures.append(f"the answer is not `{request.equals}`: {shown}")
    return failures
