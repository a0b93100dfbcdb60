"""Every code of the data checks, shown once by a real file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fineforge.core.codes import CODES
from fineforge.core.diagnostics import Diagnostic, FineforgeError, Severity
from fineforge.dataset import describe, prepare
from fineforge.dataset.local import MAX_LINE
from tests.unit.dataset.dataset_files import dataset, facts, findings, left, row, run, write

Case = Callable[[Path], list[Diagnostic]]


def _train(*rows: str | bytes, context: int | None = None, **splits: dict[str, Any]) -> Case:
    def case(folder: Path) -> list[Diagnostic]:
        write(folder / "data/train.jsonl", *rows)
        return findings(folder, "data", context, **splits)

    return case


def _messages(*messages: dict[str, str]) -> str:
    return json.dumps({"messages": messages})


def _outside(folder: Path) -> list[Diagnostic]:
    write(folder / "data/train.jsonl", row("Where?"))
    (folder / "project").mkdir()
    return findings(folder / "project", "../data")


def _unreadable(folder: Path) -> list[Diagnostic]:
    return findings(folder, "x" * 300)


def _no_cache(folder: Path) -> list[Diagnostic]:
    write(folder / "data/train.jsonl", row("Where?"))
    write(folder / "cache", "a file stands where the folder should be")
    return findings(folder)


def _changed(folder: Path) -> list[Diagnostic]:
    file = write(folder / "data/train.jsonl", row("Where?"))
    found = facts(folder)
    write(file, row("Where?"), row("And when?"))
    with pytest.raises(FineforgeError) as error:
        prepare(found, folder / "cache")
    assert left(folder / "cache") == []
    return list(error.value.diagnostics)


def _shared(folder: Path) -> list[Diagnostic]:
    write(folder / "data/train.jsonl", row("Where?"), row("When?"))
    write(folder / "data/test.jsonl", row("Who?"), row("When?", "At nine in the morning."))
    return findings(folder, train={}, test={})


def _of(source: str, **splits: dict[str, Any]) -> Case:
    return lambda folder: findings(folder, source, **splits)


def _damaged(folder: Path) -> list[Diagnostic]:
    write(folder / "data/train.parquet", "PAR1 and no more")
    return findings(folder)


def _wide(folder: Path) -> list[Diagnostic]:
    write(folder / "data/train.csv", ",".join(f"c{n}" for n in range(10_001)))
    return findings(folder)


def _image(folder: Path) -> list[Diagnostic]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "data").mkdir()
    pq.write_table(pa.table({"image": [b"\xff\xd8"]}), folder / "data/train.parquet")
    return findings(folder)


def _no_size(folder: Path) -> list[Diagnostic]:
    write(folder / "data/train.jsonl", row("Where?"))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(FineforgeError) as error:
        patch.setenv("FINEFORGE_CACHE_GIB", "much")
        run(folder)
    return list(error.value.diagnostics)


ASK, ANSWER = {"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Behind the blue gate."}
CASES: dict[str, tuple[Case, str]] = {
    "FF601": (findings, "file or folder `data`"),
    "FF602": (_outside, "`../data` leads outside the project"),
    "FF603": (_unreadable, "` cannot be read: file name too long"),
    "FF604": (_train(), "`data/train.jsonl` has no rows"),
    "FF605": (_no_cache, "cache` cannot be written: file exists"),
    "FF606": (_changed, "`data/train.jsonl` changed while it was read"),
    "FF607": (_train(row("Where?"), train={"rows": 7}), "has 1 rows, but 7 were requested"),
    "FF608": (_train(row("Where?"), b'{"messages": "Z\xfcrich"}'), "line 2: byte 16 of it, 0xfc, is not UTF-8"),
    "FF609": (_train('{"messages": ['), "line 1: not JSON: expecting value at column 15"),
    "FF610": (_train(row("x" * MAX_LINE)), "line 1 is longer than 16 MiB"),
    "FF611": (_train('{"text": "Where?"}'), "line 1: no `messages`"),
    "FF612": (_train(_messages(ASK, ASK, ANSWER)), "line 1: message 2 has the role `user`, expected `assistant`"),
    "FF613": (_train(_messages({**ASK, "content": " \n"}, ANSWER)), "line 1: message 1 is empty"),
    "FF614": (_train(_messages(ASK, {**ANSWER, "content": "Gone \ud83d"})), "message 2 contains a lone surrogate"),
    "FF615": (_train(row("Where?"), row("When?"), row("Where?", "Here.")), "line 3: the same prompt as line 1"),
    "FF616": (_shared, "`data/test.jsonl`: 1 prompt also appears in `data/train.jsonl`: line 2"),
    "FF617": (_train(row("Where?", "x" * 400), context=100), "line 1: about 102 tokens, but the model's context is 100"),
    "FF618": (_of("hf://shop/talks"), "`hf://shop/talks` is not pinned, so its content can change"),
    "FF623": (_train(row("Where?"), train={"filter": "size(messages"}), "invalid filter: missing `)`"),
    "FF624": (
        _train(row("Where?"), train={"filter": "lang == 'en'"}),
        "line 1: the filter fails: unknown column or function",
    ),
    "FF625": (_train('{"text": "Where?"}', train={"columns": {"messages": "talk"}}), "line 1: column `talk`"),
    "FF626": (_of("ftp://a.example/b.jsonl"), "`ftp://a.example/b.jsonl` is not a known kind of source"),
    "FF627": (_damaged, "`data/train.parquet` is damaged: a parquet file starts and ends with `PAR1`"),
    "FF628": (_image, "the rows of `data/train.parquet` cannot be written as JSON: "),
    "FF629": (_of("azureml:talks:3", train={"rows": 5}), "`rows` does not apply to `azureml:talks:3`"),
    "FF630": (_no_size, "FINEFORGE_CACHE_GIB is `much`, which is not a valid size"),
    "FF631": (_wide, "has 10,001 columns; at most 10,000 can be read"),
    "FF632": (
        _train(row("Where?", many=[1] * 20_000), train={"filter": "many.map(x, many.map(y, string(x))) == []"}),
        "the filter took more than 5 seconds and was stopped at `data/train.jsonl` line 1",
    ),
}
WARNINGS = {"FF607", "FF615", "FF616", "FF617"}


OF_THE_HUB = {"FF619", "FF620", "FF621", "FF622"}


def test_every_code_of_the_table_has_a_case() -> None:
    assert set(CASES) | OF_THE_HUB == {code for code in CODES if code.startswith("FF6")}
    shown = (Path(__file__).parent / "test_hub.py").read_text(encoding="utf-8")
    assert all(f'"{code}"' in shown for code in OF_THE_HUB)


@pytest.mark.parametrize("code", CASES)
def test_code(code: str, tmp_path: Path) -> None:
    case, words = CASES[code]
    found = case(tmp_path)
    assert [d.code for d in found] == [code]
    assert words in found[0].message and not found[0].message.endswith(".")
    assert (found[0].severity is Severity.WARNING) == (code in WARNINGS)


BAD_ROWS: dict[str, tuple[str | bytes, str]] = {
    "a byte order mark": (b"\xef\xbb\xbf" + row("Where?").encode(), "FF609"),
    "nested without end": ("[" * 200_000, "FF609"),
    "a number of 5,000 digits": ("1" * 5000, "FF609"),
    "a list": ("[]", "FF611"),
    "a number": ("7", "FF611"),
    "no messages": ('{"messages": []}', "FF611"),
    "messages of text": ('{"messages": "Where?"}', "FF611"),
    "a message of text": ('{"messages": ["Where?"]}', "FF611"),
    "content that is no text": ('{"messages": [{"role": "user", "content": ["Where?"]}]}', "FF611"),
    "a role that is no text": ('{"messages": [{"role": 1, "content": "Where?"}]}', "FF611"),
    "nobody answers": (_messages(ASK), "FF612"),
    "only a system message": (_messages({"role": "system", "content": "Be brief."}), "FF612"),
    "the system speaks late": (_messages(ASK, {"role": "system", "content": "Be brief."}, ANSWER), "FF612"),
    "the assistant begins": (_messages(ANSWER, ASK, ANSWER), "FF612"),
    "two answers": (_messages(ASK, ANSWER, ANSWER), "FF612"),
    "another scheme's roles": (_messages({"role": "human", "content": "Where?"}, {"role": "gpt", "content": "Here."}), "FF612"),
}


def test_bad_rows(tmp_path: Path) -> None:
    """All at once, each with its line; a good row among them stays unmentioned."""
    write(tmp_path / "data/train.jsonl", row("Is this one good?"), *(text for text, _ in BAD_ROWS.values()))
    found = findings(tmp_path)
    by_line = {d.span.line: d.code for d in found if d.span}
    assert by_line == {line: code for line, (_, code) in enumerate(BAD_ROWS.values(), 2)}
    assert len(found) == len(BAD_ROWS) == 16
    assert {d.span.file for d in found if d.span} == {str(tmp_path / "data/train.jsonl")}
    assert left(tmp_path / "cache") == []


def test_the_user_may_have_the_last_word_in_the_test_split(tmp_path: Path) -> None:
    """As in the real `test_gen` of ultrachat_200k; nothing trains on it. Roles out of turn are an error there as everywhere."""
    unanswered = [row("How?"), _messages(ASK, ANSWER, ASK), _messages({**ASK, "content": "Why?"})]
    for split in ("train", "validation", "test"):
        write(tmp_path / f"data/{split}.jsonl", *unanswered)
    trained = findings(tmp_path, train={}, validation={})
    assert [(d.code, d.severity) for d in trained if d.code == "FF612"] == [("FF612", Severity.ERROR)] * 4
    assert "or exclude them with `filter`" in trained[0].hint
    write(tmp_path / "data/good.jsonl", row("When?"))
    [found] = findings(tmp_path, train={"from": "good"}, test={})
    assert (found.severity, found.span and found.span.line) == (Severity.WARNING, 2)
    assert found.message == "`data/test.jsonl`: 2 rows end with the user's turn: line 2, 3"
    assert "this split is not trained on" in found.hint
    write(tmp_path / "data/test.jsonl", _messages(ASK, ASK), _messages({"role": "system", "content": "Be brief."}))
    wrong = findings(tmp_path, train={"from": "good"}, test={})
    assert [(d.code, d.severity) for d in wrong] == [("FF612", Severity.ERROR)] * 2


LEAVING_OUT = {
    'messages[size(messages) - 1].role == "assistant"': (_messages(ASK), "FF612"),
    r'messages.all(m, m.content.matches("\\S"))': (_messages({**ASK, "content": " \n"}, ANSWER), "FF613"),
}


@pytest.mark.parametrize("expression", LEAVING_OUT)
def test_the_filters_that_are_recommended(expression: str, tmp_path: Path) -> None:
    text, code = LEAVING_OUT[expression]
    write(tmp_path / "data/train.jsonl", row("Where?"), text)
    assert [d.code for d in findings(tmp_path)] == [code]
    assert findings(tmp_path, train={"filter": expression}) == []
    assert f"filter: {expression}" in CODES[code].explanation


def test_no_row_is_ever_quoted(tmp_path: Path) -> None:
    secret = "hunter2"
    rows = [
        f'{{"messages": "{secret}',
        _messages({"role": secret, "content": secret}),
        f'{{"{secret}": 1}}',
        _messages(ASK, ANSWER),
    ]
    rows += [row(secret), row(secret), row(secret * 100)]
    write(tmp_path / "data/train.jsonl", *rows)
    found = findings(tmp_path, context=20)
    assert [d.code for d in found] == ["FF609", "FF612", "FF611", "FF617", "FF615"]
    assert secret not in repr(found)


def test_the_first_twenty_of_a_kind_and_how_many_more(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", *["nonsense"] * 33, *[_messages(ASK)] * 2)
    found = findings(tmp_path)
    assert [d.code for d in found] == ["FF609"] * 20 + ["FF612"] * 2 + ["FF609"]
    assert found[-1].message == "`data/train.jsonl`: 13 more of the same kind"
    assert [bool(d.hint) for d in found] == [True] + [False] * 19 + [True, False, False]


def test_the_rows_of_all_splits_at_once(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", "nonsense")
    write(tmp_path / "data/validation.jsonl")
    write(tmp_path / "data/test.jsonl", _messages(ASK))
    found = findings(tmp_path, train={}, validation={}, test={})
    assert [d.code for d in found] == ["FF609", "FF604", "FF612"]


NOT_THERE: dict[str, tuple[str, dict[str, Any], str, str, tuple[str, ...]]] = {
    "a folder's name": (
        "dta",
        {"train": {}},
        "file or folder `dta` does not exist",
        "did you mean `data`?",
        ("dataset", "source"),
    ),
    "a split": ("data", {"test": {}}, "`data` contains no `test.jsonl`", "it holds `train.jsonl`", ("dataset", "splits", "test")),
    "a source split": (
        *("data", {"train": {"from": "trains"}}, "`data` contains no `trains.jsonl`", "did you mean `train`?"),
        ("dataset", "splits", "train", "from"),
    ),
    "a split of one file": (
        *("data/train.jsonl", {"validation": {}}, "`data/train.jsonl` is one file; it has no split `validation`"),
        *("use a folder with a `validation.jsonl`, or set `from: train` to use the same rows",),
        ("dataset", "splits", "validation"),
    ),
    "a pattern": ("data/*.csv", {"train": {}}, "no file matches `data/*.csv`", "paths are relative to", ("dataset", "source")),
    "a split of a pattern": (
        *("data/*.jsonl", {"test": {}}, "`data/*.jsonl` is one source split, `train`; it has no split `test`"),
        *("or set `from: train` to use the same rows", ("dataset", "splits", "test")),
    ),
}


@pytest.mark.parametrize("name", NOT_THERE)
def test_what_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    source, splits, message, hint, path = NOT_THERE[name]
    write(tmp_path / "data/train.jsonl", row("Where?"))
    found = findings(tmp_path, source, **{"train": {"from": "train"}, **splits} if source != "dta" else splits)
    missing = next(d for d in found if d.message == message)
    assert missing.code == "FF601"
    assert hint in missing.hint
    assert not path or missing.path == path


def test_two_splits_that_lack_the_same_source_say_it_once(tmp_path: Path) -> None:
    assert [d.code for d in findings(tmp_path, train={}, test={})] == ["FF601"]


LEAVING = ["../elsewhere", "/etc", "link", "../elsewhere/train.jsonl", "data/../../elsewhere"]


@pytest.mark.parametrize("source", LEAVING)
def test_paths_stay_in_the_project(source: str, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/train.jsonl", row("Where?"))
    write(tmp_path / "project/data/train.jsonl", row("Where?"))
    (tmp_path / "project/link").symlink_to(tmp_path / "elsewhere")
    assert [d.code for d in findings(tmp_path / "project", source)] == ["FF602"]


def test_a_linked_file_and_a_split_name_cannot_leave_either(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/train.jsonl", row("Where?"))
    (tmp_path / "project/data").mkdir(parents=True)
    (tmp_path / "project/data/train.jsonl").symlink_to(tmp_path / "elsewhere/train.jsonl")
    assert [d.code for d in findings(tmp_path / "project", train={})] == ["FF602"]
    assert [d.code for d in findings(tmp_path / "project", train={"from": "../../elsewhere/train"})] == ["FF602"]


def test_outside_is_possible_where_it_is_allowed_or_belongs_to_the_project(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", row("Where?"))
    folder = tmp_path / "specs"
    folder.mkdir()
    allowed = describe(dataset("../data"), folder, folder, allow_outside=True)
    of_project = describe(dataset("../data"), folder, tmp_path)
    assert allowed == of_project
    assert allowed["train"].rows == 1


@pytest.mark.parametrize("source", ["data\0x", "loop", "train.jsonl/data"])
def test_impossible_names_are_no_crash(source: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    write(tmp_path / "train.jsonl", row("Where?"))
    assert {d.code for d in findings(tmp_path, source)} <= {"FF601", "FF603"} != set()


def test_a_file_that_breaks_off(tmp_path: Path) -> None:
    """`/proc/self/mem` opens, and cannot be read from its start: an input/output error, for root too."""
    memory = Path("/proc/self/mem")
    if not memory.exists():
        pytest.skip("needs Linux")
    with pytest.raises(FineforgeError) as error:
        describe(dataset(str(memory)), tmp_path, tmp_path, allow_outside=True)
    assert error.value.diagnostics[0].message == "`/proc/self/mem` cannot be read: input/output error"


def test_ragged_rows_are_told_once_and_by_us(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The library logs what it raises, with the name of a Python class and a path of this machine."""
    write(tmp_path / "train.csv", "prompt,response\nWhere?,Here.\nWhen?,Now,or never\n")
    [problem] = findings(tmp_path, "train.csv")
    assert problem.code == "FF627" and "expected 2 fields in line 3, saw 3" in problem.message
    assert problem.hint.startswith("repair or rewrite")
    assert capfd.readouterr() == ("", "")


def test_a_byte_order_mark_is_called_one(tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", b"\xef\xbb\xbf" + row("Where?").encode())
    assert "a byte order mark; save the file as UTF-8 without one" in findings(tmp_path)[0].message


def test_a_split_that_is_no_file_is_not_offered_instead_of_itself(tmp_path: Path) -> None:
    write(tmp_path / "data/validation.jsonl", row("Where?"))
    (tmp_path / "data/train.jsonl").mkdir()
    [problem] = findings(tmp_path)
    assert (problem.code, problem.hint) == ("FF601", "it holds `validation.jsonl`")
