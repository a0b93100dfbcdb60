"""A deployment's process: loads an MLflow folder and answers Azure's scoring contract on a loopback port.

`python -m fineforge.emulator.scorer FOLDER --ready FILE` writes its port into FILE when it can answer; a folder that cannot be
loaded ends it with a message. `--twin MODEL --ask QUESTION` prints what an untuned twin answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

MAX_NEW_TOKENS = 200
"""Unless the request says otherwise."""


def main() -> int:
    arguments = _parser().parse_args()
    warnings.filterwarnings("ignore")
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if arguments.ask:
        return _ask(arguments.twin, Path(arguments.folder), arguments.ask)
    from fineforge.emulator.trainer.__main__ import die_with_parent

    die_with_parent()
    try:
        model = _load(Path(arguments.folder))
    except Exception as error:  # Whatever a model folder does when it is loaded, the deployment has failed and says so.
        print(f"the model cannot be loaded: {error}", file=sys.stderr)  # noqa: T201
        return 1
    asyncio.run(_serve(model, Path(arguments.ready)))
    return 0


def _load(folder: Path) -> Any:
    import mlflow.pyfunc
    import torch

    torch.set_num_threads(1)
    return mlflow.pyfunc.load_model(str(folder))


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
            return JSONResponse({"message": str(error)}, 400)
        answer = await asyncio.to_thread(model.predict, question)
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
    await serving


def read_request(body: bytes) -> dict[str, Any]:
    """Messages and parameters of a scoring request. Raises ValueError in words for whoever asked.

    `input_string` is a list of messages, as the fine-tuning notebook sends it, or a list with one such list in it.
    """
    try:
        data = json.loads(body)
    except ValueError:
        raise ValueError("the request is not JSON") from None
    given = data.get("input_data") if isinstance(data, dict) else None
    if not isinstance(given, dict) or "input_string" not in given:
        raise ValueError('the request needs {"input_data": {"input_string": [{"role": ..., "content": ...}]}}')
    messages = given["input_string"]
    if isinstance(messages, list) and len(messages) == 1 and isinstance(messages[0], list):
        messages = messages[0]
    if not isinstance(messages, list) or not messages or not all(_is_message(message) for message in messages):
        raise ValueError("`input_string` must be a list of messages with role and content")
    parameters = given.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise ValueError("`parameters` must be a mapping")
    return {"messages": messages, "parameters": {"max_new_tokens": MAX_NEW_TOKENS, **parameters}}


def _is_message(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and message.get("role") in ("system", "user", "assistant")
        and isinstance(message.get("content"), str)
    )


def _ask(name: str, twins: Path, questions: list[str]) -> int:
    """What the untuned twin says, one line a question."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, logging

    from fineforge.emulator.trainer import chat, twin

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    if name not in twin.FAMILIES:
        print(f"{name} has no twin", file=sys.stderr)  # noqa: T201
        return 1
    folder = twin.build(name, twins)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    for question in questions:
        ids = torch.tensor([chat.prompt(tokenizer, [{"role": "user", "content": question}])])
        found = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False)
        text = tokenizer.decode(found[0][ids.shape[1] :], skip_special_tokens=True)
        print(" ".join(text.split()))  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fineforge.emulator.scorer")
    parser.add_argument("folder", help="the MLflow folder; with --ask, where twins are kept")
    parser.add_argument("--ready", default="")
    parser.add_argument("--twin", default="")
    parser.add_argument("--ask", action="append", default=[])
    return parser


if __name__ == "__main__":
    sys.exit(main())
