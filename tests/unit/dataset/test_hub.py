"""Datasets of a hub: which bytes are asked for, that the rows are those of the walkthrough's script, and what bad days do."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fineforge.config.spec import Dataset
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.facts import DatasetFact
from fineforge.dataset import Prepared, describe, fetch, prepare, resolve
from fineforge.dataset.parquet import FOOTER
from tests.support.hub import COMMIT, Fault, Hub, running
from tests.unit.dataset.dataset_files import left

NAME = "shop/talks"
SOURCE = f"hf://{NAME}@{COMMIT}"
ODD = ["a/b", "\x7f", "\\u007f", "\u2028", "😀 🌱", "\\\x7f/"]
GROUP, SHARD = 40, 130
"""Rows of a row group and of a file: neither divides the other."""


def rows(count: int, first: int = 0, size: int = 600) -> list[dict[str, Any]]:
    """Conversations that do not compress to nothing, with all that JSON writers disagree about."""
    made = []
    for number in range(first, first + count):
        text = random.Random(number).randbytes(size // 2).hex()
        messages = [
            {"content": f"Question {number} {ODD[number % len(ODD)]}", "role": "user"},
            {"content": f"Answer {text}", "role": "assistant"},
        ]
        extra = {"tags": ["x/y", None] if number % 2 else [], "meta": {"good": number % 3 == 0, "score": number}}
        made.append({"prompt": messages[0]["content"], "id": number, "messages": messages, **extra})
    return made


def shards(hub: Hub, split: str, count: int, name: str = NAME, **options: Any) -> list[Path]:
    """The split as parquet files of SHARD rows, in row groups of GROUP."""
    folder = hub.root / name / "data"
    folder.mkdir(parents=True, exist_ok=True)
    starts = list(range(0, count, SHARD))
    files = []
    for index, start in enumerate(starts):
        table = pa.Table.from_pylist(rows(min(SHARD, count - start), start, **options))
        files.append(folder / f"{split}-{index:05d}-of-{len(starts):05d}.parquet")
        pq.write_table(table, files[-1], row_group_size=GROUP)
    return files


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    root = tmp_path / "hub"
    (root / NAME).mkdir(parents=True)
    with running(root) as made:
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(fetch, "PAUSES", (0.0,) * len(fetch.PAUSES))
        yield made


def facts(
    source: str = SOURCE, config: str | None = None, pins: Mapping[str, str] | None = None, **splits: Any
) -> dict[str, DatasetFact]:
    made = Dataset.model_validate({"source": source, "config": config, "splits": splits or {"train": {}}})
    return describe(made, Path("nowhere"), Path("nowhere"), pins=pins)


def run(folder: Path, **splits: Any) -> dict[str, Prepared]:
    return prepare(facts(**splits), folder / "cache")[0]


def errors(folder: Path, found: Mapping[str, DatasetFact] | None = None) -> list[Diagnostic]:
    with pytest.raises(FineforgeError) as error:
        prepare(found or facts(), folder / "cache")
    assert [name for name in left(folder / "cache") if name.endswith((".jsonl", ".json")) and COMMIT not in name] == []
    assert not [name for name in left(folder / "cache") if name.startswith(".")], "nothing half-written is left"
    return list(error.value.diagnostics)


def ids(file: Prepared) -> list[int]:
    return [json.loads(line)["id"] for line in file.path.read_text(encoding="utf-8").splitlines()]


SCRIPT = """
import datasets, sys
datasets.disable_progress_bars()
for split in ("train", "test"):
    datasets.load_dataset(sys.argv[1], split=f"{split}[:{sys.argv[2]}%]").to_json(f"{sys.argv[3]}/{split}.jsonl")
"""
"""What the walkthrough does."""


@pytest.mark.parametrize("percent", [5, 37, 100])
def test_the_bytes_of_the_walkthroughs_script(percent: int, hub: Hub, tmp_path: Path) -> None:
    shards(hub, "train", 510)
    shards(hub, "test", 90)
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, NAME, str(percent), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    prepared = run(tmp_path, train={"percent": percent}, test={"percent": percent})
    for split, file in prepared.items():
        assert file.path.read_bytes() == (tmp_path / f"{split}.jsonl").read_bytes()
    assert prepared["train"].rows == round(510 * percent / 100)


def test_only_the_row_groups_that_hold_the_rows_are_fetched(hub: Hub, tmp_path: Path) -> None:
    """The floor is the row groups and the footers, each asked for as the last 64 KiB of its file."""
    files = shards(hub, "train", 1300, size=9000)
    floor = sum(min(FOOTER, file.stat().st_size) for file in files)
    for group in range(2):
        columns = [pq.ParquetFile(files[0]).metadata.row_group(group).column(index) for index in range(6)]
        floor += sum(column.total_compressed_size for column in columns)
    assert run(tmp_path, train={"percent": 5})["train"].rows == 65
    assert len(hub.data()) == 10 + 2
    assert hub.sent <= floor * 1.01
    assert sum(file.stat().st_size for file in files) > 5 * floor


def test_the_first_rows_need_only_the_first_file(hub: Hub, tmp_path: Path) -> None:
    shards(hub, "train", 1300, size=9000)
    assert ids(run(tmp_path, train={"rows": 45})["train"]) == list(range(45))
    assert len(hub.data()) == 1 + 2
    assert {request.path.rpartition("/")[2] for request in hub.data()} == {"train-00000-of-00010.parquet"}


def test_random_rows_skip_row_groups_too(hub: Hub, tmp_path: Path) -> None:
    shards(hub, "train", 1300, size=9000)
    few = ids(run(tmp_path, train={"rows": 3, "sample": "random", "seed": 1})["train"])
    assert len(hub.data()) <= 10 + 3
    assert few == sorted(few) and len(set(few)) == 3
    more = ids(run(tmp_path, train={"rows": 9, "sample": "random", "seed": 1})["train"])
    assert set(few) < set(more)
    assert ids(run(tmp_path, train={"rows": 3, "sample": "random", "seed": 2})["train"]) != few


def test_requests_are_counted_and_a_second_run_makes_none(hub: Hub, tmp_path: Path) -> None:
    """The commit's files, its README, then one request for each stretch of bytes, which is redirected to where files are."""
    shards(hub, "train", 100, size=10)
    (hub.root / NAME / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    first = run(tmp_path)
    kinds = [request.path.split("/")[1] for request in hub.requests]
    assert kinds == ["api", "datasets", "cdn", "datasets", "cdn"]
    assert run(tmp_path) == first
    run(tmp_path, train={"percent": 50})
    assert len(hub.requests) == len(kinds), "another recipe of the same files finds them in the cache"


def test_a_footer_that_is_longer_than_the_first_request(hub: Hub, tmp_path: Path) -> None:
    file = hub.root / NAME / "train.parquet"
    pq.write_table(pa.Table.from_pylist(rows(3000, size=3)), file, row_group_size=4)
    assert pq.read_metadata(file).serialized_size > FOOTER
    assert run(tmp_path, train={"rows": 10})["train"].rows == 10
    assert len(hub.data()) == 2 + 3


def test_the_token_goes_to_the_hub_and_nowhere_else(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards(hub, "train", 50)
    hub.gated[NAME] = "hf_secret"
    [problem] = errors(tmp_path)
    assert (problem.code, problem.message) == ("FF620", f"`hf://{NAME}` is gated")
    assert problem.hint == f"accept its terms at {hub.url}/datasets/{NAME}, and set HF_TOKEN to a token of that account"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.requests.clear()
    assert run(tmp_path)["train"].rows == 50
    assert {request.authorization for request in hub.requests if request.host == "127.0.0.1"} == {"Bearer hf_secret"}
    assert {request.authorization for request in hub.requests if request.host == "localhost"} == {""}
    assert "hf_secret" not in str([path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.suffix == ".json"])


def test_configurations_and_splits_are_named(hub: Hub, tmp_path: Path) -> None:
    shards(hub, "train", 50)
    readme = (
        "---\nconfigs:\n- config_name: long\n  data_files: data/train-*\n- config_name: short\n  data_files: data/none-*\n---\n"
    )
    (hub.root / NAME / "README.md").write_text(readme, encoding="utf-8")
    assert prepare(facts(config="long"), tmp_path / "long")[0]["train"].rows == 50
    found = {
        None: (("dataset", "config"), "has several configurations", "set `dataset.config`: it has `long`, `short`"),
        "lang": (("dataset", "config"), "has no configuration `lang`", "did you mean `long`? it has `long`, `short`"),
        "short": (("dataset", "splits", "train"), "contains no data files", ""),
    }
    for config, (path, words, hint) in found.items():
        [problem] = errors(tmp_path, facts(config=config))
        assert (problem.code, problem.path, problem.hint) == ("FF621", path, hint)
        assert problem.message == f"`{SOURCE}` {words}"
    [problem] = errors(tmp_path, facts(config="long", train={"from": "trian"}))
    assert (problem.code, problem.message) == ("FF621", f"`{SOURCE}` has no split `trian`")
    assert problem.hint == "did you mean `train`? it has `train`"


def test_a_dataset_without_files_that_can_be_read(hub: Hub, tmp_path: Path) -> None:
    (hub.root / NAME / "train.arrow").write_bytes(b"x")
    [problem] = errors(tmp_path)
    assert problem.code == "FF626"
    assert "made of `.arrow` files" in problem.message


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        (f"hf://shop/gone@{COMMIT}", "FF619", "dataset `hf://shop/gone` does not exist or is private"),
        (f"hf://{NAME}@{'0' * 40}", "FF619", f"revision `hf://{NAME}@0000000` does not exist"),
    ],
)
def test_what_is_not_there(source: str, code: str, words: str, hub: Hub, tmp_path: Path) -> None:
    shards(hub, "train", 50)
    [problem] = errors(tmp_path, facts(source, train={}, test={}))
    assert (problem.code, problem.message) == (code, words)


def test_a_file_that_vanished(hub: Hub, tmp_path: Path) -> None:
    [file] = shards(hub, "train", 50)
    hub.faults.append(Fault("status", "GET /datasets/", 404, {"X-Error-Code": "EntryNotFound"}))
    [problem] = errors(tmp_path)
    assert problem.message == f"`hf://{NAME}/data/{file.name}` does not exist (404)"


PASSING: dict[str, Fault] = {
    "too many requests": Fault("status", "/cdn/", 429, {"Retry-After": "0"}),
    "too many requests of the API": Fault("status", "/api/", 429, {"Retry-After": "0"}),
    "no service": Fault("status", "/datasets/", 503, times=3),
    "a connection that breaks": Fault("break", "/cdn/", times=3),
    "a shard cut short": Fault("short", "/cdn/", times=3),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_tried_again(name: str, hub: Hub, tmp_path: Path) -> None:
    shards(hub, "train", 200)
    expected = run(tmp_path / "calm")["train"].sha256
    hub.faults.append(PASSING[name])
    assert run(tmp_path)["train"].sha256 == expected
    assert hub.faults[0].times == 0


def test_what_had_arrived_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    files = shards(hub, "train", 130, size=9000)
    hub.faults.append(Fault("break", "/cdn/", times=3))
    run(tmp_path)
    assert hub.sent <= sum(file.stat().st_size for file in files) + FOOTER


LASTING: dict[str, tuple[Fault, str, str]] = {
    "too many requests, said as the hub says it": (
        Fault("status", "/cdn/", 429, {"RateLimit": '"resolvers";r=0;t=280'}),
        *("the server answers 429 (too many requests)", "the server asks to wait 280 seconds"),
    ),
    "too many requests": (
        Fault("status", "/cdn/", 429, {"Retry-After": "3600"}),
        *(
            "the server answers 429 (too many requests)",
            "the server asks to wait 3600 seconds; a token in HF_TOKEN raises the limits",
        ),
    ),
    "no service": (Fault("status", "/cdn/", 500, times=99), "the server answers 500", "run the same command again"),
    "a connection that breaks": (Fault("break", "/cdn/", times=99), "the connection broke", "downloaded parts are kept"),
    "a shard cut short": (Fault("short", "/cdn/", times=99), "bytes early", "downloaded parts are kept"),
    "a refusal": (Fault("status", "/cdn/", 418), "the server answers 418", ""),
}


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_an_error(name: str, hub: Hub, tmp_path: Path) -> None:
    """Said once, though both splits are of the same source."""
    shards(hub, "train", 200)
    shards(hub, "test", 60)
    fault, words, hint = LASTING[name]
    hub.faults.append(fault)
    [problem] = errors(tmp_path, facts(train={}, test={}))
    assert problem.code == "FF622"
    assert problem.message.startswith(f"`hf://{NAME}/data/train-00000-of-00002.parquet` cannot be downloaded: ")
    assert words in problem.message and hint in problem.hint
    hub.faults.clear()
    assert run(tmp_path)["train"].rows == 200


def test_nobody_answers(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    [problem] = errors(tmp_path)
    assert problem.code == "FF622"
    assert problem.message == f"`hf://{NAME}@{COMMIT[:7]}` cannot be downloaded: no connection to 127.0.0.1"


@pytest.mark.parametrize("address", ["hub.example.com", "not a url", "ftp://hub.example.com", "https://"])
def test_an_endpoint_that_is_no_address(address: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    [problem] = errors(tmp_path)
    assert (problem.code, problem.message) == ("FF622", "HF_ENDPOINT is not a valid URL")


def test_an_endpoint_that_is_no_hub(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (hub.root / "page").mkdir()
    (hub.root / f"page/api/datasets/{NAME}/revision").mkdir(parents=True)
    (hub.root / f"page/api/datasets/{NAME}/revision/{COMMIT}").write_text("<html>", encoding="utf-8")
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.url}/cdn/page")
    [problem] = errors(tmp_path)
    assert problem.code == "FF622" and problem.message.endswith("the answer is not JSON")


@pytest.mark.parametrize("answer", ["[]", "{}", '{"sha": 7}', '{"sha": "main?/../../../x"}', "null"])
def test_an_answer_that_is_not_a_hubs(answer: str, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it calls a commit would become part of a file's name."""
    (hub.root / f"page/api/datasets/{NAME}/revision").mkdir(parents=True)
    (hub.root / f"page/api/datasets/{NAME}/revision/main").write_text(answer, encoding="utf-8")
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.url}/cdn/page")
    with pytest.raises(FineforgeError, match=r"FF622 .* the answer does not come from a hub"):
        resolve(f"hf://{NAME}@main")


@pytest.mark.parametrize("answer", ["[]", '{"siblings": [{}]}', '{"siblings": [{"rfilename": "a", "size": "many"}]}'])
def test_a_listing_that_is_none(answer: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (hub.root / f"page/api/datasets/{NAME}/revision").mkdir(parents=True)
    (hub.root / f"page/api/datasets/{NAME}/revision/{COMMIT}").write_text(answer, encoding="utf-8")
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.url}/cdn/page")
    [problem] = errors(tmp_path)
    assert problem.code == "FF622" and problem.message.endswith("the answer does not come from a hub")


def test_damaged_bytes_are_not_kept(hub: Hub, tmp_path: Path) -> None:
    """Zeros in place of a footer, then of a row group: each is found, and fetched anew by the next run."""
    shards(hub, "train", 130, size=9000)
    for where in ("/cdn/", f"/cdn/{NAME}/data/train-00000-of-00001.parquet bytes=4-"):
        hub.faults.append(Fault("garbage", where))
        [problem] = errors(tmp_path)
        assert problem.code == "FF627" and "train-00000-of-00001.parquet` is damaged: " in problem.message
    assert run(tmp_path)["train"].rows == 130


def test_a_damaged_cache_is_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    shards(hub, "train", 130, size=9000)
    expected = run(tmp_path)["train"].sha256
    pieces = sorted((tmp_path / "cache").rglob("*.piece"))
    assert len(pieces) == 4 + 1
    pieces[0].write_bytes(bytes(pieces[0].stat().st_size))
    for file in (tmp_path / "cache").glob("*.jsonl"):
        file.unlink()
    hub.requests.clear()
    assert run(tmp_path)["train"].sha256 == expected
    assert len(hub.data()) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from fineforge.dataset import prepare
from test_hub import facts
def progress(split, rows, wanted, fetched):
    if rows > 300:
        os.kill(os.getpid(), signal.SIGKILL)
prepare(facts(), Path(sys.argv[1]) / "cache", progress=progress)
"""


def test_a_killed_run_goes_on_where_it_was(hub: Hub, tmp_path: Path) -> None:
    files = shards(hub, "train", 1300, size=3000)
    ran = elsewhere(KILLED, tmp_path)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert [name for name in left(tmp_path / "cache") if name.endswith(".jsonl")] == []
    before, whole = hub.sent, sum(file.stat().st_size for file in files)
    assert before > whole / 6
    assert ids(run(tmp_path)["train"]) == list(range(1300))
    in_flight = 5 * max(pq.read_metadata(file).row_group(0).total_byte_size for file in files)
    assert hub.sent <= whole * 1.4 + in_flight


def test_an_interrupted_run_waits_for_nothing_more(hub: Hub, tmp_path: Path) -> None:
    """It has the first thousand rows of four, and what was on its way."""
    files = shards(hub, "train", 4000, size=1000)

    def interrupt(_: str, rows: int, *__: Any) -> None:
        if rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(facts(), tmp_path / "cache", progress=interrupt)
    assert hub.sent < sum(file.stat().st_size for file in files) / 2
    assert not [name for name in left(tmp_path / "cache") if name.startswith(".") or name.endswith(".jsonl")]


def test_bytes_are_told_before_there_are_rows(hub: Hub, tmp_path: Path) -> None:
    """A row group may take minutes to come; whoever has enough of it need not wait for its end."""
    shards(hub, "train", 400, size=4000)
    told: list[tuple[Any, ...]] = []
    prepare(facts(), tmp_path / "cache", progress=lambda *values: told.append(values))
    assert told[0][1:3] == (0, None) and 0 < told[0][3] < hub.sent
    assert told[-1] == ("train", 400, 400, hub.sent)

    def enough(*_: Any) -> None:
        raise KeyboardInterrupt

    hub.requests.clear()
    with pytest.raises(KeyboardInterrupt):
        prepare(facts(), tmp_path / "other", progress=enough)
    assert len(hub.data()) <= 4


OFFLINE = """
import sys
from pathlib import Path
from fineforge.dataset import prepare
from fineforge.core.diagnostics import FineforgeError
from test_hub import facts
try:
    prepare(facts(), Path(sys.argv[1]) / "cache")
except FineforgeError as error:
    print(error)
"""


def test_offline_on_purpose(hub: Hub, tmp_path: Path) -> None:
    ran = elsewhere(OFFLINE, tmp_path, HF_HUB_OFFLINE="1")
    assert ran.stdout.startswith(f"FF622 `hf://{NAME}@{COMMIT[:7]}` cannot be downloaded: ") and "offline mode" in ran.stdout
    assert hub.requests == []


def elsewhere(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code of this module in a process of its own."""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parents[2]}", **environment}
    return subprocess.run([sys.executable, "-c", code, str(folder)], env=environment, capture_output=True, text=True, check=False)


def test_a_file_without_rows(hub: Hub, tmp_path: Path) -> None:
    [file] = shards(hub, "train", 1)
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    [problem] = errors(tmp_path)
    assert (problem.code, problem.message) == ("FF604", f"`{SOURCE}` has no rows")


def test_files_whose_columns_differ(hub: Hub, tmp_path: Path) -> None:
    first, second = shards(hub, "train", SHARD + 10)
    table = pq.read_table(second)
    pq.write_table(table.select(table.column_names[::-1]), second)
    hub.digests.clear()
    assert (
        list(json.loads(run(tmp_path)["train"].path.read_text(encoding="utf-8").splitlines()[-1]))
        == pq.read_table(first).column_names
    )
    pq.write_table(table.drop_columns(["id"]), second)
    [problem] = errors(tmp_path / "other")
    assert problem.message.endswith("train-00001-of-00002.parquet` is damaged: its columns differ from those of the first file")


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl"])
def test_other_formats_are_read_as_the_library_reads_them(ending: str, hub: Hub, tmp_path: Path) -> None:
    table = {"prompt": ["One/two?", 'Say "hi", now'], "response": ["Yes\tno", "Hi é"]}
    lines = [{key: values[index] for key, values in table.items()} for index in range(2)]
    text = {
        "csv": 'prompt,response\nOne/two?,Yes\tno\n"Say ""hi"", now",Hi é\n',
        "tsv": 'prompt\tresponse\nOne/two?\t"Yes\tno"\n"Say ""hi"", now"\tHi é\n',
        "json": json.dumps(lines),
        "jsonl": "".join(json.dumps(line) + "\n" for line in lines),
    }
    (hub.root / NAME / f"train.{ending}").write_text(text[ending], encoding="utf-8")
    file = prepare(facts(), tmp_path / "cache", required_columns=("prompt",))[0]["train"]
    assert file.path.read_bytes() == b"".join(fetch_line(line) for line in lines)
    mapped = run(tmp_path, train={"columns": {"prompt": "prompt", "response": "response"}})["train"]
    assert json.loads(mapped.path.read_bytes().splitlines()[1])["messages"][1] == {"role": "assistant", "content": "Hi é"}


def fetch_line(value: dict[str, str]) -> bytes:
    from fineforge.dataset.encode import line

    return line(value) + b"\n"


def test_a_csv_with_a_separator_of_its_own(hub: Hub, tmp_path: Path) -> None:
    readme = "---\nconfigs:\n- config_name: default\n  data_files: a.csv\n  sep: ';'\n---\n"
    (hub.root / NAME / "README.md").write_text(readme, encoding="utf-8")
    (hub.root / NAME / "a.csv").write_text("prompt;response\nWhere, when?;Here\n", encoding="utf-8")
    file = run(tmp_path, train={"columns": {"prompt": "prompt", "response": "response"}})["train"]
    assert json.loads(file.path.read_bytes())["messages"][0]["content"] == "Where, when?"


def test_a_file_that_is_not_what_it_says(hub: Hub, tmp_path: Path) -> None:
    (hub.root / NAME / "train.json").write_text('{"prompt": "cut', encoding="utf-8")
    [problem] = errors(tmp_path)
    assert problem.code == "FF627"


def test_pins(hub: Hub) -> None:
    bare = f"hf://{NAME}"
    with pytest.raises(FineforgeError) as error:
        facts(bare)
    [problem] = error.value.diagnostics
    assert (problem.code, problem.hint, problem.path) == ("FF618", "`fineforge lock` pins it", ("dataset", "source"))
    assert resolve(bare) == resolve(f"{bare}@main") == resolve(SOURCE) == COMMIT
    found = facts(f"{bare}@main", pins={f"{bare}@main": COMMIT})["train"]
    assert (found.revision, found.rows, found.selection) == (COMMIT, None, {"source": bare, "from": "train", "percent": 100})
    with pytest.raises(FineforgeError, match="FF619 revision"):
        resolve(f"{bare}@nobody")
    assert len(hub.requests) == 4, "describing asks nobody, resolving asks once"


@pytest.mark.parametrize("source", ["hf://", "hf://a/b/c", "hf://a b", "hf://shop/talks@"])
def test_names_that_are_none(source: str) -> None:
    with pytest.raises(FineforgeError, match=r"FF626 .* is not a valid hub dataset"):
        facts(source)
