"""Console sessions as tests: a file of commands and what they print, run by the real command line.

    $ fineforge validate spec.yaml
    spec.yaml is valid
    $ fineforge validate nowhere.yaml
    error[FF112]: file `nowhere.yaml`
    [1]

Lines that begin with `$ ` are run by bash, in order, in a copy of the session's folder; what a command writes to both streams
follows it, and its exit code where that is not 0. Masks replace what differs from run to run. UPDATE_GOLDEN=1 writes the file
anew; then read the difference.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

MASKS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"\b[0-9a-f]{64}\b", "SHA256"),
    (r"\b[0-9a-f]{12}\b", "x" * 12),
    (r"(?<=:)\d{6,9}\b|(?<=version: \")\d{6,9}\b", lambda found: "9" * len(found.group())),
    (r"\b(in|after) \d+(\.\d+)? (s|ms|min)\b( \d+ s)?", r"\1 TIME"),
    (r"127\.0\.0\.1:\d+|port \d+", "PORT"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?", "TIMESTAMP"),
    (r"[ \t]+$", ""),
)
"""What differs from run to run; digests and versions keep their width, so that columns stay straight."""


def commands(text: str) -> list[str]:
    return [line[2:] for line in text.splitlines() if line.startswith("$ ")]


def run(text: str, folder: Path, environment: Mapping[str, str]) -> str:
    """The session as it goes now, masked."""
    lines = []
    for command in commands(text):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**environment, "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=240,
            check=False,
        )
        lines += [f"$ {command}", *masked(done.stdout.decode("utf-8", "replace"), folder).splitlines()]
        lines += [f"[{done.returncode}]"] if done.returncode else []
        lines.append("")
    return "\n".join(lines)


def masked(output: str, folder: Path) -> str:
    assert "Traceback (most recent call last)" not in output, output
    output = output.replace(str(folder), "FOLDER")
    for pattern, stand_in in MASKS:
        output = re.sub(pattern, stand_in, output, flags=re.MULTILINE)
    return output


def environment(home: Path) -> dict[str, str]:
    """A clean one: no Azure account, no colours, a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("AZURE", "FINEFORGE_", "ACTIONS_"))}
    own = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "XDG_CACHE_HOME": str(home / "cache")}
    return {
        **kept,
        **own,
        "NO_COLOR": "1",
        "COLUMNS": "80",
        "LC_ALL": "C.UTF-8",
        "FINEFORGE_EMULATOR_HOME": str(home / "emulator"),
    }
