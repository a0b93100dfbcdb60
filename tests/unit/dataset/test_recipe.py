"""What becomes of rows: samples, filters, columns, rows held out, and these together in their order."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fineforge.core.diagnostics import FineforgeError
from fineforge.dataset import prepare, recipe
from fineforge.dataset.mapping import NoConversation, conversation, known_form
from tests.unit.dataset.dataset_files import facts, findings, row, run, write


def talks(folder: Path, count: int, **extra: list[Any]) -> None:
    """Rows whose answer is their number; `extra` columns by name."""
    rows = [row(f"What is number {n}?", str(n), **{name: values[n] for name, values in extra.items()}) for n in range(count)]
    write(folder / "data/train.jsonl", *rows)


def numbers(file: Path) -> list[int]:
    return [int(json.loads(line)["messages"][-1]["content"]) for line in file.read_text(encoding="utf-8").splitlines()]


def made(folder: Path, **train: Any) -> dict[str, list[int]]:
    return {split: numbers(file.path) for split, file in run(folder, train=train).items()}


# --- samples


def test_a_random_sample_is_the_same_for_ever() -> None:
    """Golden: which rows a seed means must not change, or data would be prepared and trained on again."""
    chosen = {seed: list(recipe.chosen({"rows": 5, "sample": "random", "seed": seed}, 100)) for seed in (0, 1)}
    assert chosen == {0: SEED_0, 1: SEED_1}


SEED_0 = [3, 37, 52, 62, 74]
SEED_1 = [30, 36, 65, 85, 93]


def test_a_random_sample_is_fair_and_grows() -> None:
    """Every tenth of the rows gives about a tenth of the sample; a larger share holds every row of a smaller one."""
    few, more = (set(recipe.chosen({"percent": percent, "sample": "random", "seed": 3}, 10_000)) for percent in (5, 20))
    assert (len(few), len(more)) == (500, 2000)
    assert few < more
    assert all(130 < sum(tenth * 1000 <= number < (tenth + 1) * 1000 for number in more) < 270 for tenth in range(10))


@pytest.mark.parametrize("wanted", [{"percent": 100}, {"rows": 100}, {"rows": 5000}])
def test_all_rows_at_random_are_all_rows(wanted: dict[str, int]) -> None:
    assert recipe.chosen({**wanted, "sample": "random", "seed": 1}, 100) == range(100)


def test_random_rows_of_a_file_keep_their_order_and_line_numbers(tmp_path: Path) -> None:
    talks(tmp_path, 40)
    sample = made(tmp_path, rows=6, sample="random", seed=4)["train"]
    assert sample == sorted(set(sample)) and len(sample) == 6 and sample != list(range(6))
    lines = (tmp_path / "data/train.jsonl").read_text(encoding="utf-8").splitlines()
    lines[sample[3]] = "nonsense"
    write(tmp_path / "data/train.jsonl", *lines)
    [problem] = findings(tmp_path, train={"rows": 6, "sample": "random", "seed": 4})
    assert problem.span and problem.span.line == sample[3] + 1


# --- filters


FILTERS: dict[str, tuple[str, list[int]]] = {
    "a column": ('lang == "en"', [0, 2, 4]),
    "a number": ("score > 2.5", [3, 4]),
    "both": ('lang == "en" && score >= 2.0', [2, 4]),
    "messages": ("size(messages) == 2 && messages[0].content.contains('number 3')", [3]),
    "each message": ("messages.all(m, size(m.content) < 40)", [0, 1, 2, 3, 4]),
    "a key that may be missing": ("has(meta.good) && meta.good", [1, 3]),
    "nothing": ("note == null", [0]),
    "a list": ("lang in ['de', 'fr']", [1, 3]),
    "a pattern": ('lang.matches("^d")', [1, 3]),
}
COLUMNS = {
    "lang": ["en", "de", "en", "de", "en"],
    "score": [0.5, 1.5, 2.5, 3.5, 4.5],
    "meta": [{}, {"good": True}, {"good": False}, {"good": True}, {}],
    "note": [None, "a", "b", "c", "d"],
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(name: str, tmp_path: Path) -> None:
    expression, expected = FILTERS[name]
    talks(tmp_path, 5, **COLUMNS)
    prepared = run(tmp_path, train={"filter": expression})["train"]
    assert numbers(prepared.path) == expected
    source = (tmp_path / "data/train.jsonl").read_bytes().splitlines()
    assert prepared.path.read_bytes().splitlines() == [source[number] for number in expected], "rows stay as they are"


@pytest.mark.parametrize("name", FILTERS)
def test_filters_of_tables(name: str, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    expression, expected = FILTERS[name]
    talks(tmp_path, 5, **{**COLUMNS, "meta": [{"good": value.get("good", False)} for value in COLUMNS["meta"]]})
    rows = [json.loads(line) for line in (tmp_path / "data/train.jsonl").read_text(encoding="utf-8").splitlines()]
    (tmp_path / "data/train.jsonl").unlink()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data/train.parquet", row_group_size=2)
    assert made(tmp_path, filter=expression)["train"] == expected


NO_FILTERS = {
    "size(messages": "missing `)` at end (character 14)",
    "a b": "unexpected `b` expecting the end (character 3)",
    "  ": "unexpected end (character 3)",
}


@pytest.mark.parametrize("expression", NO_FILTERS)
def test_what_is_no_filter_is_found_before_any_row_is_read(expression: str, tmp_path: Path) -> None:
    talks(tmp_path, 1)
    with pytest.raises(FineforgeError) as error:
        facts(tmp_path, train={"filter": expression})
    [problem] = error.value.diagnostics
    assert (problem.code, problem.path) == ("FF623", ("dataset", "splits", "train", "filter"))
    assert NO_FILTERS[expression] in problem.message


def test_loops_in_text_next_to_each_other_or_nested_are_fine(tmp_path: Path) -> None:
    talks(tmp_path, 1)
    loop = "messages.all(m, m.role != '.all(.all(.all(')"
    assert made(tmp_path, filter=f"{loop} && {loop} && {loop}")["train"] == [0]
    assert made(tmp_path, filter="[1].all(a, [1].all(b, [1].all(c, a + b + c == 3)))")["train"] == [0]


FAILING = {
    "lnag == 'en'": "unknown column or function `lnag`",
    "meta.good": "the row has no such key",
    "messages[7].role == 'user'": "the index is past the end of a list",
    "score > 'a'": "it combines values of different types",
    "score": "the result must be true or false, got a number",
    "note": "the result must be true or false, got nothing",
    "1 / 0 == 1": "it cannot be evaluated",
}


@pytest.mark.parametrize("expression", FAILING)
def test_a_filter_that_fails_names_the_row_and_its_columns(expression: str, tmp_path: Path) -> None:
    talks(tmp_path, 1, **COLUMNS)
    [problem] = findings(tmp_path, train={"filter": expression})
    assert problem.code == "FF624"
    assert problem.message == f"`data/train.jsonl` line 1: the filter fails: {FAILING[expression]}"
    assert problem.hint == "it has `messages`, `lang`, `score`, `meta`, `note`"


def test_a_filter_that_nothing_passes(tmp_path: Path) -> None:
    talks(tmp_path, 3)
    [problem] = findings(tmp_path, train={"filter": "false"})
    assert (problem.code, problem.message) == ("FF604", "no row of `data/train.jsonl` passes the filter")


def test_rows_are_counted_before_the_filter(tmp_path: Path) -> None:
    """`rows: 4` are the first four; two of them pass. It is no warning that fewer are left than were asked for."""
    talks(tmp_path, 10, even=[n % 2 == 0 for n in range(10)])
    assert made(tmp_path, rows=4, filter="even")["train"] == [0, 2]
    assert findings(tmp_path, train={"rows": 4, "filter": "even"}) == []


# --- columns


USER, ASSISTANT = {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}
FORMS: dict[str, tuple[dict[str, Any], dict[str, str], list[dict[str, str]]]] = {
    "another name": ({"chat": [{**USER, "id": 1}, ASSISTANT]}, {"messages": "chat"}, [USER, ASSISTANT]),
    "ShareGPT": (
        {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
        {"messages": "conversations"},
        [USER, ASSISTANT],
    ),
    "ShareGPT with a system": (
        {"conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
        {"messages": "conversations"},
        [{"role": "system", "content": "S"}, USER, ASSISTANT],
    ),
    "ShareGPT with a system's column": (
        {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "system": "S"},
        {"messages": "conversations", "system": "system"},
        [{"role": "system", "content": "S"}, USER, ASSISTANT],
    ),
    "a pair": ({"q": "Q", "a": "A", "n": 1}, {"prompt": "q", "response": "a"}, [USER, ASSISTANT]),
    "Alpaca": (
        {"instruction": "Q", "input": "I", "output": "A"},
        {"prompt": "instruction", "input": "input", "response": "output"},
        [{"role": "user", "content": "Q\n\nI"}, ASSISTANT],
    ),
    "Alpaca without input": (
        {"instruction": "Q", "input": " ", "output": "A"},
        {"prompt": "instruction", "input": "input", "response": "output"},
        [USER, ASSISTANT],
    ),
    "no system": ({"q": "Q", "a": "A", "s": None}, {"prompt": "q", "response": "a", "system": "s"}, [USER, ASSISTANT]),
}


@pytest.mark.parametrize("name", FORMS)
def test_columns_become_messages(name: str, tmp_path: Path) -> None:
    value, columns, messages = FORMS[name]
    write(tmp_path / "data/train.jsonl", json.dumps(value))
    prepared = run(tmp_path, train={"columns": columns})["train"]
    assert json.loads(prepared.path.read_bytes()) == {"messages": messages}
    assert list(json.loads(prepared.path.read_bytes())["messages"][0]) == ["role", "content"]


NO_FORMS: dict[str, tuple[dict[str, Any], dict[str, str], str, str]] = {
    "no such column": ({"a": "A"}, {"prompt": "q", "response": "a"}, "FF625", "column `q`"),
    "no list": ({"chat": "A"}, {"messages": "chat"}, "FF611", "`chat` is not a list of messages"),
    "no text": ({"q": 1, "a": "A"}, {"prompt": "q", "response": "a"}, "FF611", "`q` is not text"),
    "no turns": (
        {"chat": [{"x": 1}]},
        {"messages": "chat"},
        "FF611",
        "message 1 of `chat` needs the text fields `role` and `content`",
    ),
    "an empty answer": ({"q": "Q", "a": " "}, {"prompt": "q", "response": "a"}, "FF613", "message 2 is empty"),
    "nobody answers": (
        {"chat": [{"from": "human", "value": "Q"}]},
        {"messages": "chat"},
        "FF612",
        "the last message has the role `user`",
    ),
}


@pytest.mark.parametrize("name", NO_FORMS)
def test_columns_that_do_not_fit(name: str, tmp_path: Path) -> None:
    value, columns, code, words = NO_FORMS[name]
    write(tmp_path / "data/train.jsonl", json.dumps(value), '"text"')
    found = findings(tmp_path, train={"columns": columns})
    assert found[0].code == code and words in found[0].message
    assert (found[1].code, found[1].message) == ("FF625", "`data/train.jsonl` line 2: not an object, so it has no columns")
    if code == "FF625":
        assert found[0].hint == "it has `a`"


HINTS: dict[str, dict[str, Any]] = {
    "columns: {messages: conversations}": {"conversations": [{"from": "human", "value": "Q"}]},
    "columns: {messages: chat, system: system}": {"chat": [USER], "system": "S"},
    "columns: {prompt: prompt, response: response}": {"prompt": "Q", "response": "A"},
    "columns: {prompt: instruction, input: input, response: output}": {"instruction": "Q", "input": "", "output": "A"},
    "columns: {prompt: question, response: answer}": {"question": "Q", "answer": "A"},
}


@pytest.mark.parametrize("mapping", HINTS)
def test_rows_of_a_known_form_get_the_mapping_as_a_hint(mapping: str, tmp_path: Path) -> None:
    write(tmp_path / "data/train.jsonl", json.dumps(HINTS[mapping]))
    [problem] = findings(tmp_path)
    assert (problem.code, problem.hint) == ("FF611", f"add `{mapping}` to the split")


def test_a_hint_quotes_no_row() -> None:
    secret = {"hunter2 is the word": [USER]}
    assert known_form(secret) == 'columns: {messages: "..."}'
    assert known_form({"x": 1}) == ""


def test_any_row_is_mapped_or_refused() -> None:
    """Whatever stands in the columns: messages of text come out, or a reason."""
    chance = random.Random(5)
    values: list[Any] = [None, "", "Q", 1, [], [1], [USER], [{"from": "gpt", "value": "A"}], {"role": "user"}, [[USER]]]
    mappings: list[Mapping[str, str]] = [
        {"messages": "a"},
        {"prompt": "a", "response": "b"},
        {"prompt": "a", "input": "b", "response": "c"},
    ]
    outcomes = set()
    for _ in range(2000):
        value = {name: chance.choice(values) for name in "abc" if chance.random() < 0.9}
        try:
            found = conversation(value, chance.choice(mappings))
        except NoConversation:
            outcomes.add("refused")
            continue
        outcomes.add("mapped")
        assert all(isinstance(part, str) for message in found["messages"] for part in message.values())
    assert outcomes == {"mapped", "refused"}


# --- rows held out


@pytest.mark.parametrize(("count", "holdout", "held"), [(10, 20, 2), (50, 5, 2), (30, 5, 2), (10, 50, 5), (101, 1, 1)])
def test_the_last_rows_become_the_validation_split(count: int, holdout: int, held: int, tmp_path: Path) -> None:
    talks(tmp_path, count)
    found = facts(tmp_path, train={"holdout": holdout})
    assert list(found) == ["train", "validation"]
    assert [fact.rows for fact in found.values()] == [count - held, held]
    assert made(tmp_path, holdout=holdout) == {"train": list(range(count - held)), "validation": list(range(count - held, count))}


def test_rows_are_held_out_behind_everything_else(tmp_path: Path) -> None:
    """Of 40 rows 50 percent at random, of those the even ones, of those a quarter."""
    talks(tmp_path, 40, even=[n % 2 == 0 for n in range(40)])
    sample = [number for number in recipe.chosen({"percent": 50, "sample": "random", "seed": 0}, 40) if number % 2 == 0]
    split = made(tmp_path, percent=50, sample="random", filter="even", holdout=25)
    held = round(len(sample) / 4)
    assert held >= 2
    assert split == {"train": sample[:-held], "validation": sample[-held:]}
    assert {fact.rows for fact in facts(tmp_path, train={"filter": "even", "holdout": 25}).values()} == {None}


def test_test_rows_stand_beside_those_held_out(tmp_path: Path) -> None:
    talks(tmp_path, 10)
    write(tmp_path / "data/test.jsonl", row("Who?", "77"))
    prepared = run(tmp_path, train={"holdout": 10}, test={})
    assert {split: file.rows for split, file in prepared.items()} == {"train": 9, "validation": 1, "test": 1}


def test_rows_of_the_held_out_split_have_their_lines(tmp_path: Path) -> None:
    talks(tmp_path, 9)
    with (tmp_path / "data/train.jsonl").open("a", encoding="utf-8") as stream:
        stream.write("nonsense\n")
    [problem] = findings(tmp_path, train={"holdout": 20})
    assert problem.message.startswith("`data/train.jsonl` line 10: ")


def test_a_share_that_is_no_row(tmp_path: Path) -> None:
    talks(tmp_path, 20)
    [problem] = findings(tmp_path, train={"holdout": 1})
    assert (problem.code, problem.path) == ("FF604", ("dataset", "splits", "train", "holdout"))
    assert problem.message == "1 % of the rows of `data/train.jsonl` rounds to zero rows to hold out"


# --- other tasks


def test_other_tasks_need_columns_and_no_messages(tmp_path: Path) -> None:
    rows = [{"text": "Fine day", "label": 1}, {"text": " ", "label": 0}, {"label": 1}, {"text": "x", "label": None}]
    write(tmp_path / "data/train.jsonl", *map(json.dumps, rows), "[]")
    with pytest.raises(FineforgeError) as error:
        prepare(facts(tmp_path), tmp_path / "cache", required_columns=("text", "label"))
    assert [(d.code, d.message.partition(": ")[2]) for d in error.value.diagnostics] == [
        ("FF625", "the column `text` is empty"),
        ("FF625", "the column `text` is not there"),
        ("FF625", "the column `label` is empty"),
        ("FF625", "1 more of the same kind"),
    ]
    files, warnings = prepare(facts(tmp_path, train={"rows": 1}), tmp_path / "cache", required_columns=("text", "label"))
    assert files["train"].summary["characters"]["max"] == len("Fine day")
    assert warnings == ()


@pytest.mark.parametrize("held", [{}, {"holdout": 50}])
def test_a_table_without_a_column_is_refused_once(held: dict[str, int], tmp_path: Path) -> None:
    write(tmp_path / "data/train.csv", "q,a", "Q,A", "R,B")
    columns = {"prompt": "q", "response": "answer", "system": "rules"}
    found = findings(tmp_path, train={"columns": columns, "filter": "size(b) > 1 && [q].all(x, x != a)", **held})
    assert [(d.code, d.message, d.path[3:], d.hint) for d in found] == [
        ("FF625", "`data/train.csv` has no column `answer`", ("columns",), "it has `q`, `a`"),
        ("FF625", "`data/train.csv` has no column `rules`", ("columns",), "it has `q`, `a`"),
        ("FF625", "`data/train.csv` has no column `b`", ("filter",), "it has `q`, `a`"),
    ]
