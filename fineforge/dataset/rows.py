"""Row checks: is a row a conversation that can be trained on. Every finding names the file and the row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fineforge.diagnostics import Diagnostic, Severity, SourceSpan

SHOWN = 20
"""Findings of one code that are shown; the rest is counted."""


@dataclass(slots=True)
class Checks:
    """Collects what is wrong with the rows of one split, and what they are like. Keeps digests of prompts, no rows."""

    file: str
    context_length: int | None = None
    findings: list[Diagnostic] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    prompts: dict[bytes, int] = field(default_factory=dict)
    """Digest of the prompt -> first row."""
    lengths: list[int] = field(default_factory=list)
    """Characters of each conversation."""
    turns: int = 0

    def row(self, number: int, line: bytes) -> None:
        """Checks one row; `number` counts from 1."""
        try:
            row = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            self._add("FF611", number, f"byte 0x{line[error.start]:02x} is not UTF-8")
            return
        except ValueError as error:
            self._add("FF611", number, f"not JSON: {getattr(error, 'msg', error)}")
            return
        messages = row.get("messages") if isinstance(row, dict) else None
        if not isinstance(messages, list) or not messages:
            self._add("FF612", number, "no `messages`", hint="each row is {\"messages\": [{\"role\": ..., \"content\": ...}, ...]}")
            return
        problem = _conversation(messages)
        if problem:
            self._add("FF613", number, problem)
            return
        self._measure(number, messages)

    def finish(self) -> list[Diagnostic]:
        """The findings, with a line for those that are not shown."""
        hidden = [
            Diagnostic(code, f"`{self.file}`: {count - SHOWN} more rows of the same kind", self._severity(code))
            for code, count in self.counts.items()
            if count > SHOWN
        ]
        return [*self.findings, *hidden]

    def _measure(self, number: int, messages: list[dict[str, Any]]) -> None:
        characters = sum(len(message["content"]) for message in messages)
        self.lengths.append(characters)
        self.turns += len(messages)
        prompt = next(message["content"] for message in messages if message["role"] == "user")
        key = hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=12).digest()
        if first := self.prompts.get(key):
            self._add("FF614", number, f"the same prompt as row {first}")
        else:
            self.prompts[key] = number
        if self.context_length and -(-characters // 4) > self.context_length:
            self._add("FF616", number, f"about {-(-characters // 4):,} tokens; the model's context is {self.context_length:,}")

    def _add(self, code: str, number: int, words: str, hint: str = "") -> None:
        self.counts[code] = self.counts.get(code, 0) + 1
        if self.counts[code] <= SHOWN:
            span = SourceSpan(self.file, number, 1, number, 2)
            self.findings.append(Diagnostic(code, f"row {number}: {words}", self._severity(code), span=span, hint=hint))

    def _severity(self, code: str) -> Severity:
        return Severity.WARNING if code in ("FF614", "FF615", "FF616") else Severity.ERROR


def shared_prompts(train: Checks, test: Checks) -> Iterator[Diagnostic]:
    """Prompts that stand in both splits: what is measured on them is memory."""
    both = sorted(row for key, row in test.prompts.items() if key in train.prompts)
    if both:
        rows = ", ".join(str(row) for row in both[:SHOWN])
        message = f"{len(both)} prompts of `{test.file}` also stand in `{train.file}`: row {rows}"
        yield Diagnostic("FF615", message, Severity.WARNING, span=SourceSpan(test.file, both[0], 1, both[0], 2))


def summary(checks: Checks, size: int) -> dict[str, Any]:
    """Rows, turns, and how long conversations are, in characters."""
    lengths = sorted(checks.lengths)

    def at(share: float) -> int:
        return lengths[min(len(lengths) - 1, int(len(lengths) * share))] if lengths else 0

    return {
        "rows": len(lengths),
        "turns": checks.turns,
        "bytes": size,
        "characters": {"median": at(0.5), "p95": at(0.95), "longest": lengths[-1] if lengths else 0},
    }


def _conversation(messages: Iterable[Any]) -> str | None:
    """Why messages are no conversation to train on: an optional system message, then user and assistant in turn, assistant last."""
    expected, last = ("system", "user"), ""
    for index, message in enumerate(messages, 1):
        if not isinstance(message, dict) or not isinstance(message.get("content"), str) or not isinstance(message.get("role"), str):
            return f"message {index} has no `role` and `content`"
        if not message["content"].strip():
            return f"message {index} is empty"
        if message["role"] not in expected:
            return f"message {index} is of `{message['role']}`, expected " + " or ".join(f"`{role}`" for role in expected)
        last = message["role"]
        expected = ("assistant",) if last == "user" else ("user",)
    return None if last == "assistant" else "the last message is not of `assistant`"
