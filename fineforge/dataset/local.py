"""Local JSON Lines as a source: a file, or a folder whose `<name>.jsonl` are its source splits.

Here belong finding a split's file, its content's digest and reading its lines. What a line must hold is
`fineforge.dataset.rows`.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fineforge.core import DatasetFact, SpecPath
from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.spec import Dataset, Split

MAX_LINE = 16 << 20
"""Bytes that one row may have; more is no JSON Lines file, and would not fit a model either."""

_SOURCE: SpecPath = ("dataset", "source")


def describe(dataset: Dataset, folder: Path, root: Path, allow_outside: bool = False) -> dict[str, DatasetFact]:
    """What each split is made of, by split name. `folder` is the spec's, `root` the project's, which paths may not leave.

    Reads every byte once, for its SHA-256 and the number of rows, and keeps none. Raises FineforgeError (FF601, FF602, FF603),
    all splits' errors at once.
    """
    found: dict[str, DatasetFact] = {}
    problems: list[Diagnostic] = []
    for name, split in dataset.splits.given().items():
        source = dataset.source_of(name)
        try:
            file = _locate(source, name, split, folder, root, allow_outside)
            found[name] = _fact(name, split, file, folder)
        except FineforgeError as error:
            problems += [problem for problem in error.diagnostics if problem not in problems]
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle; ValueError: a NUL byte
            problems.append(_unreadable(source, error))
    if problems:
        raise FineforgeError(*problems)
    return found


def wanted_rows(total: int, selection: Mapping[str, Any]) -> int:
    """How many of `total` rows are used, counted from the first: half to even, as the `datasets` library rounds."""
    if "rows" in selection:
        return min(int(selection["rows"]), total)
    return round(total * int(selection["percent"]) / 100)


def lines(fact: DatasetFact, seen: Callable[[bytes], object]) -> Iterator[tuple[int, bytes]]:
    """The rows of a split's file as (line, counted from 1; bytes without the line's end). Blank lines are no rows.

    `seen` gets every byte of the file, in order. Raises FF603, and FF610 at a line that is too long to be a row.
    """
    try:
        with Path(fact.local_path).open("rb") as stream:
            number = 0
            while line := stream.readline(MAX_LINE + 1):
                number += 1
                seen(line)
                if len(line) > MAX_LINE:
                    message = f"`{fact.source}` line {number} is longer than {MAX_LINE >> 20} MiB"
                    raise FineforgeError(Diagnostic("FF610", message, path=_SOURCE, hint="is it JSON Lines, a row on each line?"))
                if not line.isspace():
                    yield number, line.removesuffix(b"\n").removesuffix(b"\r")
    except OSError as error:
        raise FineforgeError(_unreadable(fact.source, error)) from None


def _locate(source: str, name: str, split: Split, folder: Path, root: Path, allow_outside: bool) -> Path:
    """The file that a split is read from. A path is judged before it is looked at, and links by where they lead."""
    base = folder / source

    def inside(path: Path, place: SpecPath) -> Path:
        if allow_outside or path.resolve().is_relative_to(root.resolve()):
            return path
        hint = "move it into the project, or put a `fineforge.yaml` into a folder that holds both"
        raise FineforgeError(Diagnostic("FF602", f"`{source}` leads out of the project", path=place, hint=hint))

    if inside(base, _SOURCE).is_file():
        return _only_file(base, source, name, split)
    if not base.is_dir():
        known = [entry.name for entry in base.parent.iterdir()] if base.parent.is_dir() else []
        hint = _near(base.name, known) or "paths are relative to the spec's folder"
        raise FineforgeError(Diagnostic("FF601", f"there is no file or folder `{source}`", path=_SOURCE, hint=hint))
    wanted = split.from_ or name
    place: SpecPath = ("dataset", "splits", name, "from") if split.from_ else ("dataset", "splits", name)
    file = inside(base / f"{wanted}.jsonl", place)
    if not file.is_file():
        known = sorted(entry.stem for entry in base.glob("*.jsonl"))
        hint = _near(wanted, known) or "it holds " + (", ".join(f"`{entry}.jsonl`" for entry in known) or "no .jsonl")
        raise FineforgeError(Diagnostic("FF601", f"`{source}` holds no `{wanted}.jsonl`", path=place, hint=hint))
    return file


def _only_file(file: Path, source: str, name: str, split: Split) -> Path:
    """One file is one source split, `train`: so the `datasets` library names it, and nobody validates on it by accident."""
    wanted = split.from_ or name
    if wanted in ("train", file.stem):
        return file
    hint = f"make it a folder with a `{wanted}.jsonl`, or say `from: train` to use the same rows"
    message = f"`{source}` is one file; it has no split `{wanted}`"
    raise FineforgeError(Diagnostic("FF601", message, path=("dataset", "splits", name), hint=hint))


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean `{near[0]}`?" if near else ""


def _fact(name: str, split: Split, file: Path, folder: Path) -> DatasetFact:
    """The digest is of bytes, not of names: a file that is only renamed trains nothing again."""
    selection: dict[str, Any] = {"percent": split.percent or 100} if split.rows is None else {"rows": split.rows}
    digest, rows = _content(file)
    shown = file.relative_to(folder) if file.is_relative_to(folder) else file
    return DatasetFact(name, str(shown), digest, selection, wanted_rows(rows, selection), str(file))


def _content(file: Path) -> tuple[str, int]:
    """SHA-256 of the bytes, and how many lines are not blank; in pieces, as a line may be of any length."""
    digest, rows, blank = hashlib.sha256(), 0, True
    with file.open("rb") as stream:
        while piece := stream.readline(1 << 20):
            digest.update(piece)
            blank = blank and piece.isspace()
            if piece.endswith(b"\n"):
                rows, blank = rows + (not blank), True
    return digest.hexdigest(), rows + (not blank)


def _unreadable(source: str, error: Exception) -> Diagnostic:
    words = (getattr(error, "strerror", None) or str(error)).lower()
    return Diagnostic("FF603", f"`{source}` cannot be read: {words}", path=_SOURCE)
