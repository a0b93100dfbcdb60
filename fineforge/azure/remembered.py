"""Facts on disk that rarely change and cost a round trip to read: the address of a registry, the region of a workspace.

What they save is measured at `AzureGateway._read_sizes_early`. Nothing secret is here, and no decision depends on an entry:
a reader notices a wrong one and asks the service.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fineforge.core.diagnostics import FineforgeError
from fineforge.host import files


class Remembered:
    """Entries of one subscription, so that the emulator's entries are never used for the cloud."""

    def __init__(self, folder: Path, subscription: str) -> None:
        self._folder, self._subscription = folder, subscription

    def get(self, name: str) -> Any:
        """Return the entry; None if it is missing or unreadable."""
        try:
            return files.read_json(self._file(name))
        except (FineforgeError, files.JsonError):
            return None

    def put(self, name: str, value: Any) -> None:
        """Write the entry. A failure is ignored: it costs one request."""
        file = self._file(name)
        with contextlib.suppress(OSError, FineforgeError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.write(file, json.dumps(value), mode=0o600)

    def _file(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')}-{self._subscription}.json"
