"""Puts fineforge into an environment of its own on the runner, once a job, and says where the command is.

`local` is the project that this action belongs to, with the versions of its `constraints.txt`; anything else a version on PyPI.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from runner import Runner

PROJECT = Path(__file__).resolve().parent.parent
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*((a|b|rc|\.post|\.dev)[0-9]+)*")


def main(environment: Mapping[str, str]) -> int:
    runner = Runner(environment)
    version = environment.get("INPUT_VERSION", "").strip() or "local"
    if version != "local" and not _VERSION.fullmatch(version):
        runner.complain(f"`version` is `{version}`: `local`, or a version such as 1.2.0")
        return 1
    folder = runner.folder() / f"venv-{version}"
    executable = folder / "bin" / "fineforge"
    if not executable.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if ended := subprocess.run([*pip, *wanted(version)], check=False).returncode:
            runner.complain(f"fineforge ({version}) could not be installed: pip ended with {ended}")
            return 1
    runner.output({"executable": str(executable)})
    return 0


def wanted(version: str) -> list[str]:
    """For pip."""
    if version == "local":
        return ["--constraint", str(PROJECT / "constraints.txt"), str(PROJECT)]
    return [f"fineforge=={version}"]


if __name__ == "__main__":
    sys.exit(main(os.environ))
