"""Row checks: is a row a conversation that can be trained on. Every finding names the file and the line, and quotes no row.

Nothing here opens a file; what a row was read from is `fineforge.dataset.local`.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fineforge.diagnostics import Diagnostic, Severity, SourceSpan

SHOWN = 20
"""Findings of one code that are shown; the rest is counted."""

WARNINGS = frozenset({"FF615", "FF616", "FF617"})
"""Rows that can be trained on, though somebody should know."""

_SHAPE = 'each row is {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}'
_HINTS = {
    "FF608": "save the file as UTF-8",
    "FF609": "each line must be one complete JSON object",
    "FF611": _SHAPE,
    "FF612": "a `system` message may come first, then `user` and `assistant` in turn",
}


class _BadRow(Exception):
    """Why a row cannot be trained on: the code and the words."""


@dataclass(slots=True)
class Checks:
    """Collects what is wrong with the rows of one split, and what they are like. Keeps numbers, no rows."""

    file: str
    """As messages name it: from the spec's folder."""
    path: str
    """As it was opened, for the place that a terminal can jump to."""
    context_length: int | None = None
    """In tokens."""
    findings: list[Diagnostic] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """By code."""
    rows: int = 0
    lines: array[int] = field(default_factory=lambda: array("Q"))
    """Of each good row, as are `prompts` and `lengths`: arrays, as a dictionary of a million rows would not stay flat."""
    prompts: array[int] = field(default_factory=lambda: array("Q"))
    """64 bits of the digest of the first thing that the user says."""
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    """Characters of all contents."""
    turns: int = 0

    def row(self, line: int, text: bytes) -> None:
        """Checks the row on one line of the file, counted from 1."""
        self.rows += 1
        try:
            messages = _messages(text)
        except _BadRow as bad:
            self._add(*bad.args, line=line)
            return
        characters = sum(len(message["content"]) for message in messages)
        self.turns += len(messages)
        self.lines.append(line)
        self.lengths.append(characters)
        self.prompts.append(_prompt(messages))
        tokens = -(-characters // 4)
        if self.context_length and tokens > self.context_length:
            words = f"about {tokens:,} tokens, the model's context is {self.context_length:,}; the rest is cut off"
            self._add("FF617", words, line=line)

    def finish(self) -> list[Diagnostic]:
        """The findings; per code a note of those that are not shown. To be called once, after the last row."""
        for again, first in self._repeated():
            self._add("FF615", f"the same prompt as line {first}", line=again)
        hidden = [
            Diagnostic(code, f"`{self.file}`: {count - SHOWN} more of the same kind", _severity(code))
            for code, count in self.counts.items()
            if count > SHOWN
        ]
        return [*self.findings, *hidden]

    def _repeated(self) -> list[tuple[int, int]]:
        """Lines whose prompt stands on an earlier line too, and that line."""
        order = sorted(range(len(self.prompts)), key=self.prompts.__getitem__)
        found, first = [], 0
        for place in range(1, len(order)):
            if self.prompts[order[place]] == self.prompts[order[first]]:
                found.append((self.lines[order[place]], self.lines[order[first]]))
            else:
                first = place
        return sorted(found)

    def _add(self, code: str, words: str, *, line: int) -> None:
        self.counts[code] = self.counts.get(code, 0) + 1
        if self.counts[code] <= SHOWN:
            hint = _HINTS.get(code, "") if self.counts[code] == 1 else ""
            span = SourceSpan(self.path, line, 1, line, 2)
            self.findings.append(Diagnostic(code, f"`{self.file}` line {line}: {words}", _severity(code), span=span, hint=hint))


def shared_prompts(train: Checks, other: Checks) -> Iterator[Diagnostic]:
    """Prompts that stand in both splits: what is measured on them is memory."""
    trained = set(train.prompts) if other.prompts else set()
    both = [line for line, prompt in zip(other.lines, other.prompts, strict=True) if prompt in trained]
    if both:
        shown = ", ".join(str(line) for line in both[:SHOWN]) + (" and more" if len(both) > SHOWN else "")
        message = f"`{other.file}`: {len(both)} prompts also stand in `{train.file}`: line {shown}"
        hint = "what is measured on them is memory"
        yield Diagnostic("FF616", message, Severity.WARNING, span=SourceSpan(other.path, both[0], 1, both[0], 2), hint=hint)


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


def _messages(text: bytes) -> list[dict[str, Any]]:
    """The messages of one row. Raises _BadRow."""
    try:
        row = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _BadRow("FF608", f"byte {error.start + 1} of it, 0x{text[error.start]:02x}, is not UTF-8") from None
    except RecursionError:
        raise _BadRow("FF609", "not JSON that anybody would nest so deep") from None
    except json.JSONDecodeError as error:
        words = error.msg.lower().rstrip(": ").removesuffix(" at")
        raise _BadRow("FF609", f"not JSON: {words} at column {error.colno}") from None
    except ValueError:
        raise _BadRow("FF609", "not JSON: a number of thousands of digits") from None
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages:
        raise _BadRow("FF611", "no `messages`" if isinstance(row, dict) else "not an object, so it has no `messages`")
    _conversation(messages)
    return messages


def _conversation(messages: Iterable[Any]) -> None:
    """An optional system message, then user and assistant in turn, assistant last."""
    expected: tuple[str, ...] = ("system", "user")
    last = ""
    for index, message in enumerate(messages, 1):
        if not isinstance(message, dict) or not all(isinstance(message.get(key), str) for key in ("role", "content")):
            raise _BadRow("FF611", f"message {index} has no `role` and `content` of text")
        if not message["content"].strip():
            raise _BadRow("FF613", f"message {index} is empty")
        if message["role"] not in expected:
            wanted = " or ".join(f"`{role}`" for role in expected)
            raise _BadRow("FF612", f"message {index} is of {_role(message['role'])}, expected {wanted}")
        if not _whole(message["content"]):
            raise _BadRow("FF614", f"message {index} holds half a character (a lone surrogate)")
        last = message["role"]
        expected = ("assistant",) if last == "user" else ("user",)
    if last != "assistant":
        raise _BadRow("FF612", f"the last message is of {_role(last)}, expected `assistant`")


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
