"""Azurite, a blob server that must be one of ours: installed once into the virtual environment, run on loopback for a session."""

from __future__ import annotations

import base64
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

VERSION = "3.35.0"
HOME = Path(sys.prefix) / "azurite" / VERSION
ACCOUNT, CONTAINER = "leases", "datastore"


@dataclass(frozen=True)
class Azurite:
    url: str
    """Of the account."""
    key: str


class NotToBeHad(Exception):
    """Why there is no Azurite here."""


@contextmanager
def running() -> Iterator[Azurite]:
    """With an account of its own, whose key is made anew each time; it keeps everything in memory."""
    program = _installed()
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    options = ("--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", "0", "--skipApiVersionCheck", "--silent")
    process = subprocess.Popen(
        [str(program), *options, "--disableTelemetry"],
        env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"listens on (http://127\.0\.0\.1:\d+)", line):
                yield Azurite(f"{found[1]}/{ACCOUNT}", key)
                return
        raise AssertionError(f"Azurite did not start: {said}")
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def _installed() -> Path:
    """The program. Raises NotToBeHad where npm, or what it needs to install, is not there."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotToBeHad("Azurite is installed by npm, which is not on this machine")
    HOME.mkdir(parents=True, exist_ok=True)
    program = HOME / "node_modules" / ".bin" / "azurite-blob"
    with FileLock(HOME / "lock"):
        if not program.exists():
            command = [npm, "install", "--prefix", str(HOME), "--no-audit", "--no-fund", f"azurite@{VERSION}"]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)
            if ran.returncode:
                raise NotToBeHad(f"npm could not install Azurite: {ran.stderr.strip().splitlines()[-1:]}")
    return program
