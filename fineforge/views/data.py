"""Prepared data for people: what each split is, what its rows are like, a few of them; and what the cache holds.

Rows are shown here because somebody asked for them; no other view shows any.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from fineforge.documents import answers
from fineforge.documents.shapes import Problem
from fineforge.views.paint import Paint, cells, visible
from fineforge.views.recipe import recipe_text
from fineforge.views.text import table

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SplitView:
    """What is shown of one split."""

    split: str
    source: str
    revision: str
    recipe: Mapping[str, Any]
    rows: int
    bytes: int
    sha256: str
    path: Path
    summary: Mapping[str, Any]
    shown: Sequence[Row]


def write_splits(splits: Sequence[SplitView], assets: Mapping[str, str], paint: Paint) -> str:
    """A block for each split. `assets` are data assets of the workspace, used as they are."""
    blocks = ["\n".join([*_head(view, paint), *_rows(view, paint)]) for view in splits]
    blocks += [f"{paint('strong', split)}: {asset}, an existing data asset, used unchanged" for split, asset in assets.items()]
    return "\n\n".join(blocks)


def splits_data(
    spec: str, splits: Sequence[SplitView], assets: Mapping[str, str], diagnostics: Sequence[Problem]
) -> answers.Data:
    prepared = {
        view.split: answers.PreparedSplit(
            source=view.source,
            revision=view.revision,
            recipe=dict(view.recipe),
            rows=view.rows,
            bytes=view.bytes,
            sha256=view.sha256,
            path=str(view.path),
            summary=dict(view.summary),
            shown=list(view.shown),
        )
        for view in splits
    }
    return answers.Data(spec, prepared, dict(assets), list(diagnostics))


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1000 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return ""


def progress_text(rows: int, wanted: int | None, fetched: int) -> str:
    """`512 of 1,039 rows, 12.0 MiB fetched`; `wanted` rows where that is known."""
    of = f" of {wanted:,}" if wanted is not None else ""
    return f"{rows:,}{of} rows" + (f", {size(fetched)} fetched" if fetched else "")


def write_cache(place: Path, limit: int, kinds: Mapping[str, tuple[int, int]], paint: Paint) -> str:
    """`kinds` is what there is: name -> how many files, how many bytes."""
    held = sum(count for _, count in kinds.values())
    rows = [(name, f"{number:,}", size(count)) for name, (number, count) in kinds.items()]
    told = [("place", "", str(place)), ("holds", "", f"{size(held)} of {size(limit)} (FINEFORGE_CACHE_GIB)"), *rows]
    return "\n".join([paint("strong", "data cache"), *table(told, paint, "  ")])


def cache_data(place: Path, limit: int, kinds: Mapping[str, tuple[int, int]]) -> answers.Cache:
    entries = {name: answers.CacheEntry(number, count) for name, (number, count) in kinds.items()}
    return answers.Cache(str(place), limit, sum(entry.bytes for entry in entries.values()), entries)


def _head(view: SplitView, paint: Paint) -> list[str]:
    found = view.summary
    revision = view.revision if view.revision.startswith(("etag:", "sha256:")) else view.revision[:12]
    lengths = "   ".join(f"{name} {count:,}" for name, count in found["characters"].items())
    facts = [("source", recipe_text(view.source, view.recipe)), ("revision", revision)]
    if found["conversations"] and found["turns"]:
        facts.append(("messages", f"{found['turns']:,}, {found['turns'] / found['conversations']:.1f} per row"))
    facts.append(("characters", lengths))
    title = f"{paint('strong', view.split)}: {view.rows:,} {'row' if view.rows == 1 else 'rows'}, {size(view.bytes)}"
    return [title, *table(facts, paint, "  ")]


def _rows(view: SplitView, paint: Paint) -> list[str]:
    lines = []
    for number, row in enumerate(view.shown, 1):
        head = f"  row {number}  "
        for speaker, text in _spoken(row):
            label = paint("quiet", f"{head}{speaker:<10}") if speaker else paint("quiet", head)
            room = paint.width - len(head) - (10 if speaker else 0)
            lines.append(f"{label}{_cut(text, room)}".rstrip())
            head = " " * len(head)
    return lines


def _spoken(row: Row) -> list[tuple[str, str]]:
    """A conversation turn by turn; another row as it is."""
    messages = row.get("messages") if isinstance(row, dict) else None
    if isinstance(messages, list):
        return [(visible(str(message.get("role"))), str(message.get("content"))) for message in messages]
    return [("", json.dumps(row, ensure_ascii=False))]


def _cut(text: str, room: int) -> str:
    """One line of at most `room` columns."""
    flat = visible(" ".join(text[: 4 * max(room, 20)].split()))
    if cells(flat) <= room and len(text) <= 4 * max(room, 20):
        return flat
    while cells(flat) > max(room, 20) - 1:
        flat = flat[:-1]
    return flat.rstrip() + "…"


class Seldom:
    """Whether it is time to tell something again: not before `seconds` have passed, the first time unless it is `at_once`."""

    def __init__(self, seconds: float, at_once: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._seconds, self._next = clock, seconds, clock() + (0 if at_once else seconds)

    def due(self) -> bool:
        if (now := self._clock()) < self._next:
            return False
        self._next = now + self._seconds
        return True


class Counter:
    """Draws on a terminal how far the preparation is; anywhere else it draws nothing."""

    def __init__(self, stream: TextIO, draw: bool, paint: Paint) -> None:
        self._stream, self._draw, self._paint = stream, draw, paint
        self._lock, self._seldom = threading.Lock(), Seldom(0.1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._draw:
            self._write("")

    def __call__(self, split: str, rows: int, wanted: int | None, fetched: int) -> None:
        """Ten times a second at most: a terminal is slower than rows."""
        with self._lock:
            if self._draw and self._seldom.due():
                self._write(f"{split}: {progress_text(rows, wanted, fetched)}"[: self._paint.width - 1])

    def _write(self, text: str) -> None:
        self._stream.write(f"\r\x1b[2K{text}")
        self._stream.flush()
