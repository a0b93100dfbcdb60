"""The chat format of requests and answers of a deployed model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import Gateway
from fineforge.core.plan import Step

MODEL_ERROR = "FF419"
"""The code of an answer that is an error of the deployment itself: its gate says no, where another code is a failure to ask."""


def without_bytes(step: Step, gateway: Gateway) -> str:
    """Words for a model whose bytes cannot be seen; empty where they can. FF505 where there are none: the service registers
    whatever path it is given, without a look whether anything lies there (FIELD 10)."""
    path = str((yaml.safe_load(step.text) or {}).get("path") or "")
    output = re.fullmatch(r"azureml://jobs/([^/]+)/outputs/([^/]+)", path)
    size = gateway.output_bytes(output[1], output[2]) if output else 1
    if output and size == 0:
        hint = "read `fineforge logs`, fix the cause, then `fineforge apply --retry-failed`"
        raise FineforgeError(Diagnostic("FF505", f"`job/{output[1]}` completed, but wrote nothing to `{output[2]}`", hint=hint))
    return f"the location of `{output[2]}` is unknown; registered without checking its size" if output and size is None else ""


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
