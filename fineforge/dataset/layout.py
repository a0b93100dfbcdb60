"""Which files of a hub dataset are which split: from its README's `configs`, else from the files' names.

The rules are those of the `datasets` library, so that `from: train` means the same rows there and here; tests compare the two.
Nothing here asks a network.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from fineforge.dataset.local import FORMATS


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration of a dataset."""

    name: str
    splits: Mapping[str, tuple[str, ...]]
    """The files of each split, in order."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What else its reader is told, such as `sep`."""


class Unclear(Exception):
    """Why no files can be said: the words, and what is known instead."""

    def __init__(self, words: str, known: Iterable[str] = ()) -> None:
        super().__init__(words)
        self.known = tuple(known)


def config(files: Sequence[str], readme: str, wanted: str | None) -> Config:
    """The wanted configuration, or the default one. Raises Unclear."""
    given = {str(entry["config_name"]): entry for entry in _configs(readme)} or {"default": {}}
    name = wanted or _default(given)
    if name is None:
        raise Unclear("has several configurations", given)
    if name not in given:
        raise Unclear(f"has no configuration `{name}`", given)
    entry = given[name]
    base = str(entry.get("data_dir") or "").strip("/")
    patterns = _patterns(entry["data_files"]) if "data_files" in entry else _usual(_below(files, base))
    splits = {split: _matching(_below(files, base), these) for split, these in patterns.items()}
    prefix = f"{base}/" if base else ""
    found = {split: tuple(prefix + file for file in these) for split, these in splits.items() if these}
    return Config(name, found, {key: value for key, value in entry.items() if key not in _OURS})


def form(files: Sequence[str]) -> str:
    """The format of a split's files: the most frequent ending, parquet in a draw; empty where none is known."""
    endings = Counter(PurePosixPath(file).suffix.lower().removeprefix(".") for file in files)
    known = [(count, ending == "parquet", ending) for ending, count in endings.items() if ending in FORMATS]
    return max(known)[2] if known and max(known)[0] == max(endings.values()) else ""


_OURS = frozenset({"config_name", "data_files", "data_dir", "default", "description", "features", "drop_labels", "version"})
_SHARDED = re.compile(r"data/([^/]*)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*")
_KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_BREAK = "[-._ 0-9]"
_IGNORED = frozenset(
    {"README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dummy_data.zip", "dataset_dict.json"}
)


def _configs(readme: str) -> list[dict[str, Any]]:
    """The `configs` of the README's front matter."""
    match = re.match(r"\s*---\r?\n(.*?)\r?\n---\s*(?:\r?\n|$)", readme, re.DOTALL)
    try:
        front = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError:
        raise Unclear("has a README whose front matter is not valid YAML") from None
    entries = front.get("configs") if isinstance(front, dict) else None
    return [entry for entry in entries or [] if isinstance(entry, dict) and "config_name" in entry]


def _default(given: Mapping[str, Mapping[str, Any]]) -> str | None:
    names = [name for name, entry in given.items() if len(given) == 1 or name == "default" or entry.get("default")]
    return names[0] if len(names) == 1 else None


def _below(files: Sequence[str], base: str) -> list[str]:
    return [file.removeprefix(f"{base}/") for file in files if file.startswith(f"{base}/")] if base else list(files)


def _patterns(data_files: Any) -> dict[str, list[str]]:
    """`data_files` as split -> patterns. Without split names, everything is `train`."""
    entries = data_files if isinstance(data_files, list) else [data_files]
    if all(isinstance(entry, str) for entry in entries):
        return {"train": entries}
    if isinstance(data_files, dict):
        return {str(split): _list(paths) for split, paths in data_files.items()}
    if all(isinstance(entry, dict) and "split" in entry and "path" in entry for entry in entries):
        return {str(entry["split"]): _list(entry["path"]) for entry in entries}
    raise Unclear("has a README with invalid `data_files`")


def _list(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]


def _usual(files: Sequence[str]) -> dict[str, list[str]]:
    """Split -> patterns by the files' names: shards in `data/`, folders named as splits, files named as splits, else all."""
    sharded = sorted({match[1] for file in files if (match := _SHARDED.fullmatch(file))})
    if sharded:
        five = "[0-9]" * 5
        return {split: [f"data/{split}-{five}-of-{five}*.*"] for split in sharded}
    for shapes in (_FOLDERS, _NAMES):
        found = {split: [shape.format(word) for word in words for shape in shapes] for split, words in _KEYWORDS.items()}
        found = {split: patterns for split, patterns in found.items() if _matching(files, patterns)}
        if found:
            return found
    return {"train": ["**"]}


_FOLDERS = ("**/{}/**", "**/{}" + _BREAK + "*/**", "**/*" + _BREAK + "{}/**", "**/*" + _BREAK + "{}" + _BREAK + "*/**")
_NAMES = ("**/{}" + _BREAK + "*", "**/*" + _BREAK + "{}" + _BREAK + "*")


def _matching(files: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """The files that match, in the order of the patterns and then of their names, each once."""
    found: dict[str, None] = {}
    for pattern in patterns:
        shape = re.compile(_expression(pattern))
        ignored = _IGNORED - {PurePosixPath(pattern).name}
        found |= {
            file: None
            for file in sorted(files)
            if shape.fullmatch(file) and PurePosixPath(file).name not in ignored and _as_visible(file, pattern)
        }
    return tuple(found)


def _expression(pattern: str) -> str:
    """A pattern as a regular expression: `**` is any number of folders, or everything at the end; `*` stays in one folder."""
    parts = pattern.removeprefix("./").split("/")
    written = ["(?:[^/]+/)*" if part == "**" else _part(part) + "/" for part in parts[:-1]]
    return "".join(written) + (".+" if parts[-1] == "**" else _part(parts[-1]))


def _part(part: str) -> str:
    pieces = re.split(r"(\*+|\?|\[[^\]/]+\])", part)
    return "".join(_token(piece) if index % 2 else re.escape(piece) for index, piece in enumerate(pieces))


def _token(token: str) -> str:
    if token.startswith("*"):
        return "[^/]*"
    if token == "?":
        return "[^/]"
    inside = re.sub(r"([\\\[&~|^])", r"\\\1", token[1:-1].lstrip("!^"))
    return f"[{'^' if token[1] in '!^' else ''}{inside}]"


def _as_visible(file: str, pattern: str) -> bool:
    """Hidden files and folders, and folders such as `__pycache__`, count only where the pattern names them as such."""

    def hidden(path: str) -> int:
        return sum(part.startswith(".") and set(part) != {"."} for part in PurePosixPath(path).parts)

    def special(path: str) -> int:
        return sum(part.startswith("__") for part in PurePosixPath(path).parent.parts)

    return hidden(file) == hidden(pattern) and special(file) == special(pattern)
