"""Every kind of source: files of all formats, patterns, addresses, assets of the workspace; what pins them, what is digested."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fineforge.config.spec import Dataset
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.facts import DatasetFact
from fineforge.dataset import describe, fetch, prepare, resolve, whole
from fineforge.resources.naming import recipe_digest
from tests.support.hub import Fault, Hub, running
from tests.unit.dataset.dataset_files import dataset, facts, findings, left, row, run, write

PAIRS = [{"prompt": f"Question {n}, or/and?", "response": f"Answer {n} é\x7f"} for n in range(7)]


def parquet(file: Path, rows: list[dict[str, Any]], group: int = 3) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=group)
    return file


def as_file(file: Path, rows: list[dict[str, Any]]) -> Path:
    """The rows in the format of the file's ending."""
    if file.suffix == ".parquet":
        return parquet(file, rows)
    separator = "\t" if file.suffix == ".tsv" else ","
    text = {
        ".json": json.dumps(rows),
        ".jsonl": "".join(json.dumps(value) + "\n" for value in rows),
        ".csv": separator.join(rows[0])
        + "\n"
        + "".join(separator.join(f'"{cell}"' for cell in value.values()) + "\n" for value in rows),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text[".csv" if file.suffix == ".tsv" else file.suffix], encoding="utf-8")
    return file


@pytest.mark.parametrize("ending", ["json", "csv", "tsv", "parquet"])
def test_tables_are_written_as_the_library_writes_them(ending: str, tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    file = as_file(tmp_path / f"data/train.{ending}", PAIRS)
    builder, told = ("csv", {"sep": "\t"}) if ending == "tsv" else (ending, {})
    split = f"train[:{43}%]"
    theirs = datasets.load_dataset(builder, data_files=str(file), split=split, cache_dir=str(tmp_path / "theirs"), **told)
    stream = io.BytesIO()
    theirs.to_json(stream)
    found = facts(tmp_path, train={"percent": 43})
    prepared = prepare(found, tmp_path / "cache", required_columns=("prompt", "response"))[0]["train"]
    assert prepared.path.read_bytes() == stream.getvalue()
    assert prepared.rows == 3
    assert found["train"].selection == {"format": ending, "percent": 43}
    assert found["train"].revision == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_every_format_gives_the_same_conversations(ending: str, tmp_path: Path) -> None:
    as_file(tmp_path / f"data/train.{ending}", PAIRS)
    file = run(tmp_path, train={"columns": {"prompt": "prompt", "response": "response"}})["train"]
    expected = [
        {"messages": [{"role": "user", "content": pair["prompt"]}, {"role": "assistant", "content": pair["response"]}]}
        for pair in PAIRS
    ]
    assert [json.loads(line) for line in file.path.read_text(encoding="utf-8").split("\n")[:-1]] == expected


def test_a_pattern_is_all_its_files_in_order(tmp_path: Path) -> None:
    write(tmp_path / "data/b.jsonl", row("Third?"), "", row("Fourth?"))
    write(tmp_path / "data/a.jsonl", row("First?"), row("Second?"))
    found = facts(tmp_path, "data/*.jsonl", train={"percent": 75})["train"]
    assert (found.rows, found.total, found.local_path) == (3, 4, "")
    assert [Path(file).name for file in found.files] == ["a.jsonl", "b.jsonl"]
    prepared = run(tmp_path, "data/*.jsonl", train={"rows": 3})["train"]
    assert [json.loads(line)["messages"][0]["content"] for line in prepared.path.open()] == ["First?", "Second?", "Third?"]


def test_rows_of_several_files_are_named_by_file_and_line(tmp_path: Path) -> None:
    write(tmp_path / "data/a.jsonl", row("First?"), row("Second?"))
    file = write(tmp_path / "data/b.jsonl", "", "nonsense", row("First?"))
    broken, repeated = findings(tmp_path, "data/*.jsonl")
    assert broken.message == "`data/b.jsonl` line 2: not JSON: expecting value at column 1"
    assert broken.span and (broken.span.file, broken.span.line) == (str(file), 2)
    assert repeated.message == "`data/b.jsonl` line 3: the same prompt as `data/a.jsonl` line 1"


def test_rows_of_tables_are_named_by_number(tmp_path: Path) -> None:
    parquet(tmp_path / "data/train.parquet", [{"messages": [{"role": "user", "content": "Where?"}]}] * 2)
    parquet(tmp_path / "data/test.parquet", [json.loads(row("When?"))] * 2)
    found = findings(tmp_path, train={}, test={})
    assert [(d.code, d.message) for d in found] == [
        ("FF612", "`data/train.parquet` row 1: the last message has the role `user`, expected `assistant`"),
        ("FF612", "`data/train.parquet` row 2: the last message has the role `user`, expected `assistant`"),
        ("FF615", "`data/test.parquet` row 2: the same prompt as row 1"),
    ]
    assert {d.span for d in found} == {None}
    assert found[0].path == ("dataset", "splits", "train")


def test_shards_in_a_folder_are_a_split(tmp_path: Path) -> None:
    for index in range(2):
        parquet(tmp_path / f"data/train-{index}.parquet", [json.loads(row(f"What is {index} and {n}?")) for n in range(4)])
    found = facts(tmp_path, train={"percent": 75})["train"]
    assert found.source == "data/train-*"
    assert run(tmp_path, train={"percent": 75})["train"].rows == 6


def test_files_of_different_formats_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "data/a.jsonl", row("Where?"))
    write(tmp_path / "data/b.csv", "a,b")
    [problem] = findings(tmp_path, "data/*")
    assert (problem.code, problem.message) == ("FF626", "`data/*` names files of different or unknown formats: `.csv`, `.jsonl`")


def test_a_packed_file_is_called_one(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl.gz", gzip.compress(row("Where?").encode()))
    [problem] = findings(tmp_path, "train.jsonl.gz")
    assert (problem.code, problem.message) == ("FF626", "`train.jsonl.gz` is packed") and "unpack the file" in problem.hint


@pytest.mark.parametrize("source", ["../*.jsonl", "/etc/*.conf", "data/../../*.jsonl", "data/link/*.jsonl"])
def test_patterns_stay_in_the_project(source: str, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/train.jsonl", row("Where?"))
    (tmp_path / "project/data").mkdir(parents=True)
    (tmp_path / "project/data/link").symlink_to(tmp_path / "elsewhere")
    assert [d.code for d in findings(tmp_path / "project", source)] == ["FF602"]


def test_a_table_that_changed_is_refused(tmp_path: Path) -> None:
    file = as_file(tmp_path / "data/train.csv", PAIRS)
    found = facts(tmp_path, train={"columns": {"prompt": "prompt", "response": "response"}})
    as_file(file, PAIRS[:5])
    with pytest.raises(FineforgeError, match=r"FF606 `data/train\.csv` changed while it was read"):
        prepare(found, tmp_path / "cache")


def test_a_split_with_a_source_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", row("First?"))
    write(tmp_path / "b.jsonl", row("Second?"))
    made = Dataset.model_validate({"source": "a.jsonl", "splits": {"train": {}, "test": {"source": "b.jsonl"}}})
    found = describe(made, tmp_path, tmp_path)
    assert [fact.source for fact in found.values()] == ["a.jsonl", "b.jsonl"]


def test_an_asset_is_used_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", row("Where?"))
    made = Dataset.model_validate({"source": "data", "splits": {"train": {}, "test": {"source": "azureml:talks-test:7"}}})
    found = describe(made, tmp_path, tmp_path)
    assert found["test"] == DatasetFact(
        "test", "azureml:talks-test:7", "azureml:talks-test:7", {"asset": "azureml:talks-test:7"}, asset="azureml:talks-test:7"
    )
    assert list(prepare(found, tmp_path / "cache")[0]) == ["train"]
    for source in ("azureml:talks", "azureml:talks@latest", "azureml:a:b:c"):
        assert [d.code for d in findings(tmp_path, source)] == ["FF626"]


@pytest.mark.parametrize("key", ["percent", "rows", "sample", "filter", "columns", "holdout"])
def test_nothing_changes_an_asset(key: str, tmp_path: Path) -> None:
    values = {"percent": 5, "rows": 5, "sample": "random", "filter": "true", "columns": {"messages": "a"}, "holdout": 5}
    [problem] = findings(tmp_path, "azureml:talks:1", train={key: values[key]})
    assert (problem.code, problem.path) == ("FF629", ("dataset", "splits", "train", key))


def test_a_configuration_is_of_the_hub_only(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", row("Where?"))
    mixed = {
        "source": f"hf://shop/talks@{'8' * 40}",
        "config": "main",
        "splits": {"train": {}, "test": {"source": "data/train.jsonl"}},
    }
    found = describe(Dataset.model_validate(mixed), tmp_path, tmp_path)
    assert ["config" in fact.selection for fact in found.values()] == [True, False]
    with pytest.raises(FineforgeError, match="FF626 `config` does not apply to `data`"):
        describe(Dataset.model_validate({"source": "data", "config": "main", "splits": {"train": {}}}), tmp_path, tmp_path)


# --- addresses


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    (tmp_path / "web").mkdir()
    monkeypatch.setattr(fetch, "PAUSES", (0.0,) * len(fetch.PAUSES))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with running(tmp_path / "web") as made:
        yield made


def at(web: Hub, name: str, pin: str | None = None, **train: Any) -> dict[str, DatasetFact]:
    source = f"{web.cdn}/cdn/{name}"
    made = Dataset.model_validate({"source": source, "splits": {"train": train}})
    pins: Mapping[str, str] = {source: pin if pin is not None else resolve(source)}
    return describe(made, Path("nowhere"), Path("nowhere"), pins=pins)


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_a_file_of_the_web(ending: str, web: Hub, tmp_path: Path) -> None:
    as_file(web.root / f"train.{ending}", PAIRS)
    found = at(web, f"train.{ending}", columns={"prompt": "prompt", "response": "response"}, rows=2)
    assert found["train"].revision.startswith('etag:"')
    assert prepare(found, tmp_path / "cache")[0]["train"].rows == 2
    requests = len(web.requests)
    assert prepare(found, tmp_path / "cache")[0]["train"].rows == 2
    assert len(web.requests) == requests
    assert {request.authorization for request in web.requests} == {""}, "the hub's token is not for others"


def test_without_etags_the_bytes_are_the_pin(web: Hub, tmp_path: Path) -> None:
    web.etags = False
    file = write(web.root / "train.jsonl", row("Where?"))
    found = at(web, "train.jsonl")
    assert found["train"].revision == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    assert prepare(found, tmp_path / "cache")[0]["train"].path.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("etags", [True, False])
def test_what_is_no_longer_what_was_pinned(etags: bool, web: Hub, tmp_path: Path) -> None:
    web.etags = etags
    file = write(web.root / "train.jsonl", row("Where?"))
    found = at(web, "train.jsonl")
    write(file, row("Who?"))
    with pytest.raises(FineforgeError) as error:
        prepare(found, tmp_path / "cache")
    [problem] = error.value.diagnostics
    assert (problem.code, problem.hint) == ("FF606", "`fineforge lock --upgrade` pins the current version")
    assert left(tmp_path / "cache") == []


@pytest.mark.parametrize("ranges", [True, False])
def test_a_large_file_breaks_off(ranges: bool, web: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks where the server can, and downloaded parts are kept; else from the start again."""
    monkeypatch.setattr(whole, "BLOCK", 1 << 16)
    web.no_ranges = not ranges
    file = write(web.root / "train.jsonl", *(row(f"What is {n}?", "x" * 3000) for n in range(100)))
    found = at(web, "train.jsonl")
    web.faults.append(Fault("break", "GET /cdn/", times=3))
    assert prepare(found, tmp_path / "cache")[0]["train"].path.read_bytes() == file.read_bytes()
    size = file.stat().st_size
    assert web.sent <= size * 1.2 if ranges else web.sent >= size * 2
    assert len([name for name in left(tmp_path / "cache") if name.endswith(".piece")]) == 1, "blocks are joined and gone"


def test_a_file_that_is_not_there(web: Hub, tmp_path: Path) -> None:
    with pytest.raises(FineforgeError, match=r"FF619 .* does not exist \(404\)"):
        at(web, "train.jsonl")
    with pytest.raises(FineforgeError, match=r"FF619 .* does not exist \(404\)"):
        prepare(at(web, "train.jsonl", "sha256:" + "0" * 64), tmp_path / "cache")


ADDRESSES = {
    "http://a.example/b.jsonl": ("FF626", "`http://a.example/b.jsonl` is not encrypted"),
    "https://me:word@a.example/b.jsonl": ("FF626", "`https://a.example/b.jsonl` contains a user name"),
    "https://a.example/b.zip": ("FF626", "unknown format of `https://a.example/b.zip`"),
    "https://a.example/b.jsonl?x=1": ("FF618", "`https://a.example/b.jsonl` is not pinned, so its content can change"),
    "https://a.example/b.jsonl?sv=1&sig=secret": ("FF626", "`https://a.example/b.jsonl` contains a signature or a token"),
    "https://a.example/b.jsonl?X-Amz-Signature=secret": ("FF626", "`https://a.example/b.jsonl` contains a signature or a token"),
    "https://a.example/b.jsonl?access_token=secret": ("FF626", "`https://a.example/b.jsonl` contains a signature or a token"),
    "s3://a/b.jsonl": ("FF626", "`s3://a/b.jsonl` is not a known kind of source"),
}


@pytest.mark.parametrize("source", ADDRESSES)
def test_addresses_that_are_refused(source: str, tmp_path: Path) -> None:
    [problem] = findings(tmp_path, source)
    assert (problem.code, problem.message) == ADDRESSES[source]


def test_a_query_is_shown_nowhere(web: Hub, tmp_path: Path) -> None:
    write(web.root / "train.jsonl", row("Where?"))
    found = at(web, "train.jsonl?who=secret")["train"]
    assert prepare({"train": found}, tmp_path / "cache")[0]["train"].rows == 1
    told = (found.source, found.revision, dict(found.selection))
    assert "secret" not in repr(told)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


def test_one_file_has_one_split(tmp_path: Path) -> None:
    with pytest.raises(FineforgeError, match="it has no split `test`"):
        describe(
            dataset("https://a.example/b.jsonl", test={}, train={}), tmp_path, tmp_path, pins={"https://a.example/b.jsonl": "x"}
        )


# --- digests: they name data assets, so they may never change


def test_golden_digests(tmp_path: Path) -> None:
    write(
        tmp_path / "data/train.jsonl",
        '{"messages": [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Here."}]}',
    )
    hub, pin = "hf://shop/talks", {"hf://shop/talks": "8" * 40, "https://a.example/b.csv": 'etag:"1"'}
    recipes: dict[str, tuple[str, dict[str, Any]]] = {
        "all": ("data", {}),
        "percent": ("data", {"percent": 5}),
        "rows": ("data", {"rows": 5}),
        "random": ("data", {"rows": 5, "sample": "random"}),
        "filter": ("data", {"filter": "size(messages) > 2"}),
        "columns": ("data", {"columns": {"prompt": "q", "response": "a"}}),
        "holdout": ("data", {"holdout": 5}),
        "hub": (hub, {"from": "train_sft", "percent": 5}),
        "address": ("https://a.example/b.csv", {}),
    }
    found = {}
    for name, (source, split) in recipes.items():
        fact = describe(dataset(source, train=split), tmp_path, tmp_path, pins=pin)
        found[name] = [recipe_digest(one)[:12] for one in fact.values()]
    assert found == GOLDEN
    assert len({digest for digests in found.values() for digest in digests}) == 10


GOLDEN = {
    "all": ["28c77df25f5a"],
    "percent": ["270a0869baad"],
    "rows": ["904ac4f60b98"],
    "random": ["c1119d0a0669"],
    "filter": ["4637d3ab3ce6"],
    "columns": ["af229ace32c2"],
    "holdout": ["1c60ad561130", "3e4f1487c76f"],
    "hub": ["6214e83d9932"],
    "address": ["d7bb652c1595"],
}


# --- rows whose keys differ, which the library keeps as JSON within the table


def value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(5 if depth > 2 else 7)
    if kind == 5:
        return [value(chance, depth + 1) for _ in range(chance.randrange(3))]
    if kind == 6:
        return {chance.choice(["a", "b/c", "é"]): value(chance, depth + 1) for _ in range(chance.randrange(3))}
    plain = (
        None,
        True,
        chance.randrange(-5, 10**12),
        chance.choice([0.1, 1.0, 1 / 3, -2.5e-7]),
        chance.choice(["a/b", "\x7f", "😀"]),
    )
    return plain[kind]


MIXED: dict[str, list[dict[str, Any]]] = {
    "numbers and text": [{"q": "x", "a": 1}, {"q": "x", "a": "s"}],
    "other keys": [{"q": "x", "a": {"k": 1}}, {"q": "x", "a": {"z": "y"}}, {"q": "x", "a": None}],
    "a missing column": [{"q": "x"}, {"q": "y", "b": 1}],
    "tools in messages": [
        {
            "q": "x",
            "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "tool_calls": [{"f": 1}]}],
        },
        {"q": "y", "messages": [{"role": "user", "content": None}]},
    ],
    "within a struct": [{"q": "x", "o": {"p": {"k": 1}, "n": 1}}, {"q": "x", "o": {"p": "text", "n": None}}],
    "times": [{"q": "x", "when": "2020-01-02T03:04:05"}, {"q": "x", "when": "2020-01-02"}],
    "anything": [{"q": "x", "v": value(random.Random(n)), "l": [value(random.Random(-n), 1)]} for n in range(300)],
}


@pytest.mark.parametrize("ending", ["json", "parquet"])
@pytest.mark.parametrize("name", MIXED)
def test_rows_whose_keys_differ(name: str, ending: str, tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    file = write(tmp_path / "data/train.json", *map(json.dumps, MIXED[name]))
    theirs = datasets.load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path / "theirs"))
    if ending == "parquet":
        file.unlink()
        theirs.to_parquet(str(file.with_suffix(".parquet")))
        theirs = datasets.load_dataset(
            "parquet", data_files=str(file.with_suffix(".parquet")), split="train", cache_dir=str(tmp_path)
        )
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about times
        theirs.to_json(stream)
    prepared = prepare(facts(tmp_path), tmp_path / "cache", required_columns=("q",))[0]["train"]
    assert prepared.path.read_bytes() == stream.getvalue()


def test_messages_whose_keys_differ_are_messages(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "tool_calls": [{"f": 1}]}]
    rows = [{"talk": turns}, {"talk": [{"role": "user", "content": "R", "name": 7}, {"role": "assistant", "content": "B"}]}]
    write(tmp_path / "data/train.json", *map(json.dumps, rows))
    train = {"columns": {"messages": "talk"}, "filter": "talk.exists(m, has(m.tool_calls))"}
    [line] = run(tmp_path, train=train)["train"].path.read_bytes().splitlines()
    assert json.loads(line)["messages"] == [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]


@pytest.mark.parametrize("text", ["null", "[null]", "\0" * 64])
def test_json_that_crashes_its_reader_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    script = "import sys; from pathlib import Path; from dataset_files import findings\n"
    script += "print([d.code for d in findings(Path(sys.argv[1]), 'x.json')])"
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, "FF6" in ran.stdout) == (0, True), (ran.stdout, ran.stderr)


def test_a_pattern_of_many_double_stars_ends(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"abcdefghijklmnopq")
    write(deep / "x.jsonl", row("Where?"))
    script = "import sys; from pathlib import Path; from dataset_files import facts\n"
    script += "for pattern in ('**/' * 14, '**/*/' * 8): print(facts(Path(sys.argv[1]), pattern + '*.jsonl')['train'].rows)"
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.stdout.split() == ["1", "1"], ran.stderr
