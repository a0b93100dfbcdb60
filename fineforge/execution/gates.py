"""Judging what is decided during an apply: metrics of the run, what it left, and answers of the new deployment.

Which gates there are is the planner's; what follows from a refusal is `apply`'s. Here belong asking and judging, and the
contract of chat models: how a question is put, and where the text of an answer is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from fineforge.config.spec import MetricGate
from fineforge.core.chat import MODEL_ERROR, answer_text, chat_request
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.gateway import Gateway
from fineforge.core.plan import Step
from fineforge.planner.gates import judge


def refusals(step: Step, gateway: Gateway) -> list[str]:
    """Why the gates of a CHECK step say no, in words; empty where they pass."""
    gate = yaml.safe_load(step.text)
    if "metrics" in gate:
        return _metrics(step.key.name, gate["metrics"], gateway)
    found: list[str] = []
    for number, request in enumerate(gate["smoke"], 1):
        found += [f"smoke request {number}: {words}" for words in _smoke(step, request, gateway)]
    return found


def _metrics(job: str, gates: Sequence[Mapping[str, Any]], gateway: Gateway) -> list[str]:
    last = {name: series.last for name, series in gateway.read_metrics(job).items()}
    return [words for gate in gates if (words := judge(MetricGate(**gate), last.get(gate["name"])))]


def _smoke(step: Step, request: Mapping[str, Any], gateway: Gateway) -> list[str]:
    """Asked by header, whatever the traffic says. Compared after spaces at both ends are cut."""
    body = chat_request(request["messages"], request.get("parameters") or {})
    try:
        answer = answer_text(gateway.invoke(step.key.parent or "", step.key.name, body)).strip()
    except FineforgeError as error:
        if error.diagnostics[0].code != MODEL_ERROR:
            raise
        return [error.diagnostics[0].message]
    expect = request.get("expect") or {}
    if not answer:
        return ["the answer is empty"]
    shown = f"`{answer if len(answer) <= 200 else answer[:199] + '…'}`"
    found = []
    if "contains" in expect and expect["contains"] not in answer:
        found.append(f"the answer does not contain `{expect['contains']}`: {shown}")
    if "equals" in expect and expect["equals"].strip() != answer:
        found.append(f"the answer is not `{expect['equals']}`: {shown}")
    return found
