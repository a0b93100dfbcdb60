"""Preparation: which rows, which bytes, what is left in the cache when something goes wrong."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from fineforge.dataset import describe, prepare, wanted_rows
from fineforge.resources.naming import recipe_digest
from tests.unit.dataset.dataset_files import facts, findings, left, row, run, write


def test_percent_rounds_as_the_datasets_library() -> None:
    """Against the library's own arithmetic; half to even is where naive rounding goes wrong (5 % of 50 is 2)."""
    from datasets import ReadInstruction

    compared = halves = 0
    for total in (1, 3, 10, 30, 50, 101, 207_865):
        for percent in range(1, 101):
            [theirs] = ReadInstruction("train", from_=0, to=percent, unit="%").to_absolute({"train": total})
            assert wanted_rows(total, {"percent": percent}) == theirs.to, (total, percent)
            compared += 1
            halves += total * percent % 100 == 50
    assert compared == 700
    assert halves > 20


def test_the_same_rows_as_the_datasets_library_loads(tmp_path: Path) -> None:
    from datasets import load_dataset

    file = write(tmp_path / "data/train.jsonl", *(row(f"What is number {n}?") for n in range(10)))
    theirs = load_dataset("json", data_files={"train": str(file)}, split="train[0%:25%]", cache_dir=str(tmp_path / "hub"))
    prepared = run(tmp_path, train={"percent": 25})["train"]
    assert theirs["messages"] == [m["messages"] for m in _rows(prepared.path)]
    assert prepared.rows == len(theirs) == 2


def test_rows_are_kept_byte_for_byte(tmp_path: Path) -> None:
    odd = [
        '  {"messages" : [{"content":"Z\\u00fcrich?","role":"user"},{"role":"assistant","content":"Oui / é 🌱 \u2028 \x7f"}]}  '
    ]
    rows = [*odd, row("Where?", prompt="Where?", more=[1.0, None]), row("When?") + "\r", row("Who?")]
    write(tmp_path / "data/train.jsonl", *rows)
    prepared = run(tmp_path)["train"]
    expected = "".join(line.removesuffix("\r") + "\n" for line in rows).encode()
    assert prepared.path.read_bytes() == expected
    assert (prepared.bytes, prepared.sha256) == (len(expected), hashlib.sha256(expected).hexdigest())


def test_blank_lines_are_no_rows_and_a_last_line_needs_no_end(tmp_path: Path) -> None:
    file = tmp_path / "data/train.jsonl"
    file.parent.mkdir()
    file.write_bytes(b"\n" + row("Where?").encode() + b"\n  \r\n\n" + row("When?").encode())
    fact = facts(tmp_path)["train"]
    assert (fact.rows, run(tmp_path)["train"].rows) == (2, 2)
    assert run(tmp_path)["train"].path.read_bytes().count(b"\n") == 2


def test_describe_names_content_not_files(tmp_path: Path) -> None:
    file = write(tmp_path / "data/train.jsonl", *(row(f"What is number {n}?") for n in range(30)))
    write(tmp_path / "data/same.jsonl", *file.read_bytes().splitlines())
    found = facts(tmp_path, train={"percent": 5}, validation={"from": "same", "percent": 5}, test={"from": "same", "rows": 4})
    assert found["train"].revision == hashlib.sha256(file.read_bytes()).hexdigest()
    assert [fact.rows for fact in found.values()] == [2, 2, 4]
    assert found["train"].source == "data/train.jsonl"
    digests = [recipe_digest(fact) for fact in found.values()]
    assert digests[0] == digests[1] != digests[2]


def test_everything_is_the_default(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", row("Where?"))
    whole, named = facts(tmp_path)["train"], facts(tmp_path, train={"percent": 100})["train"]
    assert whole == named
    assert facts(tmp_path, train={"from": "train"})["train"] == whole


def test_one_file_is_the_train_split(tmp_path: Path) -> None:
    write(tmp_path / "support.jsonl", row("Where?"), row("When?"))
    found = facts(tmp_path, "support.jsonl", train={"rows": 1}, validation={"from": "train"}, test={"from": "support"})
    assert [fact.rows for fact in found.values()] == [1, 2, 2]


def test_none_of_three_rows(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", *(row(f"What is number {n}?") for n in range(3)))
    [found] = findings(tmp_path, train={"percent": 5})
    assert (found.code, found.path) == ("FF604", ("dataset", "splits", "train", "percent"))
    assert found.message == "5 % of the 3 rows of `data/train.jsonl` rounds to zero rows"


def test_rows_that_are_not_wanted_are_not_checked(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", row("Where?"), "nonsense")
    assert run(tmp_path, train={"rows": 1})["train"].rows == 1


def test_the_cache_is_private_and_holds_only_finished_files(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", row("Where?"))
    (tmp_path / "cache").mkdir(mode=0o755)
    prepared = run(tmp_path)["train"]
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
    assert stat.S_IMODE(prepared.path.stat().st_mode) == 0o600
    assert left(tmp_path / "cache") == [prepared.path.with_suffix(".json").name, prepared.path.name]
    assert prepared.path.name.startswith(recipe_digest(facts(tmp_path)["train"])[:32])


def test_a_finished_file_is_used_again_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", row("Where?"), row("When?"))
    first = run(tmp_path)["train"]
    written = first.path.stat()
    assert run(tmp_path)["train"] == first
    assert first.path.stat().st_ino == written.st_ino
    good = first.path.read_bytes()
    first.path.write_bytes(good.replace(b"When", b"Then"))
    assert run(tmp_path)["train"] == first
    assert first.path.read_bytes() == good


def test_another_recipe_is_another_file(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", row("Where?"), row("When?"))
    paths = {run(tmp_path, train=recipe)["train"].path for recipe in ({}, {"rows": 1}, {"percent": 50})}
    assert len(paths) == 3


FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.unit.dataset.dataset_files import facts
from fineforge.dataset import prepare
from fineforge.core.diagnostics import FineforgeError
folder = Path(sys.argv[1])
found = facts(folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    prepare(found, folder / "cache")
except FineforgeError as error:
    print(error)
"""


def test_a_full_disk_leaves_nothing_half_made(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: the write fails in the middle, as the kernel says so."""
    write(tmp_path / "data/train.jsonl", *(row(f"What is number {n}?") for n in range(50)))
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parent, env=_environment(), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("FF605 ") and done.stdout.strip().endswith("cannot be written: file too large")
    assert left(tmp_path / "cache") == []
    assert run(tmp_path)["train"].rows == 50


def test_local_files_need_no_heavy_library() -> None:
    heavy = ("datasets", "pyarrow", "huggingface_hub", "azure", "torch")
    code = f"import sys, fineforge.dataset; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=_environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_summary(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", *(row("?" * n, "!" * n) for n in range(1, 101)))
    assert run(tmp_path)["train"].summary == {
        "rows": 100,
        "conversations": 100,
        "turns": 200,
        "characters": {"p50": 100, "p90": 180, "p99": 198, "max": 200},
    }


def test_memory_is_flat(tmp_path: Path) -> None:
    """Ten times the rows may cost a few numbers a row, not the rows."""
    peaks = []
    for count in (500, 5000):
        folder = tmp_path / str(count)
        write(folder / "data/train.jsonl", *(row(f"What is number {n}?", "x" * 2000) for n in range(count)))
        found = facts(folder)
        tracemalloc.start()
        prepare(found, folder / "cache")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 4500 * 200, "the rows themselves are 4500 * 2000"


@pytest.mark.parametrize("rows", [1, 3])
def test_facts_without_a_count_are_counted(rows: int, tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", *(row(f"What is number {n}?") for n in range(rows)))
    found = {split: replace(fact, rows=None) for split, fact in facts(tmp_path).items()}
    assert prepare(found, tmp_path / "cache")[0]["train"].rows == rows


def _rows(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _environment() -> dict[str, str]:
    root = str(Path(describe.__code__.co_filename).parents[2])
    return {**os.environ, "PYTHONPATH": root}
