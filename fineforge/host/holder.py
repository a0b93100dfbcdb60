"""Who holds an apply lease: this process, described from its surroundings, and whether a holder on this machine is still alive.

The environment, git and one file in the temporary folder are read here; what is done with a lease is `fineforge.execution.lease`.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from fineforge.core.diagnostics import FineforgeError
from fineforge.host import git, leftovers

_SAFE = " !#$&'()*+,-./:;<=>?@[]^_`{|}~"
"""Everything that a header may hold, but `%`."""
_LONGEST = 400
"""Of one entry; the storage takes 8 KiB for all of them."""


@dataclass(frozen=True, slots=True)
class Holder:
    who: str = ""
    host: str = ""
    since: str = ""
    """UTC, ISO 8601, to the second."""
    command: str = ""
    """`apply` or `destroy`."""
    run: str = ""
    """Address of the CI run."""
    commit: str = ""

    def note(self) -> dict[str, str]:
        """As metadata of a blob: ASCII only."""
        return {key: quote(text[:_LONGEST], safe=_SAFE) for key, text in asdict(self).items() if text}

    @staticmethod
    def read(note: Mapping[str, str]) -> Holder:
        known = {key.lower(): unquote(text) for key, text in note.items()}
        return Holder(**{field.name: known.get(field.name, "") for field in fields(Holder)})

    def __str__(self) -> str:
        """`alice` on `laptop`, since 2026-03-01 12:00:05 UTC, `apply`, commit 0123456789ab, https://..."""
        parts = [f"`{self.who or 'somebody'}`" + (f" on `{self.host}`" if self.host else "")]
        if self.since:
            parts.append(f"since {self.since.replace('T', ' ').removesuffix('Z')} UTC")
        parts += [f"`{self.command}`"] if self.command else []
        parts += [f"commit {self.commit[:12]}"] if self.commit else []
        return ", ".join([*parts, *([self.run] if self.run else [])])


def this_process(command: str, folder: Path) -> Holder:
    """`folder` is the spec's: its commit is told."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Holder(_user(), socket.gethostname(), now, command, _run(), _commit(folder))


@contextmanager
def alive(lease: str, place: str) -> Iterator[None]:
    """Within it, this process is known on this machine to hold a lease, by its id and where it is; the system itself ends that
    when the process dies.

    A file stays until `forget`: by that, others see that there was a holder who did not give the lease back.
    """
    stream = leftovers.lock_file(_file(lease), create=True)  # None on Windows: a dead holder's lease runs out by itself
    try:
        if stream is not None:
            os.write(stream, place.encode())
        yield
    finally:
        if stream is not None:
            os.close(stream)


def died_here(place: str) -> Iterator[str]:
    """Ids of leases at a place whose holders were processes of this user on this machine, and are no more.

    Only who held it had the file: neither a machine of the same name nor a copy of this one is taken for it.
    """
    for file in sorted(_file("").parent.glob(f"{_file('').name}*")):
        stream = leftovers.lock_file(file, create=False)
        if stream is not None:
            with os.fdopen(stream, "rb") as opened:
                there = opened.read(_LONGEST * 10).decode("utf-8", "replace")
            if there == place:
                yield file.name.removeprefix(_file("").name)


def forget(lease: str) -> None:
    """The lease was given back, or taken over."""
    with contextlib.suppress(OSError):
        _file(lease).unlink(missing_ok=True)


def _file(lease: str) -> Path:
    return Path(tempfile.gettempdir()) / f"fineforge-lease-{lease}"


def _user() -> str:
    """Who started the CI run, else the user of this machine."""
    for name in ("GITHUB_ACTOR", "BUILD_REQUESTEDFOR", "GITLAB_USER_LOGIN"):
        if os.environ.get(name):
            return os.environ[name]
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user id without an entry in its list of users.
        return ""


def _run() -> str:
    """Address of the CI run that this process belongs to: GitHub, Azure Pipelines, GitLab."""
    given = os.environ
    if given.get("GITHUB_RUN_ID"):
        return f"{given.get('GITHUB_SERVER_URL', '')}/{given.get('GITHUB_REPOSITORY', '')}/actions/runs/{given['GITHUB_RUN_ID']}"
    if given.get("BUILD_BUILDID") and given.get("SYSTEM_COLLECTIONURI"):
        project = quote(given.get("SYSTEM_TEAMPROJECT", ""))
        return f"{given['SYSTEM_COLLECTIONURI'].rstrip('/')}/{project}/_build/results?buildId={given['BUILD_BUILDID']}"
    return given.get("CI_JOB_URL", "")


def _commit(folder: Path) -> str:
    for name in ("GITHUB_SHA", "BUILD_SOURCEVERSION", "CI_COMMIT_SHA"):
        if os.environ.get(name):
            return os.environ[name]
    try:
        return git.run(folder, "rev-parse", "HEAD").strip()
    except FineforgeError:
        return ""
