"""Data preparation beside the walkthrough's script, on a dataset shaped like ultrachat_200k and a hub, both made here.

The peer is what the walkthrough does for each split that the dataset has: `load_dataset(split="x[:5%]")`, then `to_json`.
fineforge prepares the three that a spec can use, and both must write the same bytes of these, or there is no table. Every run
is a new process; cold ones have an empty cache.

The dataset is made by a process of its own, `python -m bench.data FOLDER`: what a process has needed at most counts what its
parent held when it began, so this one stays small.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.support.hub import COMMIT, Hub, running

NAME = "bench/talks"
SPLITS = {"train_sft": (20_787, 3), "test_sft": (2_311, 1), "train_gen": (25_603, 3), "test_gen": (2_834, 1)}
"""Rows and files of each split: the tenth part of what they are modelled on."""
USED = {"train": "train_sft", "validation": "test_sft", "test": "test_gen"}
RUNS = 3

SCRIPT = f"""
import os, sys
from datasets import get_dataset_split_names, load_dataset
for split in get_dataset_split_names("{NAME}"):
    load_dataset("{NAME}", split=f"{{split}}[:{{sys.argv[1]}}%]").to_json(os.path.join(sys.argv[2], split + ".jsonl"))
"""


@dataclass(frozen=True, slots=True)
class Run:
    method: str
    megabytes: float
    """Of files that were read from the hub."""
    requests: int
    wall: float
    cpu: float
    memory: float
    """MiB, at most."""


def table(folder: Path) -> Table:
    """Measures everything; `folder` may hold some 500 MB for the while."""
    made = subprocess.run([sys.executable, "-m", "bench.data", str(folder)], stdout=subprocess.PIPE, text=True, check=True)
    least, whole = json.loads(made.stdout)
    with running(folder / "hub") as hub:
        for file in (folder / "hub").rglob("*.parquet"):
            hub.digest(file)  # the hub's own work, before anybody's time is taken
        runs = [
            *_cold_and_warm(hub, "the walkthrough's script, 5 %", lambda: _theirs(folder, 5), [folder / "hf"]),
            *_cold_and_warm(hub, "fineforge data, 5 %", lambda: _ours(folder, 5), [folder / "cache"]),
        ]
        _compare(folder)
        [everything, _] = _cold_and_warm(hub, "fineforge data, 100 %", lambda: _ours(folder, 100), [folder / "cache"])
    return _table([*runs, everything], least / 1e6, whole / 1e6)


def make(folder: Path) -> list[Path]:
    """Conversations of words as frequent as those of a language, in row groups of 1,000, as hub datasets mostly are."""
    import numpy
    import pyarrow as pa
    import pyarrow.parquet as pq

    chance = numpy.random.default_rng(11)
    words = numpy.array(
        ["".join(chance.choice(list("etaoinshrdlu"), chance.integers(1, 10))) for _ in range(12_000)], dtype=object
    )
    frequent = 1 / numpy.arange(1, len(words) + 1)
    frequent /= frequent.sum()

    def text(length: int) -> str:
        return " ".join(chance.choice(words, length, p=frequent)).capitalize() + chance.choice([".", "/", " é.", "?"])

    def row() -> dict[str, Any]:
        turns = [("user", text(40)) if turn % 2 == 0 else ("assistant", text(250)) for turn in range(6)]
        messages = [{"content": content, "role": role} for role, content in turns]
        return {"prompt": turns[0][1], "prompt_id": hashlib.sha256(turns[0][1].encode()).hexdigest(), "messages": messages}

    (folder / "data").mkdir(parents=True)
    files = []
    for split, (rows, shards) in SPLITS.items():
        for shard in range(shards):
            count = rows // shards + (shard < rows % shards)
            files.append(folder / "data" / f"{split}-{shard:05d}-of-{shards:05d}.parquet")
            pq.write_table(pa.Table.from_pylist([row() for _ in range(count)]), files[-1], row_group_size=1000)
    return files


def floor(files: Sequence[Path]) -> int:
    """Bytes that nobody can do without: the row groups that hold the first 5 % of each split that is used, and the footers."""
    import pyarrow.parquet as pq

    total = 0
    for split in USED.values():
        found = [pq.read_metadata(file) for file in files if file.name.startswith(split)]
        total += sum(metadata.serialized_size for metadata in found)
        wanted = round(sum(metadata.num_rows for metadata in found) * 0.05)
        for group in range(found[0].num_row_groups):
            if wanted > 0:
                part = found[0].row_group(group)
                total += sum(part.column(column).total_compressed_size for column in range(part.num_columns))
                wanted -= part.num_rows
    return total


def _theirs(folder: Path, percent: int) -> list[str]:
    (folder / "theirs").mkdir(exist_ok=True)
    return [sys.executable, "-c", SCRIPT, str(percent), str(folder / "theirs")]


def _ours(folder: Path, percent: int) -> list[str]:
    splits = "".join(f"    {split}: {{from: {source}, percent: {percent}}}\n" for split, source in USED.items())
    (folder / "spec.yaml").write_text(
        f"version: 1\nname: talks\nmodel: {{name: Phi-4, version: '8'}}\ncomponent: {{version: 0.0.82}}\n"
        f"dataset:\n  source: hf://{NAME}@{COMMIT}\n  splits:\n{splits}"
        "compute: {name: gpu, size: Standard_NC24ads_A100_v4}\nregister: {name: talks}\n",
        encoding="utf-8",
    )
    return [sys.executable, "-m", "fineforge", "data", str(folder / "spec.yaml"), "--rows", "0"]


def _cold_and_warm(hub: Hub, method: str, words: Any, caches: list[Path]) -> list[Run]:
    """The best of some runs that begin with empty caches, and of some that find them full."""
    folder = caches[0].parent
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf"), "XDG_CACHE_HOME": str(folder / "cache")}
    cold, warm = [], []
    for _ in range(RUNS):
        for cache in caches:
            shutil.rmtree(cache, ignore_errors=True)
        cold.append(_measured(hub, f"{method}, cold", words(), environment))
        warm.append(_measured(hub, f"{method}, again", words(), environment))
    return [min(runs, key=lambda run: run.cpu) for runs in (cold, warm)]


def _measured(hub: Hub, method: str, words: list[str], environment: dict[str, str]) -> Run:
    hub.requests.clear()
    begin = time.perf_counter()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    problem = process.stderr.read() if process.stderr else ""
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(words)} failed:\n{problem[-2000:]}")
    return Run(method, hub.sent / 1e6, len(hub.requests), wall, used.ru_utime + used.ru_stime, _mebibytes(used))


def _mebibytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def _compare(folder: Path) -> None:
    """Both have written the same bytes for each split."""
    for split, source in USED.items():
        [ours] = (folder / "cache").rglob(f"*-{split}.jsonl")
        if ours.read_bytes() != (folder / "theirs" / f"{source}.jsonl").read_bytes():
            raise SystemExit(f"{split} differs from what the walkthrough's script writes")


def _table(runs: Sequence[Run], least: float, whole: float) -> Table:
    title = f"data preparation, {whole:.0f} MB of parquet on a hub; the 5 % and the footers are {least:.1f} MB; outputs identical"
    made = Table(title=title)
    for name in ("what", "MB read", "of the floor", "requests", "wall", "CPU", "MiB", "wall ratio"):
        made.add_column(name, justify="left" if name == "what" else "right")
    for run in runs:
        peer = next(
            (other for other in runs if other.method.startswith("the walk") and other.method[-5:] == run.method[-5:]), None
        )
        ratio = f"{run.wall / peer.wall:.2f}x" if peer and peer is not run and "5 %" in run.method else ""
        share = f"{run.megabytes / least:.2f}x" if run.megabytes and "5 %" in run.method else ""
        numbers = (f"{run.megabytes:.1f}", share, str(run.requests), f"{run.wall:.2f}", f"{run.cpu:.2f}", f"{run.memory:.0f}")
        made.add_row(run.method, *numbers, ratio)
    made.caption = "goals: at most 1.05x of the floor, 0.3x of the script's wall; within 50 MiB from 5 to 100 %"
    return made


if __name__ == "__main__":
    written = make(Path(sys.argv[1]) / "hub" / NAME)
    print(json.dumps([floor(written), sum(file.stat().st_size for file in written)]))
