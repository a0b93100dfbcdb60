"""Local JSON Lines as a source: a file, or a folder whose `<name>.jsonl` are its source splits."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path

from fineforge.core import DatasetFact, SpecPath
from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.spec import Dataset, Split

_CHUNK = 1 << 20


def describe(dataset: Dataset, folder: Path, root: Path, allow_outside: bool = False) -> dict[str, DatasetFact]:
    """What each split is made of, by split name. `folder` is the spec's, `root` the project's, which paths may not leave.

    Reads every byte once for its SHA-256 and keeps none. Raises FineforgeError (FF601, FF602, FF603), all splits' errors at once.
    """
    found: dict[str, DatasetFact] = {}
    problems: list[Diagnostic] = []
    for name, split in dataset.splits.given().items():
        try:
            file = locate(dataset.source, name, split, folder, root, allow_outside)
            found[name] = _fact(name, split, file, folder)
        except FineforgeError as error:
            problems += error.diagnostics
    if problems:
        raise FineforgeError(*problems)
    return found


def locate(source: str, name: str, split: Split, folder: Path, root: Path, allow_outside: bool) -> Path:
    """The file that a split is read from."""
    path: SpecPath = ("dataset", "source")
    base = folder / source
    if not allow_outside and not base.resolve().is_relative_to(root.resolve()):
        hint = f"move it below `{root.name or root}`, or pass `--allow-outside`"
        raise FineforgeError(Diagnostic("FF602", f"`{source}` leads out of the project", path=path, hint=hint))
    if base.is_file():
        if split.from_ not in (None, "train", base.stem):
            raise FineforgeError(
                Diagnostic("FF601", f"`{source}` is one file; it has no split `{split.from_}`", path=("dataset", "splits", name, "from"))
            )
        return base
    if not base.is_dir():
        near = difflib.get_close_matches(base.name, [entry.name for entry in base.parent.iterdir()], 1) if base.parent.is_dir() else []
        hint = f"did you mean `{near[0]}`?" if near else "paths are relative to the spec's folder"
        raise FineforgeError(Diagnostic("FF601", f"there is no file or folder `{source}`", path=path, hint=hint))
    wanted = split.from_ or name
    file = base / f"{wanted}.jsonl"
    if not file.is_file():
        known = sorted(entry.stem for entry in base.glob("*.jsonl"))
        near = difflib.get_close_matches(wanted, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else "it holds " + (", ".join(f"`{entry}.jsonl`" for entry in known) or "no .jsonl")
        where: SpecPath = ("dataset", "splits", name, "from") if split.from_ else ("dataset", "splits", name)
        raise FineforgeError(Diagnostic("FF601", f"`{source}` holds no `{wanted}.jsonl`", path=where, hint=hint))
    if not allow_outside and not file.resolve().is_relative_to(root.resolve()):
        raise FineforgeError(Diagnostic("FF602", f"`{source}/{file.name}` leads out of the project", path=path))
    return file


def _fact(name: str, split: Split, file: Path, folder: Path) -> DatasetFact:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise FineforgeError(Diagnostic("FF603", f"`{file.name}` cannot be read: {words}", path=("dataset", "source"))) from None
    selection = {"rows": split.rows} if split.rows is not None else {"percent": split.percent or 100}
    return DatasetFact(name, str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file), digest.hexdigest(), selection,
                       local_path=str(file))
