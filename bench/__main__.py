"""Prints one table: what is measured, its peer in the same run, the ratio, and the goal."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import data, emulator, many
from bench.measure import Cost, command, python

ROOT = Path(__file__).parent.parent
SPEC = str(ROOT / "specs" / "quickstart.yaml")
FINEFORGE = [sys.executable, "-m", "fineforge"]


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    ours: Cost
    peer: str = ""
    theirs: Cost | None = None
    goal: str = ""


def main() -> int:
    offline = [measure() for measure in OFFLINE]
    with tempfile.TemporaryDirectory() as home, emulator.running(Path(home)) as running:
        objects = running.apply(SPEC)
        online = [_no_change_plan(running, objects, delay) for delay in (0.0, 0.05)]
        running.answer_late(0)
        rates = emulator.rates(running)
    console = Console(width=118)
    console.print(_table([*offline, *online]))
    console.print(_rates(rates))
    with tempfile.TemporaryDirectory() as folder:
        console.print(data.table(Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        console.print(many.table(Path(folder)))
    return 0


def _help() -> Row:
    ours, theirs = command([*FINEFORGE, "--help"]), python("import azure.ai.ml")
    return Row("fineforge --help", ours, "import azure.ai.ml", theirs, "under 0.10 s")


def _version() -> Row:
    return Row("fineforge version", command([*FINEFORGE, "version"]), "python -c pass", python("pass"), "under 0.10 s")


def _validate() -> Row:
    ours, theirs = command([*FINEFORGE, "validate", SPEC]), python("from azure.ai.ml import MLClient, load_job")
    return Row("fineforge validate, one spec", ours, "import MLClient, load_job", theirs, "under 0.30 s")


def _validate_many() -> Row:
    code = (
        "import sys, pathlib\nfrom fineforge import engine\npath = pathlib.Path(sys.argv[1])\n"
        "for _ in range(1000): engine.validate(engine.SpecFile.read(path).at('local'))"
    )
    ours = command([sys.executable, "-c", code, SPEC], runs=1)
    theirs = command([sys.executable, "-c", _SAFE_LOAD, SPEC], runs=1)
    return Row("validate, 1000 specs in one process", ours, "PyYAML's C loader, the same 1000", theirs, "1500 specs/s")


_SAFE_LOAD = (
    "import sys, pathlib, yaml\ntext = pathlib.Path(sys.argv[1]).read_text()\n"
    "for _ in range(1000): yaml.load(text, yaml.CSafeLoader)"
)

OFFLINE: tuple[Callable[[], Row], ...] = (_help, _version, _validate, _validate_many)


def _no_change_plan(running: emulator.Running, objects: str, delay: float) -> Row:
    """The same objects, read by fineforge's plan and by MLClient, each in a new process against the same emulator."""
    plan = [*FINEFORGE, "plan", SPEC, "--target", "local", "--detailed-exitcode"]
    requests = running.count(plan)
    running.answer_late(delay)
    ours = command(plan, running.home_only)
    theirs = command([sys.executable, str(Path(__file__).parent / "peer_reads.py"), SPEC, objects], running.routed, runs=3)
    what = f"plan, nothing to change, {requests} requests" + (f", {delay * 1000:.0f} ms each" if delay else "")
    return Row(what, ours, "the same reads through MLClient", theirs, "at most 0.65 s, 4x faster" if delay else "")


def _table(rows: list[Row]) -> Table:
    table = Table(title="a new process each, best of several; seconds")
    for name in ("what", "wall", "CPU", "peer", "wall", "CPU", "wall ratio", "goal"):
        table.add_column(name, justify="left" if name in ("what", "peer", "goal") else "right")
    for row in rows:
        theirs = row.theirs
        beside = (f"{theirs.wall:.2f}", f"{theirs.cpu:.2f}", f"{theirs.wall / row.ours.wall:.1f}x") if theirs else ("", "", "")
        table.add_row(row.what, f"{row.ours.wall:.2f}", f"{row.ours.cpu:.2f}", row.peer, *beside, row.goal)
    return table


def _rates(rates: dict[str, float]) -> Table:
    table = Table(title="the emulator, one process; the client here is slower than it is")
    table.add_column("what")
    table.add_column("per second of the emulator's CPU", justify="right")
    for what, rate in rates.items():
        table.add_row(what, f"{rate:,.0f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
