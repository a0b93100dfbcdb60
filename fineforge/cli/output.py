"""The two streams of a command: results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from fineforge.host.files import Saving
from fineforge.host.secrets import conceal, hide
from fineforge.views.paint import Paint, inert, plain_json, visible

if TYPE_CHECKING:
    from fineforge.documents.answers import Answer, Status


@dataclass(slots=True)
class Output:
    """Where a command writes. Options fill in what it should look like while they are parsed."""

    stdout: TextIO
    stderr: TextIO
    json: bool = False
    no_colour: bool = False
    quiet: bool = False
    format: str = "text"
    """What `--output` asks for; `json` is told by `json` alone."""
    streams_events: bool = False
    """Whether JSON goes out as one object a line."""
    saving: Saving | None = None
    """The file of `--json-into`."""
    began: bool = False
    """Whether the first line of the event stream is written."""

    def result(self, text: str) -> None:
        """What was asked for."""
        _write(self.stdout, text)

    def quote(self, text: str) -> None:
        """What was asked for, in the words of a file, a service or a model: they cannot move the cursor."""
        self.result(visible(text))

    def data(self, value: Any) -> None:
        """What was asked for, as JSON."""
        _write(self.stdout, _pretty(value))

    def answer(self, value: Answer | Status, **more: Any) -> None:
        """Write an answer as JSON, its version first; `more` are keys that only some answers have."""
        from pydantic_core import to_jsonable_python

        self.data({"format_version": value.format_version, **to_jsonable_python(value, fallback=str), **more})

    def document(self, value: Any) -> None:
        """The same for the file of `--json-into`."""
        if self.saving is not None:
            self.saving.write(hide(_pretty(value)))

    def event(self, line: str) -> None:
        """A line of the event stream, to stdout and into the file, whichever are wanted; the version comes before the first."""
        from fineforge.views.stream import version_line

        lines, self.began = ([] if self.began else [version_line()]) + [line], True
        for text in lines:
            if self.json:
                _write(self.stdout, text)
            if self.saving is not None:
                self.saving.write(hide(text))

    def close(self) -> None:
        if self.saving is not None:
            self.saving.close()

    def say(self, text: str) -> None:
        """Something about the work; `--quiet` hides it."""
        if not self.quiet:
            _write(self.stderr, inert(conceal(text)))

    def alert(self, text: str) -> None:
        """A problem; nothing hides it."""
        _write(self.stderr, inert(conceal(text)))

    @property
    def paint(self) -> Paint:
        """How results look."""
        return self._paint(self.stdout)

    @property
    def paint_aside(self) -> Paint:
        """How everything else looks."""
        return self._paint(self.stderr)

    @property
    def terminal(self) -> bool:
        """Whether progress may be drawn: stderr is a terminal that can move its cursor."""
        return self.stderr.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def interactive(self) -> bool:
        """Whether somebody can answer a question."""
        asked_not_to = os.environ.get("FINEFORGE_INPUT", "").lower() in ("0", "false", "no")
        return sys.stdin is not None and sys.stdin.isatty() and self.stderr.isatty() and not asked_not_to

    def _paint(self, stream: TextIO) -> Paint:
        plain = self.no_colour or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        forced = bool(os.environ.get("FORCE_COLOR"))
        width = shutil.get_terminal_size((80, 24)).columns if stream.isatty() or "COLUMNS" in os.environ else 80
        return Paint(not plain and (stream.isatty() or forced), width)


def _pretty(value: Any) -> str:
    return plain_json(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _write(stream: TextIO, text: str) -> None:
    """A character that the stream's encoding lacks becomes `?`, never an error."""
    text = hide(text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()
