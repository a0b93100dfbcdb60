"""The bytes of blobs, and what is kept beside them: written whole or not at all, read in pieces. Where they lie: `blobs`.

Each blob is a file of its own below its container, so that the trainer can read what was uploaded. Metadata and blocks that are
not committed yet lie in folders beside the containers, whose names never start with a dot.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineforge.emulator.storage.blobs import BlobFolder

CHUNK = 1 << 20
_METADATA, _BLOCKS, _PART = ".metadata", ".blocks", ".parts"


class AlreadyThere(Exception):
    """The blob exists, and only a new one was wanted."""


@dataclass(frozen=True, slots=True)
class Blob:
    folder: BlobFolder
    container: str
    name: str
    file: Path

    @property
    def exists(self) -> bool:
        return self.file.is_file()

    @property
    def size(self) -> int:
        return self.file.stat().st_size

    @property
    def modified(self) -> float:
        """Seconds since the epoch."""
        return self.file.stat().st_mtime

    @property
    def etag(self) -> str:
        return f'"0x{self.file.stat().st_mtime_ns:X}"'

    @property
    def metadata(self) -> Mapping[str, str]:
        with contextlib.suppress(OSError, ValueError):
            found: Mapping[str, str] = json.loads(self._metadata_file.read_text(encoding="utf-8"))
            return found
        return {}

    def set_metadata(self, metadata: Mapping[str, str]) -> None:
        if not metadata:
            self._metadata_file.unlink(missing_ok=True)
            return
        self._metadata_file.parent.mkdir(parents=True, exist_ok=True)
        part = self._metadata_file.with_suffix(".part")
        part.write_text(json.dumps(metadata), encoding="utf-8")
        part.replace(self._metadata_file)

    def pieces(self, first: int, last: int) -> Iterator[bytes]:
        """Bytes `first` to `last`, both included."""
        with self.file.open("rb") as stream:
            stream.seek(first)
            while first <= last and (piece := stream.read(min(CHUNK, last - first + 1))):
                first += len(piece)
                yield piece

    @contextmanager
    def writing(self) -> Iterator[Part]:
        """A file to write to, that becomes the blob, or a block of it, only where it is kept; else nothing is left of it."""
        folder = self.folder.root / _PART
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as stream:
            try:
                yield Part(self, stream, hashlib.md5(usedforsecurity=False))
            finally:
                Path(stream.name).unlink(missing_ok=True)

    def delete(self) -> None:
        self.file.unlink()
        self._metadata_file.unlink(missing_ok=True)

    def block(self, identifier: str) -> Path:
        blocks = hashlib.sha256(f"{self.container}/{self.name}".encode()).hexdigest()
        return self.folder.root / _BLOCKS / blocks / hashlib.sha256(identifier.encode()).hexdigest()

    @property
    def _metadata_file(self) -> Path:
        return self.folder.root / _METADATA / self.container / f"{self.name}.json"


@dataclass(frozen=True, slots=True)
class Part:
    """What is being written."""

    blob: Blob
    stream: Any
    digest: Any

    def write(self, data: bytes) -> None:
        self.stream.write(data)
        self.digest.update(data)

    @property
    def md5(self) -> str:
        """As headers carry it."""
        return base64.b64encode(self.digest.digest()).decode()

    def keep(self, metadata: Mapping[str, str], only_new: bool) -> None:
        """Makes it the blob, in one step. Raises AlreadyThere where one exists and `only_new` was asked."""
        self.stream.flush()
        target = self.blob.file
        target.parent.mkdir(parents=True, exist_ok=True)
        if only_new:
            # A link refuses to overwrite, so that of two at the same time one loses.
            try:
                target.hardlink_to(self.stream.name)
            except FileExistsError:
                raise AlreadyThere from None
        else:
            Path(self.stream.name).replace(target)
        self.blob.set_metadata(metadata)

    def keep_as_block(self, identifier: str) -> None:
        self.stream.flush()
        target = self.blob.block(identifier)
        target.parent.mkdir(parents=True, exist_ok=True)
        Path(self.stream.name).replace(target)

    def join(self, identifiers: Sequence[str]) -> bool:
        """Writes the blocks one after the other, and forgets them; False where one is missing."""
        blocks = [self.blob.block(identifier) for identifier in identifiers]
        if not all(block.is_file() for block in blocks):
            return False
        for block in blocks:
            with block.open("rb") as stream:
                shutil.copyfileobj(stream, self.stream, CHUNK)
        return True

    def forget_blocks(self) -> None:
        shutil.rmtree(self.blob.block("").parent, ignore_errors=True)


def find(folder: BlobFolder, container: str, name: str) -> Blob:
    """ValueError where the name would leave the container."""
    return Blob(folder, container, name, folder.path(container, name))


def below(folder: BlobFolder, container: str, prefix: str) -> Iterator[Blob]:
    """Blobs whose names begin so, in the order of their names. ValueError as `find`."""
    root, start = folder.path(container), folder.path(container, prefix.rpartition("/")[0])
    files = (path for path in start.rglob("*") if path.is_file()) if start.is_dir() else ()
    for name, file in sorted((path.relative_to(root).as_posix(), path) for path in files):
        if name.startswith(prefix):
            yield Blob(folder, container, name, file)
