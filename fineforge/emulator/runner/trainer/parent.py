"""A child process ends when the emulator does, however that ended. Nothing else belongs here."""

from __future__ import annotations

import os
import threading
import time

VARIABLE = "FINEFORGE_EMULATOR_PID"
"""Set by the emulator for its children: without it, one that starts while its parent dies would wait for a stranger."""


def die_with_parent() -> None:
    """Looks once a second; a child that nobody waits for must not go on."""
    told = os.environ.get(VARIABLE, "")
    parent = int(told) if told.isdigit() else os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
