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
from fineforge.dataset import cache, local
from fineforge.dataset.child import SECONDS, SECONDS_PER_MIB, Child, check_columns, damaged, too_long
from fineforge.dataset.encode import BATCH
from fineforge.dataset.sizes import MAX_LINE, PIECE, size

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
    """A table on disk, mapped into memory."""

    table: pa.Table
    name: str

    def total(self) -> int:
        return len(self.table)

    def columns(self) -> list[str]:
        return list(self.table.column_names)

    def tables(self, wanted: Sequence[int]) -> Iterator[pa.Table]:
        """Yield the wanted rows, rising numbers from 0, in tables of at most BATCH rows; fewer where there are fewer rows.

        Raises FF610 at a row that is too long.
        """
        for at in range(0, min(len(wanted), len(self.table)), BATCH):
            yield from self._taken([number for number in wanted[at : at + BATCH] if number < len(self.table)])

    def _taken(self, numbers: Sequence[int]) -> Iterator[pa.Table]:
        import pyarrow as pa

        waiting = [numbers]
        while waiting:
            part = waiting.pop()
            run = self.table.slice(part[0], part[-1] - part[0] + 1)
            taken = size(run)
            if len(part) == 1 and taken > MAX_LINE:
                raise FineforgeError(too_long(self.name, part[0] + 1))
            if len(part) == 1 or taken <= PIECE:
                yield run if len(part) == len(run) else run.take(pa.array([number - part[0] for number in part]))
            else:
                waiting += [part[len(part) // 2 :], part[: len(part) // 2]]


def load(form: str, files: Sequence[str], scratch: Path, name: str, options: Mapping[str, Any] | None = None) -> Loaded:
    """Read the files as one table, which lies in `scratch`.

    The library runs in a child process. Raises FF627 if it cannot read the files or crashes, FF631 if it takes too much time or
    memory, and FF605 if the disk is full.
    """
    import pyarrow as pa

    for file in files:
        local.check_form(Path(file), form, name)
    builder, told = _BUILDERS[form]
    request = {
        "do": "load",
        "builder": builder,
        "files": list(files),
        "scratch": str(scratch),
        "options": {**told, **(options or {})},
    }
    seconds = SECONDS + SECONDS_PER_MIB * (sum(Path(file).stat().st_size for file in files) >> 20)
    try:
        with Child(builder) as child:
            made = child.ask(request, name, seconds)["files"]
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise FineforgeError(damaged(name, str(error.strerror).lower())) from None
        with cache.writing(scratch.parent):
            raise
    loaded = Loaded(pa.concat_tables([pa.ipc.open_stream(pa.memory_map(file)).read_all() for file in made]), name)
    check_columns(name, len(loaded.columns()))
    return loaded
