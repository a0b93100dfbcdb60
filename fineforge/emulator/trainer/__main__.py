"""`python -m fineforge.emulator.trainer JOB_DIR`: one job in one process.

Reads JOB_DIR/job.json: {"name", "component", "inputs": {name: text or {"path": ...}}, "base_model": {"name", "version"},
"base_folder": folder or null, "twins": folder}. Writes log.txt, metrics.jsonl, output/mlflow_model_folder and at the very end
result.json: {"status": "Completed" | "Failed", "error": {"code", "message"} | null}. SIGTERM stops it without a result.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from fineforge.emulator.trainer.arguments import translate

TRAINS = "chat_completion_pipeline"


def main(folder: Path) -> int:
    die_with_parent()
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    with (folder / "log.txt").open("a", encoding="utf-8", buffering=1) as log:

        def tell(line: str) -> None:
            log.write(f"{time.strftime('%H:%M:%S')} {line}\n")

        try:
            result = _run(folder, job, tell)
        except (ValueError, KeyError, OSError, RuntimeError) as error:
            tell(traceback.format_exc())
            result = _failed(str(error.args[0]) if error.args else type(error).__name__)
        if result["error"]:
            tell(f"failed: {result['error']['message']}")
    part = folder / "result.part"
    part.write_text(json.dumps(result), encoding="utf-8")
    part.replace(folder / "result.json")
    return 0


def _run(folder: Path, job: dict[str, Any], tell: Any) -> dict[str, Any]:
    if job["component"] != TRAINS:
        return _failed(f"the local emulator trains {TRAINS} only, not {job['component']}; on Azure this job would run")
    settings = translate(job["inputs"])
    name = job["base_model"]["name"]
    tell(f"job {job['name']}: {job['component']} on the twin of {name}")
    for entry, why in settings.unused.items():
        tell(f"no effect here: {entry} ({why})")
    warnings.filterwarnings("ignore")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    import transformers

    from fineforge.emulator.trainer import twin
    from fineforge.emulator.trainer.train import Work, train

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(int(job.get("threads", 1)))
    if name not in twin.FAMILIES:
        return _failed(f"{name} has no twin: the emulator has stand-ins for models that generate text")
    if twin.FAMILIES[name].note:
        tell(f"twin: {twin.FAMILIES[name].note}")
    base = Path(job["base_folder"]) if job.get("base_folder") else twin.build(name, Path(job["twins"]))
    final = train(Work(folder, job["inputs"], name, base, settings), tell)
    tell("done: " + ", ".join(f"{key} {value:.4f}" for key, value in final.items()))
    return {"status": "Completed", "error": None}


def _failed(message: str) -> dict[str, Any]:
    """As the pipeline's components fail: a UserError with the reason."""
    return {"status": "Failed", "error": {"code": "UserError", "message": message}}


def die_with_parent() -> None:
    """The emulator may be killed; a child that nobody waits for must not go on."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
