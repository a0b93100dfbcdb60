"""`columns`: rows of another form become conversations. Output rows hold `messages` and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROLES = {
    "human": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "prompter": "user",
}
"""Names of other schemes (ShareGPT above all) for the roles of a chat."""


class NoConversation(Exception):
    """Why a row cannot be mapped, and whether a column is missing."""

    def __init__(self, words: str, missing: bool = False) -> None:
        super().__init__(words)
        self.missing = missing


def conversation(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """The row as `{"messages": [...]}`. Raises NoConversation."""
    system = _text(row, columns["system"], optional=True) if "system" in columns else ""
    turns = _list(row, columns["messages"]) if "messages" in columns else _pair(row, columns)
    first = [{"role": "system", "content": system}] if system else []
    return {"messages": [*first, *turns]}


def known_form(row: Mapping[str, Any]) -> str:
    """The mapping that a row without `messages` probably needs, as it is written in the spec; empty where nothing fits."""
    for column, value in row.items():
        if (
            isinstance(value, list)
            and value
            and isinstance(value[0], dict)
            and any(set(pair) <= set(value[0]) for pair in _PAIRS)
        ):
            system = f", system: {_plain(column='system')}" if isinstance(row.get("system"), str) else ""
            return f"columns: {{messages: {_plain(column)}{system}}}"
    for prompt, response in _COLUMNS:
        if isinstance(row.get(prompt), str) and isinstance(row.get(response), str):
            extra = ", input: input" if prompt == "instruction" and isinstance(row.get("input"), str) else ""
            return f"columns: {{prompt: {prompt}{extra}, response: {response}}}"
    return ""


_PAIRS = (("role", "content"), ("from", "value"))
_COLUMNS = (
    ("prompt", "response"),
    ("prompt", "completion"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("question", "answer"),
    ("input", "output"),
)


def _plain(column: str) -> str:
    """A name as it may stand in YAML."""
    return column if column.replace("_", "a").isalnum() and len(column) < 60 else '"..."'


def _list(row: Mapping[str, Any], column: str) -> list[dict[str, Any]]:
    turns = _value(row, column)
    if not isinstance(turns, list) or not turns:
        raise NoConversation(f"`{column}` is not a list of messages")
    return [_turn(turn, number, column) for number, turn in enumerate(turns, 1)]


def _turn(turn: Any, number: int, column: str) -> dict[str, Any]:
    for role, content in _PAIRS:
        if isinstance(turn, dict) and isinstance(turn.get(role), str) and isinstance(turn.get(content), str):
            return {"role": ROLES.get(turn[role].lower(), turn[role]), "content": turn[content]}
    raise NoConversation(f"message {number} of `{column}` needs the text fields `role` and `content`, or `from` and `value`")


def _pair(row: Mapping[str, Any], columns: Mapping[str, str]) -> list[dict[str, Any]]:
    prompt = _text(row, columns["prompt"])
    more = _text(row, columns["input"], optional=True) if "input" in columns else ""
    asked = f"{prompt}\n\n{more}" if more.strip() else prompt
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": _text(row, columns["response"])}]


def _text(row: Mapping[str, Any], column: str, optional: bool = False) -> str:
    value = _value(row, column, optional)
    if value is None and optional:
        return ""
    if not isinstance(value, str):
        raise NoConversation(f"`{column}` is not text")
    return value


def _value(row: Mapping[str, Any], column: str, optional: bool = False) -> Any:
    if column not in row and not optional:
        raise NoConversation(f"column `{column}` does not exist", missing=True)
    return row.get(column)
