"""Foreign text within Markdown and HTML, so that it stays text; and pages that are cut between their pieces, never within one.

Foreign is whatever a spec, a file or a service says. How GitHub reads a comment: https://github.github.com/gfm/ for the syntax;
mentions (`@name`) and references (`#12`) are found in the finished text, so that a backslash before them does not help.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fineforge.core.redaction import redact
from fineforge.views.paint import visible

LONGEST = 400
"""Characters of one foreign text; a longer one ends in an ellipsis."""
_NOTHING = "\u200b"
"""A space without width: what it parts is neither a mention, nor a reference, nor an address."""


def code(text: object, cell: bool = False) -> str:
    """Foreign text as a piece of code; `cell` where it stands in a table, in which `|` ends a cell even within code."""
    flat = _flat(str(text)) or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", flat)), default=0) + 1)
    space = " " if flat.startswith("`") or flat.endswith("`") or (flat[0] == flat[-1] == " ") else ""
    shown = f"{fence}{space}{flat}{space}{fence}"
    return shown.replace("|", "\\|") if cell else shown


def words(text: str, cell: bool = False) -> str:
    """One of our messages, in which backticks mark names: these become code, everything else stays text."""
    parts = _flat(text).split("`")
    if len(parts) % 2 == 0:
        return _inert("`".join(parts))
    return "".join(code(part, cell) if number % 2 and part else _inert(part) for number, part in enumerate(parts))


def plain(text: str) -> str:
    """Foreign text in which nothing means anything: not to Markdown, not to HTML, and nobody is mentioned.

    Never the start of a line, where `1.` and `-` begin lists.
    """
    return _inert(_flat(text))


def _inert(text: str) -> str:
    parted = re.sub(r"[@#]|\bGH-|:(?=//)|\bwww\.", lambda found: found[0] + _NOTHING, text)
    return re.sub(r"""[!"#$&*<>@\[\\\]^_`{|}~]""", lambda found: f"&#{ord(found[0])};", parted)


def _flat(text: str) -> str:
    """One line, without control characters and without what looks like a secret, cut where it is too long."""
    flat = " ".join(visible(redact(text)).split())
    return flat if len(flat) <= LONGEST else flat[: LONGEST - 1] + "…"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a page that is whole in itself: `head`, as many `rows` as there is room for, `tail`."""

    rank: int
    """What is left out first: the highest."""
    head: str
    rows: Sequence[str] = ()
    tail: str = ""
    more: str = "- … and {} more"
    """Says how many rows are left out."""
    group: str = ""
    """The pieces of one are shown only where its first one is: that is their heading."""

    def fitted(self, room: int) -> str:
        """The piece in at most `room` bytes, with at least one of its rows; empty where it has no place."""
        head = [self.head] if self.head else []
        whole = "\n".join([*head, *self.rows, *([self.tail] if self.tail else [])])
        if _size(whole) <= room or room <= 0:
            return whole if room > 0 else ""
        kept = list(self.rows)
        room -= _size(self.head) + _size(self.tail) + _size(self.more) + 20
        sizes = [_size(row) + 1 for row in kept]
        while kept and sum(sizes[: len(kept)]) > room:
            kept.pop()
        if not kept:
            return ""
        left = self.more.format(len(self.rows) - len(kept))
        return "\n".join([*head, *kept, left, *([self.tail] if self.tail else [])])


def page(pieces: Sequence[Piece], limit: int, cut: str) -> str:
    """The pieces in their order, in at most `limit` bytes. Room is given by rank; `cut` stands at the end where some found none
    and says how many, as `{}`."""
    whole = [piece.fitted(_ENDLESS) for piece in pieces]
    if _size("\n\n".join(whole)) <= limit:
        return "\n\n".join(whole)
    room = limit - _size(cut) - 20
    shown: dict[int, str] = {}
    headings: dict[str, int] = {}
    for number in sorted(range(len(pieces)), key=lambda number: (pieces[number].rank, number)):
        heading = headings.setdefault(pieces[number].group, number) if pieces[number].group else number
        if heading not in (number, *shown):
            continue
        text = whole[number] if _size(whole[number]) <= room - 2 else pieces[number].fitted(room - 2)
        if text:
            shown[number] = text
            room -= _size(text) + 2
    touched = sum(1 for number, text in enumerate(whole) if shown.get(number) != text)
    return "\n\n".join([*(shown[number] for number in sorted(shown)), cut.format(touched)])


_ENDLESS = 10**9


def _size(text: str) -> int:
    return len(text.encode())
