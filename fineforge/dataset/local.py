"""Files of this machine as a source: one, several by a pattern, or a folder whose `<name>.jsonl` are its source splits.

Here belong finding a split's files, their content's digest and reading the lines of JSON Lines. Other formats are read by
`fineforge.dataset.tables`; what a line must hold is `fineforge.dataset.rows`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

from fineforge.config.spec import Split
from fineforge.core.diagnostics import Diagnostic, FineforgeError, did_you_mean
from fineforge.core.facts import DatasetFact
from fineforge.core.objects import SpecPath
from fineforge.dataset.child import check_columns, damaged
from fineforge.dataset.places import Places
from fineforge.dataset.sizes import MAX_LINE
from fineforge.host.files import open_regular

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet")
_LINED = frozenset({"jsonl", "csv", "tsv"})
"""Formats whose rows are lines."""
_PACKED = frozenset({".gz", ".bz2", ".xz", ".zst", ".zip"})
"""By the names' endings. A single file with another ending is taken for JSON Lines."""

_SOURCE: SpecPath = ("dataset", "source")


class LongLine(ValueError):
    """A line that is too long to be a row: its file, and its number from 1."""


@dataclass(frozen=True, slots=True)
class Found:
    """The files of one source split."""

    shown: str
    files: tuple[Path, ...]
    format: str


@dataclass(frozen=True, slots=True)
class Project:
    """Where paths begin, and what they may not leave."""

    folder: Path
    """The spec's."""
    root: Path
    """Resolved: no link is left in it."""
    allow_outside: bool = False


def locate(source: str, name: str, split: Split, project: Project) -> Found:
    """The files that a split is read from. A path is judged before it is looked at, and links by where they lead."""
    place: SpecPath = ("dataset", "splits", name, "source") if split.source else _SOURCE
    if any(character in source for character in "*?[") and "\0" not in source:
        return _pattern(source, name, split, project, place)
    base = _inside(project.folder / source, source, project, place)
    if base.is_file():
        _only_train(source, {base.stem}, name, split)
        if base.suffix.lower() in _PACKED:
            raise FineforgeError(Diagnostic("FF626", f"`{source}` is packed", path=place, hint="unpack the file"))
        return Found(shown_from(base, project), (base,), _format(base) or "jsonl")
    if not base.is_dir():
        known = [entry.name for entry in base.parent.iterdir()] if base.parent.is_dir() else []
        hint = did_you_mean(base.name, known, "paths are relative to the spec's folder")
        raise FineforgeError(Diagnostic("FF601", f"file or folder `{source}` does not exist", path=place, hint=hint))
    return _of_folder(base, source, name, split, project)


def content(files: Sequence[Path], format: str) -> tuple[str, int | None]:
    """The digest of the files' bytes, not of their names, and the number of rows where they are lines: those not blank.

    One file's digest is its SHA-256; several files' is that of their digests.
    """
    each = [_content(file, format in _LINED) for file in files]
    digest = each[0][0] if len(each) == 1 else hashlib.sha256("\n".join(digest for digest, _ in each).encode()).hexdigest()
    return digest, sum(rows for _, rows in each) if format == "jsonl" else None


def check_form(file: Path, format: str, shown: str) -> None:
    """Raise FF627 if a file's first bytes are not those of its format, and FF631 if a CSV header names too many columns.

    So a huge file of something else is not read whole.
    """
    with open_regular(file) as stream:
        size, first = file.stat().st_size, stream.read(4)
        if format == "parquet":
            stream.seek(max(0, size - 4))
            if size < 12 or (first, stream.read(4)) != (b"PAR1", b"PAR1"):
                raise FineforgeError(damaged(shown, "a parquet file starts and ends with `PAR1`"))
        elif format == "json":
            text = (first + stream.read(65536)).removeprefix(b"\xef\xbb\xbf").lstrip()
            if size and text[:1] not in (b"{", b"["):
                raise FineforgeError(damaged(shown, "a JSON file of rows starts with `{` or `[`"))
        elif format in ("csv", "tsv"):
            header = re.sub(rb'"[^"]*"', b"", first + stream.readline(MAX_LINE))
            check_columns(shown, header.count(b"\t" if format == "tsv" else b",") + 1)


def long_line(shown: str, number: int) -> Diagnostic:
    message = f"`{shown}` line {number} is longer than {MAX_LINE >> 20} MiB"
    return Diagnostic("FF610", message, path=_SOURCE, hint="write one row per line")


def lines(fact: DatasetFact, places: Places, changed: Callable[[], FineforgeError]) -> Iterator[tuple[int, bytes]]:
    """The rows of a split's files as (line, counted from 1; bytes without the line's end). Blank lines are no rows.

    Reads to the end, and raises `changed()` there if the bytes are not those that were described. Raises FF603, and FF610 at a
    line that is too long to be a row.
    """
    digests, number = [], 0
    for path in fact.files:
        shown = fact.source if len(fact.files) == 1 else _beside(path, fact)
        places.begin(number, shown, path)
        digest, before = hashlib.sha256(), number
        for line in _lines(path, shown):
            number += 1
            digest.update(line)
            if len(line) > MAX_LINE:
                raise FineforgeError(long_line(shown, number - before))
            if not line.isspace():
                yield number, line.removesuffix(b"\n").removesuffix(b"\r")
        digests.append(digest.hexdigest())
    whole = digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
    if fact.revision not in (whole, f"sha256:{whole}") and not fact.revision.startswith("etag:"):
        raise changed()


def unreadable(source: str, error: Exception, path: SpecPath = _SOURCE) -> Diagnostic:
    words = (getattr(error, "strerror", None) or str(error)).lower()
    return Diagnostic("FF603", f"`{source}` cannot be read: {words}", path=path)


def _inside(path: Path, source: str, project: Project, place: SpecPath) -> Path:
    if "\0" in str(path):
        raise FineforgeError(
            Diagnostic("FF601", f"`{source}` contains a NUL byte, which is not allowed in file names", path=place)
        )
    if project.allow_outside or Path(os.path.realpath(path)).is_relative_to(project.root):
        return path
    hint = "move it into the project, create a `fineforge.yaml` in a folder that contains both, or add `--allow-outside`"
    raise FineforgeError(Diagnostic("FF602", f"`{source}` leads outside the project", path=place, hint=hint))


def _pattern(source: str, name: str, split: Split, project: Project, place: SpecPath) -> Found:
    """All files that a pattern names, in the order of their names: one source split, `train`."""
    if Path(source).is_absolute() or ".." in Path(source).parts:
        hint = "write the pattern relative to the spec's folder, without `..`"
        raise FineforgeError(Diagnostic("FF602", f"`{source}` leads outside the project", path=place, hint=hint))
    files = sorted(_matching(project.folder, Path(source).parts, source, place))
    if not files:
        raise FineforgeError(
            Diagnostic("FF601", f"no file matches `{source}`", path=place, hint="paths are relative to the spec's folder")
        )
    _only_train(source, set(), name, split)
    for file in files:
        _inside(file, shown_from(file, project), project, place)
    return Found(source, tuple(files), _one_format(source, files, place))


MAX_ENTRIES = 1_000_000
"""Files and folders that a pattern may look at."""


def _matching(folder: Path, parts: tuple[str, ...], source: str, place: SpecPath) -> Iterator[Path]:
    """Yield the files that a pattern matches, each once. FF601 if it leads to more than MAX_ENTRIES files and folders.

    Each folder is read once, with all positions in the pattern that it can stand for: `Path.glob` tries each way to share the
    folders among several `**`, which takes exponential time. Like `Path.glob`, `**` does not follow links.
    """
    waiting, entries = [(folder, _open_at({0}, parts))], 0
    while waiting:
        here, positions = waiting.pop()
        for entry in here.iterdir() if here.is_dir() and os.access(here, os.R_OK | os.X_OK) else ():
            entries += 1
            if entries > MAX_ENTRIES:
                message = f"`{source}` searches more than {MAX_ENTRIES:,} files and folders"
                raise FineforgeError(Diagnostic("FF601", message, path=place, hint="use the folder that contains the data"))
            named = {at for at in positions if parts[at] != "**" and fnmatch(entry.name, parts[at])}
            if len(parts) - 1 in named and entry.is_file():
                yield entry
            deeper = {at + 1 for at in named if at < len(parts) - 1}
            deeper |= {at for at in positions if parts[at] == "**" and not entry.is_symlink()}
            if deeper and entry.is_dir():
                waiting.append((entry, _open_at(deeper, parts)))


def _open_at(positions: set[int], parts: tuple[str, ...]) -> set[int]:
    """Add the positions behind each `**`, which also stands for no folder."""
    for at in range(len(parts) - 1):
        if at in positions and parts[at] == "**":
            positions = positions | {at + 1}
    return positions


def _of_folder(base: Path, source: str, name: str, split: Split, project: Project) -> Found:
    """`<name>.jsonl` or another format, else the shards `<name>-*.parquet` and the like."""
    wanted = split.from_ or name
    place: SpecPath = ("dataset", "splits", name, "from") if split.from_ else ("dataset", "splits", name)
    for ending in FORMATS:
        file = _inside(base / f"{wanted}.{ending}", source, project, place)
        if file.is_file():
            return Found(shown_from(file, project), (file,), ending)
    shards = sorted(file for file in base.iterdir() if file.stem.startswith(f"{wanted}-") and _format(file) and file.is_file())
    if shards:
        for file in shards:
            _inside(file, shown_from(file, project), project, place)
        return Found(f"{source}/{wanted}-*", tuple(shards), _one_format(source, shards, place))
    known = sorted(entry for entry in base.iterdir() if _format(entry) and entry.is_file())
    listed = "it holds " + (", ".join(f"`{entry.name}`" for entry in known[:20]) or "no .jsonl")
    hint = did_you_mean(wanted, [entry.stem for entry in known], listed)
    raise FineforgeError(Diagnostic("FF601", f"`{source}` contains no `{wanted}.jsonl`", path=place, hint=hint))


def _only_train(source: str, stems: set[str], name: str, split: Split) -> None:
    """One file is one source split, `train`: so the `datasets` library names it, and nobody validates on it by accident."""
    wanted = split.from_ or ("train" if split.source else name)
    if wanted == "train" or wanted in stems:
        return
    what = "is one file; it has" if stems else "is one source split, `train`; it has"
    hint = f"use a folder with a `{wanted}.jsonl`, or set `from: train` to use the same rows"
    message = f"`{source}` {what} no split `{wanted}`"
    raise FineforgeError(Diagnostic("FF601", message, path=("dataset", "splits", name), hint=hint))


def _one_format(source: str, files: Sequence[Path], place: SpecPath) -> str:
    formats = {_format(file) for file in files}
    if len(formats) == 1 and (only := formats.pop()):
        return only
    found = ", ".join(sorted({f"`{file.suffix}`" for file in files}))
    hint = f"use files of one format: {', '.join(FORMATS)}"
    raise FineforgeError(
        Diagnostic("FF626", f"`{source}` names files of different or unknown formats: {found}", path=place, hint=hint)
    )


def _format(file: Path) -> str:
    ending = file.suffix.lower().removeprefix(".")
    return ending if ending in FORMATS else ""


def shown_from(file: Path, project: Project) -> str:
    """A file as messages name it: from the spec's folder on where it lies below it."""
    return str(file.relative_to(project.folder) if file.is_relative_to(project.folder) else file)


def _beside(path: str, fact: DatasetFact) -> str:
    """One of several files as messages name it: in the folder that the pattern names."""
    parent = Path(fact.source).parent
    fixed = parent if not any(character in str(parent) for character in "*?[") else Path()
    return str(fixed / Path(path).name)


def _content(file: Path, lined: bool) -> tuple[str, int]:
    """SHA-256 of the bytes, and how many lines are not blank. Read once while the file is what it was: specs share files."""
    now = file.stat()
    return _counted(file, lined, (now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns))


@lru_cache(maxsize=256)
def _counted(file: Path, lined: bool, version: tuple[int, ...]) -> tuple[str, int]:
    """In pieces, as a line may be of any length. Raises LongLine if rows are lines: such a file is not read to its end."""
    digest, rows, blank, lines, length = hashlib.sha256(), 0, True, 0, 0
    with open_regular(file) as stream:
        while piece := stream.readline(1 << 20):
            digest.update(piece)
            blank = blank and piece.isspace()
            length += len(piece)
            if lined and length > MAX_LINE:
                raise LongLine(file, lines + 1)
            if piece.endswith(b"\n"):
                rows, blank, lines, length = rows + (not blank), True, lines + 1, 0
    return digest.hexdigest(), rows + (not blank)


def _lines(path: str, shown: str) -> Iterator[bytes]:
    try:
        with open_regular(Path(path)) as stream:
            while line := stream.readline(MAX_LINE + 1):
                yield line
    except OSError as error:
        raise FineforgeError(unreadable(shown, error)) from None
