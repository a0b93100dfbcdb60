"""The cache on disk: prepared splits, and the pieces of remote files that they were made of.

Everything in it can be made again. A file appears complete or not at all, nobody else may read it (rows may be private), and
the files that were not used for longest go first when the whole grows over its limit. Here belong names, places and sizes;
what is in a file is its writer's business.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.host.files import open_regular

DEFAULT_GIB = 20.0
_PART = ".part-"
_STALE = 24 * 3600
"""Seconds after which an unfinished file is nobody's any more."""


@dataclass(frozen=True, slots=True)
class Entry:
    path: Path
    bytes: int
    used: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What the cache holds."""

    place: Path
    limit: int
    """Bytes."""
    prepared: tuple[Entry, ...]
    """Splits that are ready to be uploaded, the one used last first."""
    pieces: tuple[Entry, ...]
    """Of remote files."""
    other: tuple[Entry, ...]
    """Records, and unfinished files."""

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in (*self.prepared, *self.pieces, *self.other))


def place() -> Path:
    """The folder of the cache, which may not exist yet."""
    from platformdirs import user_cache_path

    return user_cache_path("fineforge") / "data"


MAX_GIB = 2.0**40
"""More than any disk; a larger number is a mistake."""


def limit() -> int:
    """Bytes that the cache may hold: FINEFORGE_CACHE_GIB, else 20 GiB. Raises FF630 for what is no number."""
    given = os.environ.get("FINEFORGE_CACHE_GIB", "").strip()
    try:
        gib = float(given) if given else DEFAULT_GIB
    except ValueError:
        gib = -1.0
    if not 0 <= gib <= MAX_GIB:
        hint = "set a number of GiB, for example `FINEFORGE_CACHE_GIB=50`"
        raise FineforgeError(Diagnostic("FF630", f"FINEFORGE_CACHE_GIB is `{given[:40]}`, which is not a valid size", hint=hint))
    return int(gib * 2**30)


def contents(cache: Path) -> Contents:
    entries = sorted(_entries(cache), key=lambda entry: -entry.used)
    prepared = tuple(entry for entry in entries if entry.path.suffix == ".jsonl" and entry.path.parent == cache)
    pieces = tuple(entry for entry in entries if entry.path.suffix == ".piece")
    other = tuple(entry for entry in entries if entry not in prepared and entry not in pieces)
    return Contents(cache, limit(), prepared, pieces, other)


def clear(cache: Path) -> int:
    """Empties the cache; returns the bytes that are free now."""
    freed = sum(entry.bytes for entry in _entries(cache))
    with writing(cache):
        for path in list(cache.iterdir()) if cache.is_dir() else []:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return freed


def private(folder: Path) -> Path:
    """The folder, made if it is not there; nobody else may read it, whoever made it."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    return folder


def evict(cache: Path, since: float) -> None:
    """Deletes what was not used for longest until the rest fits; nothing that was used after `since`, a time of `time.time`."""
    over = sum(entry.bytes for entry in _entries(cache)) - limit()
    for entry in sorted(_entries(cache), key=lambda entry: entry.used):
        unfinished = any(part.startswith(_PART) for part in entry.path.relative_to(cache).parts)
        stale = unfinished and entry.used < time.time() - _STALE
        if stale or (over > 0 and entry.used < since):
            with contextlib.suppress(OSError):  # somebody else was quicker
                entry.path.unlink()
                over -= entry.bytes


def touch(path: Path) -> None:
    """Notes that a file was used now."""
    with contextlib.suppress(OSError):
        os.utime(path)


@contextmanager
def unfinished(folder: Path) -> Iterator[BinaryIO]:
    """A file that is written; to be given its name with `finish`, else it disappears."""
    with writing(folder), tempfile.NamedTemporaryFile(dir=folder, prefix=_PART, delete=False) as part:
        try:
            yield part  # type: ignore[misc]
        finally:
            Path(part.name).unlink(missing_ok=True)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder for files that nobody needs afterwards."""
    with writing(folder):
        made = tempfile.TemporaryDirectory(dir=folder, prefix=_PART, ignore_cleanup_errors=True)
    with made as name:
        yield Path(name)


def finish(part: BinaryIO, target: Path, durable: bool = True) -> Path:
    """Gives the file its name, all at once. `durable` waits for the disk: for files that nobody checks again."""
    part.flush()
    if durable:
        os.fsync(part.fileno())
    Path(part.name).replace(target)
    return target


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """What the disk refuses, as FF605."""
    try:
        yield
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        hint = (
            "" if error.errno is None else "free some space or set XDG_CACHE_HOME to another folder, then run the command again"
        )
        raise FineforgeError(Diagnostic("FF605", f"`{target}` cannot be written: {words}", hint=hint)) from None


def content(path: Path) -> bytes:
    """Return all bytes of a piece. The pieces that are read so are as large as their request was: a few MiB."""
    with open_regular(path) as stream:
        return stream.read()


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _entries(cache: Path) -> Iterator[Entry]:
    for folder, _, names in os.walk(cache):
        for name in names:
            path = Path(folder) / name
            with contextlib.suppress(OSError):
                found = path.lstat()
                yield Entry(path, found.st_size, found.st_mtime)
