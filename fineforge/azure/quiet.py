"""Keeping azure-ai-ml off the terminal: what it prints and logs is not for the user, who gets events and diagnostics.

Streams belong to the process while creates run in threads: only what a muted thread writes is swallowed, the others' lines pass.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_MUTED = threading.local()
_LOCK = threading.Lock()
_INSTALLED: list[tuple[str, Any, Any]] = []
_USERS = 0


class _Gate:
    """A stream that takes nothing from muted threads."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if getattr(_MUTED, "on", False) else int(self._stream.write(text) or 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def quiet() -> Iterator[None]:
    """Swallows what this thread prints meanwhile."""
    global _USERS
    with _LOCK:
        _USERS += 1
        if _USERS == 1:
            _install()
    _MUTED.on = True
    try:
        yield
    finally:
        _MUTED.on = False
        with _LOCK:
            _USERS -= 1
            if _USERS == 0:
                _remove()


def silence_loggers() -> None:
    """The SDK's loggers bring handlers of their own that write to stderr; without them a program's own settings count."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.startswith("azure.ai.ml") and isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
    azure = logging.getLogger("azure")
    if not azure.handlers:
        azure.addHandler(logging.NullHandler())


def _install() -> None:
    for name in ("stdout", "stderr"):
        before = getattr(sys, name)
        gate = _Gate(before)
        _INSTALLED.append((name, before, gate))
        setattr(sys, name, gate)


def _remove() -> None:
    """Puts the streams back, unless somebody has replaced them meanwhile."""
    while _INSTALLED:
        name, before, gate = _INSTALLED.pop()
        if getattr(sys, name) is gate:
            setattr(sys, name, before)
