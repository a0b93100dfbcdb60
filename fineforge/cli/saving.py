"""A file beside the output, for `--json-into`: it appears when the command ends, whole, or not at all.

What is written goes into a file of its own first, line by line, so that a process that is killed leaves that one behind.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from fineforge import files


class Saving:
    """Opened before anything else is done: a place that cannot be written is told before something is applied. FF007."""

    def __init__(self, path: Path) -> None:
        self._path, self._holds_something = path, False
        try:
            if path.is_dir():
                raise IsADirectoryError(0, "is a directory")
            self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115
                "w", dir=path.parent, prefix=f".{path.name}-", suffix=".part", delete=False, encoding="utf-8"
            )
        except OSError as error:
            raise files.refused(path, error) from None

    def write(self, text: str) -> None:
        """One line, or a whole document."""
        self._holds_something = True
        try:
            self._file.write(text + "\n")
            self._file.flush()
        except OSError as error:
            raise files.refused(self._path, error) from None

    def close(self) -> None:
        """The file takes its name, also where the command failed: what it says then is why. An empty one goes."""
        part = Path(self._file.name)
        try:
            self._file.close()
            if self._holds_something:
                part.replace(self._path)
            else:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise files.refused(self._path, error) from None
