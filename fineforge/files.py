"""Writing a user's file: whole or not at all, and what is said where the disk refuses.

Here belong files that people keep: specs, lock files, plans. What the caches and the emulator keep is written where they are.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from fineforge.diagnostics import Diagnostic, FineforgeError


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
