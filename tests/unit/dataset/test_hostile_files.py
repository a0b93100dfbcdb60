"""Files that take too much memory or time, or hold what Python has no value for: each is an error with a code and a place."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fineforge.core.diagnostics import FineforgeError
from fineforge.dataset import encode, prepare
from fineforge.dataset.child import Child
from tests.unit.dataset.dataset_files import facts, findings, run

MIB = 1 << 20
MAPPED = "{filter: response != 'No.', columns: {prompt: prompt, response: response}}"
MEASURED = """
import re, resource, sys
from pathlib import Path
from fineforge.cli import main
sys.argv = ["fineforge", "data", sys.argv[1]]
try:
    main()
finally:
    own = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])  # ru_maxrss begins at the parent's
    print("KIB", own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def parquet(file: Path, *columns: pa.Array, names: list[str] | None = None, group: int = 1000) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_arrays(list(columns), names or ["prompt", "response"][: len(columns)])
    pq.write_table(table, file, row_group_size=group, compression="zstd", write_statistics=False)
    return file


def one_long_cell(folder: Path) -> str:
    size = 600 * MIB
    text = pa.StringArray.from_buffers(1, pa.array([0, size], pa.int32()).buffers()[1], pa.py_buffer(b"x" * size))
    parquet(folder / "x.parquet", text, pa.array(["Yes."]))
    assert (folder / "x.parquet").stat().st_size < MIB
    return "x.parquet"


def many_long_rows(folder: Path, rows_per_page: int = 16) -> str:
    schema = pa.schema([("prompt", pa.large_string()), ("response", pa.string())])
    texts = pa.array([f"{number} " + "x" * (2 * MIB) for number in range(50)], pa.large_string())
    rows = pa.Table.from_arrays([pa.concat_arrays([texts] * 20), pa.array((["Yes."] + ["No."] * 49) * 20)], schema=schema)
    pq.write_table(rows, folder / "x.parquet", compression="zstd", write_statistics=False, write_batch_size=rows_per_page)
    return "x.parquet"


def a_long_page(folder: Path) -> str:
    return many_long_rows(folder, 1000)


def a_long_array(folder: Path, thousands: int = 120) -> str:
    with (folder / "x.json").open("w", encoding="utf-8") as stream:
        stream.write("[")
        for number in range(thousands):
            stream.write(("," if number else "") + json.dumps([{"prompt": "x" * 1000, "response": "Yes."}] * 1000)[1:-1])
        stream.write("]")
    return "x.json"


def one_long_line(folder: Path) -> str:
    (folder / "x.csv").write_bytes(b"prompt,response\n" + b"x" * (100 * MIB) + b",Yes.\n")
    return "x.csv"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in KiB, and limited by the system, on Linux")
@pytest.mark.parametrize(
    ("made", "words"),
    [
        (one_long_cell, "`x.parquet` row 1, or the page of the file that holds it, is too long to be decoded"),
        (many_long_rows, "20 rows"),
        (a_long_page, "`x.parquet` row 1, or the page of the file that holds it, is too long to be decoded"),
        (a_long_array, "`x.json` needs more memory than a reader may use"),
        (one_long_line, "`x.csv` line 2 is longer than 16 MiB"),
    ],
)
def test_memory_is_bounded(made: Callable[[Path], str], words: str, tmp_path: Path) -> None:
    source = made(tmp_path)
    spec = (Path(__file__).parents[3] / "specs/quickstart.yaml").read_text(encoding="utf-8")
    before, _, after = spec.partition("dataset:\n")
    data = f"dataset:\n  source: {source}\n  splits:\n    train: {MAPPED}\n\n"
    (tmp_path / "spec.yaml").write_text(before + data + after[after.index("# The cluster") :], encoding="utf-8")
    command = [sys.executable, "-c", MEASURED, "spec.yaml"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
    told = " ".join((ran.stdout + ran.stderr).split())
    assert words in told, told
    assert int(told.partition("KIB ")[2].split()[0]) < 512 << 10, told


def _without_a_python_value() -> dict[str, pa.Array]:
    late = [0, 0, 400_000_000_000_000_000]
    return {
        "a time after the year 9999": pa.array(late, pa.int64()).cast(pa.timestamp("us")),
        "a date after the year 9999": pa.array([0, 0, 2**30], pa.int32()).cast(pa.date32()),
    }


@pytest.mark.parametrize("name", _without_a_python_value())
def test_values_that_python_does_not_have_name_their_row(name: str, tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", pa.array(["a", "b", "c"]), _without_a_python_value()[name], names=["text", "at"], group=2)
    [found] = findings(tmp_path, "x.parquet")
    assert (found.code, found.message.partition(" cannot")[0]) == ("FF628", "`x.parquet` row 3")


def test_an_unknown_time_zone_names_its_row(tmp_path: Path) -> None:
    times = pa.array([0], pa.int64()).cast(pa.timestamp("us", "Mars/Olympus"))
    parquet(tmp_path / "x.parquet", times, names=["at"])
    [found] = findings(tmp_path, "x.parquet")
    assert (found.code, found.message.partition(" cannot")[0]) == ("FF628", "`x.parquet` row 1")


def test_columns_that_are_not_used_need_no_python_value(tmp_path: Path) -> None:
    """The hint of FF628, followed."""
    late = _without_a_python_value()["a time after the year 9999"]
    parquet(tmp_path / "x.parquet", pa.array(["a", "b", "c"]), pa.array(["A", "B", "C"]), late, names=["p", "r", "at"])
    assert run(tmp_path, "x.parquet", train={"columns": {"prompt": "p", "response": "r"}})["train"].rows == 3


def test_text_that_is_not_utf_8_names_its_row(tmp_path: Path) -> None:
    text = pa.array([b"a", b"Z\xfcrich"]).cast(pa.string(), safe=False)
    parquet(tmp_path / "x.parquet", pa.concat_arrays([pa.array(["x"] * 3), text]), names=["text"], group=3)
    [found] = findings(tmp_path, "x.parquet")
    assert (found.code, found.message.partition(":")[0]) == ("FF627", "`x.parquet` is damaged at row 5")


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", pa.array(["a"]), pa.array(["b"]), names=["text", "text"])
    [found] = findings(tmp_path, "x.parquet")
    assert (found.code, found.message) == (
        "FF628",
        "the rows of `x.parquet` cannot be written as JSON: two columns have the name `text`",
    )


@pytest.mark.parametrize(("ending", "code"), [("jsonl", "FF610"), ("csv", "FF610"), ("json", "FF627"), ("parquet", "FF627")])
def test_a_huge_file_of_something_else_is_not_read_whole(ending: str, code: str, tmp_path: Path) -> None:
    with (tmp_path / f"x.{ending}").open("wb") as stream:
        stream.truncate(1 << 40)
    script = "import sys; from pathlib import Path; from dataset_files import findings\n"
    script += "print([d.code for d in findings(Path(sys.argv[1]), sys.argv[2])])"
    command = [sys.executable, "-c", script, str(tmp_path), f"x.{ending}"]
    ran = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.strip() == f"['{code}']", ran.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit is polled")
@pytest.mark.parametrize("thousands", [40, 50, 60, 70])
def test_an_array_that_does_not_fit_is_not_called_damaged(thousands: int, tmp_path: Path) -> None:
    """Allocations fail in other places of the library, which reports them as errors of several types."""
    [found] = findings(tmp_path, a_long_array(tmp_path, thousands))
    assert (found.code, found.message) == ("FF631", "`x.json` needs more memory than a reader may use")


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_row_that_is_too_long_for_a_cell_of_many_lines(ending: str, tmp_path: Path) -> None:
    line = "x" * 1023 + "\n"
    separator = "," if ending == "csv" else "\t"
    rows = ['"a"' + separator + '"b"\n', '"' + line * (17 << 10) + '"' + separator + '"b"\n']
    (tmp_path / f"x.{ending}").write_text(f"p{separator}r\n" + "".join(rows), encoding="utf-8")
    [found] = findings(tmp_path, f"x.{ending}")
    assert (found.code, found.message) == ("FF610", f"`x.{ending}` row 2 is longer than 16 MiB")


KINDS: dict[str, pa.Array] = {
    "numbers": pa.array([1.5, None] * 20),
    "lists of numbers": pa.array([[1, None], [2]] * 20),
    "times": pa.array([0, 10**15] * 20, pa.timestamp("us")),
    "words": pa.array(["a", None] * 20).dictionary_encode(),
}


@pytest.mark.parametrize("kind", [*KINDS, None])
def test_long_rows_are_written_as_the_library_writes_them(kind: str | None, tmp_path: Path) -> None:
    import datasets

    long = pa.array(["é/" * (1 << 19)] * 40)
    parquet(tmp_path / "x.parquet", long, *([KINDS[kind]] if kind else []), names=["text", "more"][: 2 if kind else 1], group=17)
    expected = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        datasets.Dataset.from_parquet(str(tmp_path / "x.parquet"), cache_dir=str(tmp_path / "theirs")).to_json(expected)
    prepared = prepare(facts(tmp_path, "x.parquet"), tmp_path / "cache", required_columns=("text",))[0]["train"]
    assert prepared.path.read_bytes() == expected.getvalue()


def test_rows_that_must_be_converted_together_are_bounded(tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", pa.array(["x" * MIB] * 80), pa.array([[1, None]] * 80), names=["text", "n"])
    [found] = findings(tmp_path, "x.parquet")
    assert found.code == "FF631" and "hold more than 64 MiB" in found.message


def test_a_table_is_cut_by_bytes_if_rows_do_not_depend_on_each_other() -> None:
    table = pa.table({"text": ["x" * MIB] * 30})
    assert max(len(part) for part in encode.even(iter([table.slice(at, 3) for at in range(0, 30, 3)]), True, "x")) == 9


def _ask(child: Child, file: Path, **how: float) -> Any:
    with child:
        return child.ask({"do": "footer", "file": {"path": str(file)}}, "x.parquet", **how)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file that takes forever to read: a pipe that nothing is written to."""
    os.mkfifo(tmp_path / "endless")
    return tmp_path / "endless"


def test_a_file_that_takes_too_long_is_not_called_damaged(endless: Path) -> None:
    with pytest.raises(FineforgeError, match=r"FF631 `x.parquet` takes longer than 0 seconds to read"):
        _ask(Child("parquet"), endless, seconds=0)


def test_memory_is_polled_where_the_system_sets_no_limit(endless: Path, tmp_path: Path) -> None:
    with pytest.raises(FineforgeError, match=r"FF631 `x.parquet` needs more memory than a reader may use"):
        _ask(Child("parquet", polled=1), endless)
    assert _ask(Child("parquet", polled=1 << 30), parquet(tmp_path / "x.parquet", pa.array(["a"])))["rows"] == 1


STARTED = """
import os, sys
from fineforge.dataset.child import Child
child = Child("parquet")
child.ask({"do": "footer", "file": {"path": sys.argv[1]}}, "x.parquet")
print("ready", flush=True)
sys.stdin.read()
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_child_has_no_secrets_and_ends_with_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = parquet(tmp_path / "x.parquet", pa.array(["a"]))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "secret too")
    command = [sys.executable, "-c", STARTED, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin and parent.stdout
        assert parent.stdout.readline() == "ready\n"
        [child] = psutil.Process(parent.pid).children()
        assert b"secret" not in Path(f"/proc/{child.pid}/environ").read_bytes()
        parent.kill()
        child.wait(timeout=60)


def test_a_crash_of_the_reader_is_an_error_and_the_next_file_is_read(tmp_path: Path) -> None:
    request = {"do": "footer", "file": {"path": str(parquet(tmp_path / "x.parquet", pa.array(["a"])))}}
    before = set(psutil.Process().children())
    with Child("parquet") as child:
        child.ask(request, "x")
        [process] = set(psutil.Process().children()) - before
        process.kill()
        with pytest.raises(FineforgeError, match=r"FF627 `x` is damaged: its reader crashed \(exit status -9\)"):
            child.ask(request, "x")
        assert child.ask(request, "x")["rows"] == 1
