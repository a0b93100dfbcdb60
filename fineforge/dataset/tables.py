"""CSV, TSV and JSON files, read as the `datasets` library reads them: into its table on disk, for as long as it is read.

Here belongs nothing about rows; JSON Lines of this machine and parquet have readers of their own, as they can do with less.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fineforge.core.diagnostics import FineforgeError
from fineforge.dataset import cache
from fineforge.dataset.encode import BATCH
from fineforge.dataset.parquet import damaged

if TYPE_CHECKING:
    import pyarrow as pa

_BUILDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "csv": ("csv", {}),
    "tsv": ("csv", {"sep": "\t"}),
    "json": ("json", {}),
    "jsonl": ("json", {}),
}
"""Format -> the library's reader of it, and what that is told."""


@dataclass(slots=True)
class Loaded:
    """A table on disk."""

    dataset: Any

    def total(self) -> int:
        return len(self.dataset)

    def columns(self) -> list[str]:
        return list(self.dataset.column_names)

    def tables(self, wanted: Sequence[int]) -> Iterator[pa.Table]:
        """The wanted rows, rising numbers from 0, in tables of BATCH rows; fewer where there are fewer rows."""
        import pyarrow as pa

        table = self.dataset.data.table
        for at in range(0, min(len(wanted), len(table)), BATCH):
            numbers = wanted[at : at + BATCH]
            if isinstance(numbers, range):
                yield table.slice(numbers[0], len(numbers))
            else:
                yield table.take(pa.array(numbers))


def load(form: str, files: Sequence[str], scratch: Path, name: str, options: Mapping[str, Any] | None = None) -> Loaded:
    """The files as one table, which lies in `scratch`. Raises FF627 where the library cannot read them."""
    import datasets

    builder, told = _BUILDERS[form]
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # an error is raised as well, and told once: by us
    try:
        made = datasets.load_dataset(
            builder, data_files={"train": list(files)}, split="train", cache_dir=str(scratch), **{**told, **(options or {})}
        )
    except Exception as error:  # the library wraps errors of pandas, pyarrow and its own, none of which says more than its text
        cause = _cause(error)
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            with cache.writing(scratch.parent):
                raise cause from None
        raise FineforgeError(damaged(name, _words(cause))) from None
    return Loaded(made)


def _cause(error: BaseException) -> BaseException:
    """What began it."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return error


def _words(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:160].rstrip(".").lower()
