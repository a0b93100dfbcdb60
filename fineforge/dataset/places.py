"""Where a row comes from, as messages name it: a line of a file, or a row of a source split.

A row is a number, counted from 1 through all files of its split, so that a million of them fit in an array.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from fineforge.core.diagnostics import SourceSpan


@dataclass(slots=True)
class Places:
    source: str
    """As messages name the whole split."""
    word: str = "row"
    """`line`, where rows are lines of files that one can look at."""
    starts: list[int] = field(default_factory=list)
    """The number before each file's first line; `files` are as messages name them and as they were opened."""
    files: list[tuple[str, str]] = field(default_factory=list)

    def begin(self, before: int, shown: str, path: str) -> None:
        """A file begins after `before` lines of others. May be said again, when the split is read again."""
        if before not in self.starts:
            self.starts.append(before)
            self.files.append((shown, path))

    def name(self, number: int) -> str:
        """The row with its file."""
        shown, _, line = self._find(number)
        return f"`{shown}` {self.word} {line}"

    def short(self, number: int) -> str:
        """The row, without the file where the split has one only."""
        return self.name(number) if len(self.files) > 1 else f"{self.word} {number}"

    def bare(self, number: int) -> str:
        """The row's number, with its file where the split has several."""
        shown, _, line = self._find(number)
        return f"{line} of `{shown}`" if len(self.files) > 1 else str(line)

    def span(self, number: int) -> SourceSpan | None:
        """A place that a terminal can jump to."""
        _, path, line = self._find(number)
        return SourceSpan(path, line, 1, line, 2) if path else None

    def _find(self, number: int) -> tuple[str, str, int]:
        index = bisect_right(self.starts, number - 1) - 1
        if index < 0:
            return self.source, "", number
        shown, path = self.files[index]
        return shown, path, number - self.starts[index]
