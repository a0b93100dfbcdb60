"""The data that ships: what the demo's numbers rest on."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from pathlib import Path

import pytest

from fineforge.config import source, spec
from fineforge.dataset import describe, prepare

SPECS = Path(__file__).parents[3] / "specs"
SPLITS = ("train", "validation", "test")
Row = dict[str, object]


def _rows(split: str) -> list[Row]:
    return [json.loads(line) for line in (SPECS / f"data/quickstart/{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def _turns(rows: list[Row], role: str) -> list[str]:
    return [message["content"] for row in rows for message in row["messages"] if message["role"] == role]  # type: ignore[attr-defined]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _alike(one: str, other: str) -> float:
    """Jaccard: the words that both have, of all that either has."""
    return len(_words(one) & _words(other)) / len(_words(one) | _words(other))


def test_the_spec_is_prepared_without_a_finding(tmp_path: Path) -> None:
    file = SPECS / "quickstart.yaml"
    dataset = spec.parse(source.load(file.read_bytes(), str(file))).dataset
    assert dataset is not None
    found = describe(dataset, SPECS, SPECS)
    prepared, warnings = prepare(found, tmp_path, context_length=16_384)
    assert {split: entry.rows for split, entry in prepared.items()} == {"train": 100, "validation": 12, "test": 42}
    assert warnings == ()
    for split, entry in prepared.items():
        assert entry.path.read_bytes() == (SPECS / f"data/quickstart/{split}.jsonl").read_bytes()


def test_counts() -> None:
    """60 questions with an answer lead the file; at most 60 other conversations follow."""
    train = _rows("train")
    assert all(len(row["messages"]) == 2 for row in train[:60])  # type: ignore[arg-type]
    assert 0 < len(train) - 60 <= 60
    assert any(len(row["messages"]) > 2 for row in train[60:])  # type: ignore[arg-type]


def test_paraphrases_have_a_trained_answer_and_a_question_of_their_own() -> None:
    answers = set(_turns(_rows("train")[:60], "assistant"))
    assert len(answers) == 60
    test = _rows("test")
    paraphrases = [row for row in test if _turns([row], "assistant")[0] in answers]
    assert 20 <= len(paraphrases) < len(test)
    assert len(_turns(paraphrases, "assistant")) == len(set(_turns(paraphrases, "assistant")))


@pytest.mark.parametrize("split", SPLITS)
def test_row_format(split: str) -> None:
    for row in _rows(split):
        assert list(row) == ["prompt", "prompt_id", "messages"]
        assert row["prompt"] == _turns([row], "user")[0]
        assert row["prompt_id"] == hashlib.sha256(str(row["prompt"]).encode()).hexdigest()


def test_no_two_answers_are_alike() -> None:
    answers = _turns(_rows("train"), "assistant")
    pairs = list(itertools.combinations(answers, 2))
    assert len(pairs) == 121 * 120 // 2
    assert max(_alike(one, other) for one, other in pairs) <= 0.5


def test_answers_that_are_new_are_unlike_the_trained_ones() -> None:
    trained = _turns(_rows("train"), "assistant")
    new = [answer for split in ("validation", "test") for answer in _turns(_rows(split), "assistant") if answer not in trained]
    assert len(new) >= 10
    assert max(_alike(one, other) for one in new for other in trained) <= 0.5


def test_questions_are_distinct_in_and_across_the_splits() -> None:
    prompts = [str(row["prompt"]).lower() for split in SPLITS for row in _rows(split)]
    assert len(prompts) == len(set(prompts)) == 154


def test_answers_are_short() -> None:
    answers = [answer for split in SPLITS for answer in _turns(_rows(split), "assistant")]
    assert all(8 <= len(answer.split()) <= 25 for answer in answers)


def test_the_smoke_question_is_trained() -> None:
    file = SPECS / "quickstart.yaml"
    [gate] = spec.parse(source.load(file.read_bytes(), str(file))).gates.smoke
    [row] = [row for row in _rows("train") if row["prompt"] == gate.messages[-1].content]
    assert gate.expect.contains is not None
    assert gate.expect.contains in _turns([row], "assistant")[0]
