"""Writing a user's file: whole or not at all, and what is said where the disk refuses.

Here belong files that people keep: specs, lock files, plans. What the caches and the emulator keep is written where they are.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.host import git

MAX_BYTES = 1 << 20
"""Bytes that a file which people write may have."""


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
            raise refused(path, error) from None

    def write(self, text: str) -> None:
        """One line, or a whole document."""
        self._holds_something = True
        try:
            self._file.write(text + "\n")
            self._file.flush()
        except OSError as error:
            raise refused(self._path, error) from None

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
            raise refused(self._path, error) from None


def write(path: Path, content: str | bytes, mode: int | None = None) -> None:
    """Replaces the file that the path leads to, if there is one. Without `mode` its rights stay as they are, or are 0644.

    Raises FF007, with everything that existed as it was.
    """
    made: Path | None = None
    try:
        real = path.resolve()
        with tempfile.NamedTemporaryFile(dir=real.parent, prefix=f".{real.name}-", suffix=".part", delete=False) as part:
            made = Path(part.name)
            part.write(content.encode() if isinstance(content, str) else content)
        made.chmod(mode if mode is not None else real.stat().st_mode & 0o7777 if real.exists() else 0o644)
        made.replace(real)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        if made is not None:
            with contextlib.suppress(OSError):
                made.unlink(missing_ok=True)
        raise refused(path, error) from None


def refused(path: Path, error: Exception, what: str = "written") -> FineforgeError:
    """FF007, to be raised: what could not be done to a file, in the system's words."""
    words = getattr(error, "strerror", None) or str(error)
    return FineforgeError(Diagnostic("FF007", f"`{path}` cannot be {what}: {words.lower()}"))


def read_file(file: Path) -> bytes:
    """A file's bytes, up to one more than a spec may have. FF112 where it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        name = shown_path(file)
        what = f"`{name}` is a broken link" if file.is_symlink() else f"file `{name}` does not exist"
        raise FineforgeError(Diagnostic("FF112", what)) from None
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise FineforgeError(Diagnostic("FF112", f"`{shown_path(file)}` cannot be read: {words}")) from None


def shown_path(file: Path) -> str:
    """A file's name as it is said: from the working directory on where it lies below it; of another commit's, where it is now.
    A name may be any bytes; what is said is text."""
    here, file = Path.cwd(), git.now(file)
    name = file.relative_to(here) if file.is_relative_to(here) else file
    return os.fsencode(name).decode("utf-8", "replace")
