"""`python -m fineforge.emulator.runner.trainer JOB_DIR`: one job in one process.

Reads JOB_DIR/job.json: {"name", "component", "inputs": {name: text or {"path": ...}}, "base_model": {"name", "version"} or null,
"base_folder": folder or null, "twins": folder, "threads": number}. Writes log.txt, metrics.jsonl, the outputs in output/, and at
the end result.json: {"status": "Completed" | "Failed", "error": {"code", "message"} | null}. SIGTERM stops it without a result.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import warnings
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fineforge.emulator.runner.trained import refusal
from fineforge.emulator.runner.trainer import twin
from fineforge.emulator.runner.trainer.arguments import Settings, translate
from fineforge.emulator.runner.trainer.chat import BadRow
from fineforge.emulator.runner.trainer.parent import die_with_parent
from fineforge.emulator.runner.trainer.train import Tell, Work, train


class Refused(ValueError):
    """What the job's owner can put right; the text is for them."""


def main(folder: Path) -> int:
    die_with_parent()
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    with (folder / "log.txt").open("a", encoding="utf-8", buffering=1) as log:

        def tell(line: str) -> None:
            log.write(f"{time.strftime('%H:%M:%S')} {line}\n")

        result = _result(folder, job, tell)
        if result["error"]:
            tell(f"failed: {result['error']['message']}")
    part = folder / "result.part"
    part.write_text(json.dumps(result), encoding="utf-8")
    part.replace(folder / "result.json")
    return 0


def _result(folder: Path, job: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """As the pipeline's components fail: a UserError with the reason. Of an unexpected one the log has the traceback."""
    try:
        _run(folder, job, tell)
    except (Refused, BadRow) as error:
        return {"status": "Failed", "error": {"code": "UserError", "message": str(error)}}
    except Exception as error:  # Whatever the libraries raise, the job has failed and says so.
        tell(traceback.format_exc())
        lines = str(error).strip().splitlines()
        message = lines[0] if lines else type(error).__name__
        return {"status": "Failed", "error": {"code": "UserError", "message": f"training failed: {message}"}}
    return {"status": "Completed", "error": None}


def _run(folder: Path, job: Mapping[str, Any], tell: Tell) -> None:
    if reason := refusal(job["component"]):
        raise Refused(reason)
    settings = _settings(job["inputs"])
    base_folder, name = job.get("base_folder"), (job.get("base_model") or {}).get("name", "")
    if not base_folder and name not in twin.FAMILIES:
        raise Refused(f"{name or 'the job'} has no twin: the emulator has stand-ins for models that generate text")
    _silence()
    tell(f"job {job['name']}: {job['component']} on {'a model of the workspace' if base_folder else f'the twin of {name}'}")
    if not base_folder and twin.FAMILIES[name].note:
        tell(f"twin: {twin.FAMILIES[name].note}")
    _tell_unused(settings, tell)
    base = Path(base_folder) if base_folder else None
    work = Work(folder, job["inputs"], name, base, Path(job["twins"]), settings, int(job.get("threads", 1)))
    final = train(work, tell)
    tell("done: " + ", ".join(f"{key} {value:.4f}" for key, value in final.items()))


def _settings(inputs: Mapping[str, Any]) -> Settings:
    try:
        return translate(inputs)
    except ValueError as error:
        raise Refused(str(error)) from None


def _silence() -> None:
    """Warnings and progress bars would drown what the log says; nothing is fetched."""
    warnings.filterwarnings("ignore")
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


def _tell_unused(settings: Settings, tell: Tell) -> None:
    """One line a reason."""
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    for name, why in settings.unused.items():
        reasons[why].append(name)
    for why, names in reasons.items():
        tell(f"no effect here: {', '.join(names)} ({why})")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
