"""Conversations as token ids: the loss is on what the assistant says, and on nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fineforge.emulator.runner.trainer.twin import END

IGNORED = -100
"""The label that the loss skips."""


class BadRow(ValueError):
    """A row that cannot be trained on; its text is for the user."""


def read_rows(file: Path, what: str, answered: bool) -> list[list[dict[str, str]]]:
    """The conversations of a JSON Lines file; `what` is the split's name in words. Raises BadRow that names the first bad row,
    of rows that must be `answered` also one where the assistant says nothing."""
    rows = []
    if not file.is_file():
        raise BadRow(f"the {what} data is not a file; the emulator trains on JSON Lines files")
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                rows.append(_row(line, f"row {number} of the {what} file", answered))
    if not rows:
        raise BadRow(f"the {what} file has no rows")
    return rows


def has_answer(row: Mapping[str, list[int]]) -> bool:
    """Whether anything is left to learn from, once the row has been cut."""
    return any(label != IGNORED for label in row["labels"])


def encode(tokenizer: Any, messages: list[dict[str, str]], limit: int) -> dict[str, list[int]]:
    """Ids and labels of one conversation, cut at `limit` tokens."""
    ids: list[int] = []
    labels: list[int] = []
    for message in messages:
        head = tokenizer.encode(f"<|{message['role']}|>\n", add_special_tokens=False)
        body = tokenizer.encode(f"{message['content']}{END}", add_special_tokens=False)
        tail = tokenizer.encode("\n", add_special_tokens=False)
        ids += head + body + tail
        wanted = body if message["role"] == "assistant" else [IGNORED] * len(body)
        labels += [IGNORED] * len(head) + wanted + [IGNORED] * len(tail)
    return {"input_ids": ids[:limit], "labels": labels[:limit]}


def _row(line: bytes, where: str, answered: bool) -> list[dict[str, str]]:
    try:
        row = json.loads(line)
    except ValueError:
        raise BadRow(f"{where} is not JSON") from None
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages:
        raise BadRow(f"{where} has no messages")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str) or message.get("role") not in _ROLES:
            raise BadRow(f"{where} has a message without role and content")
    if answered and not any(message["role"] == "assistant" for message in messages):
        raise BadRow(f"{where} has no assistant turn: nothing can be learned from it")
    return messages


_ROLES = ("system", "user", "assistant")
