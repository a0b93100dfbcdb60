"""Row checks: is a row a conversation that can be trained on, or has it the columns that another task needs.

Every finding names the file and the line, or the row's number, and quotes no row. Nothing here opens a file; where a row comes
from is `fineforge.dataset.places`.
"""

from __future__ import annotations

import codecs
import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fineforge.core.diagnostics import Diagnostic, Severity
from fineforge.core.objects import SpecPath
from fineforge.dataset.mapping import known_form
from fineforge.dataset.places import Places

SHOWN = 20
"""Findings of one code that are shown; the rest is counted."""

FEWER = {"FF624": 3, "FF625": 3}
"""Codes whose cause is mostly the spec, and the same in every row."""

WARNINGS = frozenset({"FF615", "FF616", "FF617"})
"""Rows that can be trained on, though somebody should know."""

_SHAPE = 'each row is {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}'
_HINTS = {
    "FF608": "save the file as UTF-8",
    "FF609": "each line must be one complete JSON object",
    "FF611": _SHAPE,
    "FF612": "a `system` message may come first, then `user` and `assistant` alternate; fix the other rows, or exclude them with "
    "`filter`",
    "FF613": "fill it, or exclude such rows with `filter`",
}


class BadRow(Exception):
    """Why a row cannot be trained on: the code, the words, and a hint of its own."""


@dataclass(slots=True)
class Checks:
    """Collects what is wrong with the rows of one split, and what they are like. Keeps numbers, no rows."""

    places: Places
    context_length: int | None = None
    """In tokens."""
    columns: tuple[str, ...] | None = None
    """What each row must have; None where each must be a conversation."""
    path: SpecPath = ()
    """The split's place in the spec, for findings without a file."""
    trained: bool = True
    """Whether the rows decide what is learned. In those that do not, the user may have the last word."""
    findings: list[Diagnostic] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """By code."""
    rows: int = 0
    numbers: array[int] = field(default_factory=lambda: array("Q"))
    """Of each good row, as are `prompts` and `lengths`: arrays, as a dictionary of a million rows would not stay flat."""
    prompts: array[int] = field(default_factory=lambda: array("Q"))
    """64 bits of the digest of the first thing that the user says."""
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    """Characters of all contents."""
    turns: int = 0
    unanswered: array[int] = field(default_factory=lambda: array("Q"))
    """Rows that end with the user's turn, where that is no error."""

    def row(self, number: int, row: Any) -> None:
        """Checks one row; its number is of the source, counted from 1."""
        self.rows += 1
        try:
            texts, prompt = self._columns(row) if self.columns is not None else self._messages(number, row)
        except BadRow as bad:
            self.add(number, *bad.args)
            return
        characters = sum(map(len, texts))
        self.numbers.append(number)
        self.lengths.append(characters)
        if prompt is not None:
            self.prompts.append(prompt)
        tokens = -(-characters // 4)
        if self.context_length and tokens > self.context_length:
            self.add(
                number,
                "FF617",
                f"about {tokens:,} tokens, but the model's context is {self.context_length:,}; the rest is cut off",
            )

    def add(self, number: int, code: str, words: str, hint: str = "") -> None:
        """A finding about a row; of each code some are kept and all are counted."""
        self.counts[code] = self.counts.get(code, 0) + 1
        if self.counts[code] <= FEWER.get(code, SHOWN):
            first = self.counts[code] == 1
            name, span = self.places.name(number), self.places.span(number)
            hint = (hint or _HINTS.get(code, "")) if first else ""
            self.findings.append(Diagnostic(code, f"{name}: {words}", _severity(code), () if span else self.path, span, hint))

    def _messages(self, number: int, row: Any) -> tuple[list[str], int | None]:
        messages = _messages(row)
        last = messages[-1]["role"]
        if last == "user" and not self.trained:
            self.unanswered.append(number)
        elif last != "assistant":
            raise BadRow("FF612", f"the last message has the role {_role(last)}, expected `assistant`")
        self.turns += len(messages)
        return [message["content"] for message in messages], _prompt(messages)

    def _columns(self, row: Any) -> tuple[list[str], int | None]:
        if not isinstance(row, dict):
            raise BadRow("FF625", "not an object, so it has no columns")
        for column in self.columns or ():
            value = row.get(column)
            if value is None or (isinstance(value, str) and not value.strip()):
                there = "is empty" if column in row else "is not there"
                raise BadRow("FF625", f"the column `{column}` {there}")
        return [value for column in self.columns or () if isinstance(value := row[column], str)], None

    def finish(self) -> list[Diagnostic]:
        """The findings; per code a note of those that are not shown. To be called once, after the last row."""
        for again, first in self._repeated():
            self.add(again, "FF615", f"the same prompt as {self.places.short(first)}")
        hidden = [
            Diagnostic(code, f"`{self.places.source}`: {count - shown} more of the same kind", _severity(code))
            for code, count in self.counts.items()
            if count > (shown := FEWER.get(code, SHOWN))
        ]
        return [*self.findings, *hidden, *self._without_answer()]

    def _without_answer(self) -> Iterator[Diagnostic]:
        if self.unanswered:
            end = "1 row ends" if len(self.unanswered) == 1 else f"{len(self.unanswered)} rows end"
            message = f"`{self.places.source}`: {end} with the user's turn: {_listed(self.places, self.unanswered)}"
            hint = "this split is not trained on, so they are allowed, but have no answer to measure; `filter` excludes them"
            yield _about(self, self.unanswered[0], "FF612", message, hint)

    def _repeated(self) -> list[tuple[int, int]]:
        """Rows whose prompt stands in an earlier row too, and that row."""
        order = sorted(range(len(self.prompts)), key=self.prompts.__getitem__)
        found, first = [], 0
        for place in range(1, len(order)):
            if self.prompts[order[place]] == self.prompts[order[first]]:
                found.append((self.numbers[order[place]], self.numbers[order[first]]))
            else:
                first = place
        return sorted(found)


def shared_prompts(train: Checks, other: Checks) -> Iterator[Diagnostic]:
    """Prompts that stand in both splits: their metrics measure memorization."""
    if not other.prompts:  # rows of another task than chat have none
        return
    trained = set(train.prompts)
    both = [number for number, prompt in zip(other.numbers, other.prompts, strict=True) if prompt in trained]
    if both:
        where = f"`{train.places.source}`: {_listed(other.places, both)}"
        told = "1 prompt also appears" if len(both) == 1 else f"{len(both)} prompts also appear"
        message = f"`{other.places.source}`: {told} in {where}"
        yield _about(other, both[0], "FF616", message, "their metrics measure memorization")


def _listed(places: Places, numbers: Sequence[int]) -> str:
    shown = ", ".join(places.bare(number) for number in numbers[:SHOWN])
    return f"{places.word} {shown}" + (" and more" if len(numbers) > SHOWN else "")


def _about(checks: Checks, first: int, code: str, message: str, hint: str) -> Diagnostic:
    """One warning for many rows, of which the first has a place to go to."""
    span = checks.places.span(first)
    return Diagnostic(code, message, Severity.WARNING, () if span else checks.path, span, hint)


def summary(checks: Checks) -> dict[str, Any]:
    """Rows, conversations (rows that are good), turns (messages), and the conversations' length in characters."""
    lengths = sorted(checks.lengths)

    def at(percent: int) -> int:
        """The nearest rank: the shortest length that `percent` of the conversations do not exceed."""
        return lengths[max(0, -(-len(lengths) * percent // 100) - 1)] if lengths else 0

    percentiles = {"p50": at(50), "p90": at(90), "p99": at(99), "max": at(100)}
    return {"rows": checks.rows, "conversations": len(lengths), "turns": checks.turns, "characters": percentiles}


def _severity(code: str) -> Severity:
    return Severity.WARNING if code in WARNINGS else Severity.ERROR


def parsed(text: bytes) -> Any:
    """The value of one line. Raises BadRow."""
    if text.startswith(codecs.BOM_UTF8):
        raise BadRow("FF609", "not JSON: a byte order mark; save the file as UTF-8 without one")
    try:
        return json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRow("FF608", f"byte {error.start + 1} of it, 0x{text[error.start]:02x}, is not UTF-8") from None
    except RecursionError:
        raise BadRow("FF609", "JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        words = error.msg.lower().rstrip(": ").removesuffix(" at")
        raise BadRow("FF609", f"not JSON: {words} at column {error.colno}") from None
    except ValueError:
        raise BadRow("FF609", "not JSON: a number has too many digits") from None


def _messages(row: Any) -> list[dict[str, Any]]:
    """The messages of one row. Raises BadRow."""
    messages = row.get("messages") if isinstance(row, dict) else None
    if isinstance(messages, list) and messages:
        _conversation(messages)
        return messages
    if not isinstance(row, dict):
        raise BadRow("FF611", "not an object, so it has no `messages`")
    raise BadRow("FF611", "no `messages`", _mapping_hint(row))


def _mapping_hint(row: Mapping[str, Any]) -> str:
    mapping = known_form(row)
    return f"add `{mapping}` to the split" if mapping else ""


def _conversation(messages: Iterable[Any]) -> None:
    """An optional system message, then user and assistant in turn."""
    expected: tuple[str, ...] = ("system", "user")
    for index, message in enumerate(messages, 1):
        if not isinstance(message, dict) or not all(isinstance(message.get(key), str) for key in ("role", "content")):
            raise BadRow("FF611", f"message {index} lacks a text `role` or `content`")
        if not message["content"].strip():
            raise BadRow("FF613", f"message {index} is empty")
        if message["role"] not in expected:
            wanted = " or ".join(f"`{role}`" for role in expected)
            raise BadRow("FF612", f"message {index} has the role {_role(message['role'])}, expected {wanted}")
        if not _whole(message["content"]):
            raise BadRow("FF614", f"message {index} contains a lone surrogate")
        expected = ("assistant",) if message["role"] == "user" else ("user",)


def _role(role: str) -> str:
    """A role to show. Other text may stand where a role should, and rows are never quoted."""
    return f"`{role}`" if role in ("system", "user", "assistant", "tool", "function", "human", "gpt", "bot") else "another role"


def _whole(text: str) -> bool:
    """JSON can spell half of a surrogate pair, `\\ud83d`; no tokenizer and no parquet file takes it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _prompt(messages: list[dict[str, Any]]) -> int:
    text = next(message["content"] for message in messages if message["role"] == "user")
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "big")
