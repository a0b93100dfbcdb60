"""The cache: private, bounded, and empty on request; and what it knows of a spec's data without reading rows."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fineforge.core.diagnostics import FineforgeError
from fineforge.dataset import cache, checked, prepare
from tests.unit.dataset.dataset_files import facts, left, row, run, write


def talks(folder: Path, count: int = 3) -> None:
    write(folder / "data/train.jsonl", *(row(f"What is number {n}?", "x" * 400) for n in range(count)))


def test_what_is_known_without_reading_rows(tmp_path: Path) -> None:
    talks(tmp_path)
    found = facts(tmp_path, train={}, test={"from": "train", "rows": 1})
    assert checked(found, tmp_path / "cache") == {}
    prepared = prepare({"train": found["train"]}, tmp_path / "cache")[0]["train"]
    known = checked(found, tmp_path / "cache")
    assert list(known) == ["train"]
    assert {key: known["train"][key] for key in prepared.summary} == prepared.summary
    assert known["train"]["warnings"] == {}
    prepared.path.write_bytes(b"cut")
    assert checked(found, tmp_path / "cache") == {}


def test_warnings_are_part_of_what_is_known(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", row("Where?"), row("Where?", "There."))
    found = facts(tmp_path)
    prepare(found, tmp_path / "cache", 2)
    assert checked(found, tmp_path / "cache")["train"]["warnings"] == {"FF615": 1, "FF617": 2}


@pytest.mark.parametrize("record", [b"", b"[]", b"{}", b"{\xff", b'{"rows": 1}'])
def test_a_record_that_is_damaged_is_none(record: bytes, tmp_path: Path) -> None:
    talks(tmp_path)
    file = run(tmp_path)["train"]
    file.path.with_suffix(".json").write_bytes(record)
    assert checked(facts(tmp_path), tmp_path / "cache") == {}
    assert run(tmp_path)["train"] == file


def test_rows_are_checked_again_from_the_cache(tmp_path: Path) -> None:
    """A smaller context finds what the first run had no reason to say; the source is not read for it."""
    talks(tmp_path)
    found = facts(tmp_path)
    prepare(found, tmp_path / "cache")
    (tmp_path / "data/train.jsonl").unlink()
    files, warnings = prepare(found, tmp_path / "cache", 50)
    assert files["train"].rows == 3
    assert [d.code for d in warnings] == ["FF617"] * 3
    assert warnings[0].message.startswith("`data/train.jsonl` line 1: ")


def test_rows_with_gaps_are_read_from_the_source_again(tmp_path: Path) -> None:
    """Their numbers are not in the prepared file."""
    write(tmp_path / "data/train.jsonl", row("Where?"), "", row("When?", "x" * 400))
    found = facts(tmp_path)
    for _ in range(2):
        [warning] = prepare(found, tmp_path / "cache", 50)[1]
        assert warning.message.startswith("`data/train.jsonl` line 3: ")


def test_everything_in_it_is_private(tmp_path: Path) -> None:
    talks(tmp_path)
    before = os.umask(0)
    try:
        run(tmp_path)
    finally:
        os.umask(before)
    for path in (tmp_path / "cache").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this run uses stays, even beyond the limit."""
    talks(tmp_path, 60)
    old = {rows: run(tmp_path, train={"rows": rows})["train"] for rows in (20, 30, 40)}
    for age, rows in enumerate((30, 20, 40)):
        for path in (old[rows].path, old[rows].path.with_suffix(".json")):
            os.utime(path, (age + 1, age + 1))
    room = sum(file.bytes for file in old.values()) - old[30].bytes // 2
    monkeypatch.setenv("FINEFORGE_CACHE_GIB", str((room + old[20].bytes) / 2**30))
    assert run(tmp_path, train={"rows": 20})["train"] == old[20], "used now, so no longer the oldest but one"
    monkeypatch.setenv("FINEFORGE_CACHE_GIB", str(room / 2**30))
    new = run(tmp_path, train={"rows": 10})["train"]
    kept = [name for name in left(tmp_path / "cache") if name.endswith(".jsonl")]
    assert kept == sorted(file.path.name for file in (old[20], old[40], new))
    monkeypatch.setenv("FINEFORGE_CACHE_GIB", "0")
    last = run(tmp_path, train={"rows": 5})["train"]
    assert [name for name in left(tmp_path / "cache") if name.endswith(".jsonl")] == [last.path.name]


def test_unfinished_files_of_dead_runs_go(tmp_path: Path) -> None:
    talks(tmp_path)
    run(tmp_path)
    for name, age in ((".part-old", 1.0), (".part-new", None)):
        part = write(tmp_path / "cache" / name, "x")
        if age is not None:
            os.utime(part, (age, age))
    run(tmp_path)
    assert [name for name in left(tmp_path / "cache") if name.startswith(".part")] == [".part-new"]


@pytest.mark.parametrize("given", ["much", "-1", "nan", "inf"])
def test_a_size_that_is_none(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talks(tmp_path)
    monkeypatch.setenv("FINEFORGE_CACHE_GIB", given)
    with pytest.raises(FineforgeError, match="FF630"):
        run(tmp_path)
    assert left(tmp_path / "cache") == []


def test_contents_and_clearing(tmp_path: Path) -> None:
    assert cache.contents(tmp_path / "cache").bytes == 0
    assert cache.clear(tmp_path / "cache") == 0
    talks(tmp_path)
    file = run(tmp_path)["train"]
    write(tmp_path / "cache/pieces/abc/0-5-digest.piece", "piece")
    found = cache.contents(tmp_path / "cache")
    assert [entry.path for entry in found.prepared] == [file.path]
    assert [entry.bytes for entry in found.pieces] == [6]
    assert [entry.path.suffix for entry in found.other] == [".json"]
    assert found.limit == 20 * 2**30
    assert cache.clear(tmp_path / "cache") == found.bytes
    assert list((tmp_path / "cache").iterdir()) == []


def test_progress_is_told(tmp_path: Path) -> None:
    talks(tmp_path, 600)
    told: list[tuple[Any, ...]] = []
    prepare(facts(tmp_path), tmp_path / "cache", progress=lambda *values: told.append(values))
    assert [values[1] for values in told] == sorted(values[1] for values in told)
    assert told[-1] == ("train", 600, 600, 0)
    assert {values[2] for values in told} <= {600, None}


def test_a_fact_without_a_total_is_counted_where_it_must_be(tmp_path: Path) -> None:
    talks(tmp_path, 10)
    found = {split: replace(fact, rows=None, total=None) for split, fact in facts(tmp_path, train={"percent": 50}).items()}
    assert prepare(found, tmp_path / "cache")[0]["train"].rows == 5
