"""Draws docs/plan.svg, the README's picture: a real `fineforge plan` of the quickstart against the emulator. `make picture`."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
TYPED = "fineforge plan specs/quickstart.yaml --target local --quiet"


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "FINEFORGE_EMULATOR_HOME": home, "FORCE_COLOR": "1", "NO_COLOR": "", "COLUMNS": "88"}
        fineforge = [sys.executable, "-m", "fineforge"]
        subprocess.run([*fineforge, "emulator", "start", "--trainer", "instant"], env=environment, check=True)
        try:
            words = TYPED.split()[1:]
            ran = subprocess.run([*fineforge, *words], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        finally:
            subprocess.run([*fineforge, "emulator", "stop"], env=environment, check=True)
    console = Console(record=True, width=88, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ {TYPED}\n{ran.stdout.rstrip()}"))
    console.save_svg(str(Path(__file__).parent / "plan.svg"), title="fineforge")
    return 0


if __name__ == "__main__":
    sys.exit(main())
