"""What hardly ever changes and costs a round trip to ask: where a registry is, in which region a workspace. Kept on disk.

No secret and nothing that decides is here: whoever reads an entry notices when it is wrong, and asks.
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
    """Entries of one subscription, so that the emulator's are never mistaken for those of the cloud."""

    def __init__(self, folder: Path, subscription: str) -> None:
        self._folder, self._subscription = folder, subscription

    def get(self, name: str) -> Any:
        """The entry as it was put; None where there is none, or none that can be read."""
        try:
            return files.read_json(self._file(name))
        except (FineforgeError, files.JsonError):
            return None

    def put(self, name: str, value: Any) -> None:
        """A cache that cannot be written costs one request, nothing else."""
        file = self._file(name)
        with contextlib.suppress(OSError, FineforgeError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.write(file, json.dumps(value), mode=0o600)

    def _file(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')}-{self._subscription}.json"
