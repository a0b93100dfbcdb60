"""Facts on disk that rarely change and cost a round trip to read: the address of a registry, the region of a workspace.

What they save is measured at `AzureGateway._read_sizes_early`. Nothing secret is here, and no decision depends on an entry:
a reader notices a wrong one and asks the service.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote


class Remembered:
    """Entries of one subscription, so that the emulator's entries are never used for the cloud."""

    def __init__(self, folder: Path, subscription: str) -> None:
        self._folder, self._subscription = folder, subscription

    def get(self, name: str) -> Any:
        """Return the entry; None if it is missing or unreadable."""
        try:
            return json.loads(self._file(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def put(self, name: str, value: Any) -> None:
        """Write the entry. A failure is ignored: it costs one request."""
        file = self._file(name)
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = file.with_suffix(f".{os.getpid()}")
            part.write_text(json.dumps(value), encoding="utf-8")
            part.replace(file)

    def _file(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')}-{self._subscription}.json"
