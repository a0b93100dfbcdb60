"""Notes of temporary files and folders, so that the next run deletes what a killed run left behind.

A note is a small file that its process holds locked. The system drops the lock when the process dies, so a note that can be
locked names something abandoned. Deleting what it names is `fineforge.host.files.sweep`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 16_384
"""Bytes of a note: two paths."""


def lock_file(file: Path, create: bool) -> int | None:
    """Return a descriptor of the file, locked. None if the file is missing, belongs to another user, or is locked already."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        stream = os.open(file, os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT | os.O_EXCL if create else 0), 0o600)
    except OSError:
        return None
    try:
        if os.fstat(stream).st_uid == os.getuid():
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return stream
    except OSError:
        pass
    os.close(stream)
    return None


@contextmanager
def noted(path: Path, repository: Path | None = None) -> Iterator[None]:
    """Keep a note of a temporary file or folder while it exists. `repository`: the git repository that knows the folder.

    A note that cannot be written is skipped: it only serves a run that gets killed.
    """
    folder = _folder()
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700)
    file = folder / secrets.token_hex(8)
    stream = lock_file(file, create=True) if _is_private(folder) else None
    if stream is None:
        yield
        return
    try:
        with contextlib.suppress(OSError):
            os.write(stream, b"\0".join(os.fsencode(part) for part in (path, repository or "")))
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
        os.close(stream)


def abandoned() -> Iterator[tuple[Path, Path | None]]:
    """Yield what dead processes of this user noted: the path, and the repository of a work tree.

    A note is deleted once the caller asks for the next one. A caller that stops early leaves the rest to the next run.
    """
    folder = _folder()
    if not _is_private(folder):
        return
    for file in sorted(folder.iterdir()):
        stream = lock_file(file, create=False)
        if stream is None:
            continue
        try:
            path, _, repository = os.fsdecode(os.read(stream, _LONGEST)).partition("\0")
            if path:
                yield Path(path), Path(repository) if repository else None
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
        finally:
            os.close(stream)


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"fineforge-left-{getattr(os, 'getuid', int)()}"


def _is_private(folder: Path) -> bool:
    """True if the folder exists and only this user can put a note into it."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return (
        folder.is_dir() and not folder.is_symlink() and found.st_uid == getattr(os, "getuid", int)() and not found.st_mode & 0o022
    )
