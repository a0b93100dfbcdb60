"""Judging what is decided during an apply: metrics of the run, what it left, and answers of the new deployment.

Which gates there are is the planner's; what follows from a refusal is `apply`'s. Here belong asking and judging, and the
contract of chat models: how a question is put, and where the text of an answer is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from fineforge.core import Step
from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.gateway import Gateway
from fineforge.planner.gates import judge
from fineforge.spec import MetricGate

MODEL_ERROR = "FF419"
"""The code of an answer that is an error of the deployment itself: its gate says no, where another code is a failure to ask."""


def refusals(step: Step, gateway: Gateway) -> list[str]:
    """Why the gates of a CHECK step say no, in words; empty where they pass."""
    gate = yaml.safe_load(step.text)
    if "metrics" in gate:
        return _metrics(step.key.name, gate["metrics"], gateway)
    found: list[str] = []
    for number, request in enumerate(gate["smoke"], 1):
        found += [f"smoke request {number}: {words}" for words in _smoke(step, request, gateway)]
    return found


def without_bytes(step: Step, gateway: Gateway) -> str:
    """Words for a model whose bytes cannot be seen; empty where they can. FF505 where there are none: the service registers
    whatever path it is given, without a look whether anything lies there (FIELD 10)."""
    path = str((yaml.safe_load(step.text) or {}).get("path") or "")
    output = re.fullmatch(r"azureml://jobs/([^/]+)/outputs/([^/]+)", path)
    size = gateway.output_bytes(output[1], output[2]) if output else 1
    if output and size == 0:
        hint = "read `fineforge logs`, mend the cause, then `fineforge apply --retry-failed`"
        raise FineforgeError(Diagnostic("FF505", f"`job/{output[1]}` completed, and left nothing in `{output[2]}`", hint=hint))
    return f"where `{output[2]}` lies is not told; registered unseen" if output and size is None else ""


def chat_request(messages: Sequence[Mapping[str, str]], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The body that the chat-completion models of the registry take."""
    return {"input_data": {"input_string": [dict(turn) for turn in messages], "parameters": dict(parameters)}, "params": {}}


def answer_text(body: Any) -> str:
    """The answer's text, whichever of the forms the model server writes."""
    if isinstance(body, Mapping) and "output" in body:
        return str(body["output"])
    if isinstance(body, list) and body:
        return answer_text(body[0])
    return body if isinstance(body, str) else str(body)


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
