"""A deployment's process: loads an MLflow folder and answers Azure's scoring contract on a loopback port.

`python -m fineforge.emulator.runner.scorer FOLDER --ready FILE` writes its port into FILE once it can answer. A folder that
cannot be loaded ends it with a message. With `--twin MODEL`, FOLDER holds the twins and the untuned twin of MODEL answers; with
`--ask QUESTION` it prints each answer on a line and exits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fineforge.emulator.runner.trainer import export, twin
from fineforge.emulator.runner.trainer.parent import die_with_parent

CANNOT_LOAD = "the model cannot be loaded: "
"""The last line of a deployment that could not start begins so."""

_ROLES = ("system", "user", "assistant")

PARAMETERS: dict[str, tuple[type, Callable[[Any], bool], str]] = {
    "max_new_tokens": (int, lambda value: value >= 1, "a whole number, 1 or more"),
    "do_sample": (bool, lambda value: True, "true or false"),
    "temperature": (float, lambda value: value > 0, "a number above 0; without `do_sample` it has no effect"),
    "top_p": (float, lambda value: 0 < value <= 1, "a number above 0, at most 1"),
    "top_k": (int, lambda value: value >= 1, "a whole number, 1 or more"),
    "repetition_penalty": (float, lambda value: value > 0, "a number above 0"),
}
"""What `parameters` of a request may hold: type, limits, and both in words."""


def main() -> int:
    arguments = _parser().parse_args()
    warnings.filterwarnings("ignore")
    os.environ |= {"HF_HUB_OFFLINE": "1", **export.QUIET}
    folder = Path(arguments.folder)
    if not arguments.ask:
        die_with_parent()
    try:
        model = _load(_untuned(arguments.twin, folder) if arguments.twin else folder)
    except Exception as error:  # Whatever a model folder does when it is loaded, the deployment has failed and says so.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        print(f"{CANNOT_LOAD}{lines[0]}", file=sys.stderr)  # noqa: T201
        return 1
    if arguments.ask:
        for question in arguments.ask:
            print(_untuned_answer(model, question))  # noqa: T201
    else:
        asyncio.run(_serve(model, Path(arguments.ready)))
    return 0


def read_request(body: bytes) -> dict[str, Any]:
    """Messages and parameters of a scoring request. Raises ValueError in words for whoever asked.

    `input_string` is a list of messages, as the fine-tuning notebook sends it, or a list with one such list in it.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the request is not JSON") from None
    given = data.get("input_data") if isinstance(data, dict) else None
    if not isinstance(given, dict) or "input_string" not in given:
        raise ValueError('the request needs {"input_data": {"input_string": [{"role": ..., "content": ...}]}}')
    messages = given["input_string"]
    if isinstance(messages, list) and len(messages) == 1 and isinstance(messages[0], list):
        messages = messages[0]
    if not isinstance(messages, list) or not messages or not all(_is_message(message) for message in messages):
        raise ValueError(f"`input_string` must be a list of messages with role ({', '.join(_ROLES)}) and content")
    return {"messages": messages, "parameters": _parameters(given.get("parameters") or {})}


def _is_message(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in _ROLES and isinstance(message.get("content"), str)


def _parameters(given: Any) -> dict[str, Any]:
    """All wrong ones at once."""
    if not isinstance(given, dict):
        raise ValueError("`parameters` must be a mapping")
    wrong = []
    for name, value in given.items():
        if name not in PARAMETERS:
            wrong.append(f"the emulator's models take no parameter `{name}`, only {', '.join(PARAMETERS)}")
            continue
        kind, fits, words = PARAMETERS[name]
        typed = isinstance(value, kind) if kind is bool else isinstance(value, kind | int) and not isinstance(value, bool)
        if not typed or not fits(value):
            wrong.append(f"`{name}` must be {words}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return dict(given)


def _load(folder: Path) -> Any:
    if not (folder / "MLmodel").is_file():
        raise FileNotFoundError("the folder is no MLflow model: it has no MLmodel file")
    import mlflow.pyfunc
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or 1))
    return mlflow.pyfunc.load_model(str(folder))


def _untuned(model: str, twins: Path) -> Path:
    if model not in twin.FAMILIES:
        raise ValueError(f"{model} has no twin: the emulator has stand-ins for models that generate text")
    return export.untuned(twin.build(model, twins))


def _untuned_answer(model: Any, question: str) -> str:
    """On one line: a model with random weights says anything, line ends included."""
    asked = {"messages": [{"role": "user", "content": question}], "parameters": {"max_new_tokens": 24}}
    return " ".join(model.predict(asked).split())


async def _serve(model: Any, ready: Path) -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def score(request: Request) -> JSONResponse:
        try:
            question = read_request(await request.body())
        except ValueError as error:
            _say(f"refused: {error}")
            return JSONResponse({"message": str(error)}, 400)
        begin = time.monotonic()
        try:
            answer = await asyncio.to_thread(model.predict, question)
        except Exception as error:  # A model may fail at any question; the next one is answered again.
            _say(f"the model failed: {type(error).__name__}: {error}")
            return JSONResponse({"message": f"the model failed: {type(error).__name__}: {error}"}, 500)
        _say(f"answered in {time.monotonic() - begin:.2f} s")
        return JSONResponse({"output": answer})

    async def live(request: Request) -> JSONResponse:
        return JSONResponse({"status": "Healthy"})

    app = Starlette(routes=[Route("/score", score, methods=["POST"]), Route("/", live)])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    part = ready.with_suffix(".part")
    part.write_text(str(server.servers[0].sockets[0].getsockname()[1]), encoding="utf-8")
    part.replace(ready)
    _say("the model is loaded")
    await serving


def _say(words: str) -> None:
    """Into the deployment's log. Neither questions nor answers are written there."""
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fineforge.emulator.runner.scorer")
    parser.add_argument("folder", help="the MLflow folder; with --twin, where twins are kept")
    parser.add_argument("--ready", default="", help="the file that tells the port")
    parser.add_argument("--twin", default="", help="a base model: its untuned twin answers")
    parser.add_argument("--ask", action="append", default=[], help="print an answer instead of serving")
    return parser


if __name__ == "__main__":
    sys.exit(main())
