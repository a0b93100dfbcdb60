"""CSV, TSV and JSON files, read as the `datasets` library reads them: into its table on disk, in the cache.

Here belongs nothing about rows; JSON Lines of this machine and parquet have readers of their own, as they can do with less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fineforge.dataset.encode import BATCH
from fineforge.dataset.parquet import damaged
from fineforge.diagnostics import FineforgeError

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


def load(form: str, files: Sequence[str], cache: Path, name: str, options: Mapping[str, Any] | None = None) -> Loaded:
    """Raises FF627 where the library cannot read the files."""
    import datasets

    builder, told = _BUILDERS[form]
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    try:
        made = datasets.load_dataset(
            builder, data_files={"train": list(files)}, split="train", cache_dir=str(cache), **{**told, **(options or {})}
        )
    except Exception as error:  # the library wraps errors of pandas, pyarrow and its own, none of which says more than its text
        raise FineforgeError(damaged(name, _words(error))) from None
    return Loaded(made)


def _words(error: BaseException) -> str:
    """The first cause's own words."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:160].rstrip(".").lower()
