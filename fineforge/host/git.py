"""What git knows: which commit a spec is of, what has changed, and how everything was at another commit. Nothing here commits."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.redaction import redact
from fineforge.host import leftovers

SECONDS = 60
"""What a question may take; a repository on a slow disk takes some."""


def run(where: Path, *words: str) -> str:
    """What git prints. FF182 with its own words where it fails: no repository, no such commit, a clone too shallow."""
    folder = where if where.is_dir() else where.parent
    if not folder.is_dir():
        raise FineforgeError(Diagnostic("FF182", f"folder `{folder}` does not exist"))
    try:
        ran = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False, timeout=SECONDS)
    except FileNotFoundError:
        hint = "install git, or avoid `--at` and `changed-since:`"
        raise FineforgeError(Diagnostic("FF182", "git is not installed or not on the PATH", hint=hint)) from None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:  # ValueError: a word with NUL
        raise FineforgeError(Diagnostic("FF182", f"git cannot be run: {error}")) from None
    if ran.returncode == 0:
        return os.fsdecode(ran.stdout)  # A file's name may be any bytes.
    said = " ".join((ran.stderr or ran.stdout).decode("utf-8", "replace").split()) or f"exit code {ran.returncode}"
    raise FineforgeError(Diagnostic("FF182", f"`git {words[0]}` failed: {said[:300]}"))


def commit(where: Path, reference: str) -> str:
    """The commit that a branch, a tag or a short name stands for. FF182 where the clone has it not."""
    run(where, "rev-parse", "--git-dir")
    try:
        return run(where, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}").strip()
    except FineforgeError:
        raise FineforgeError(Diagnostic("FF182", f"this clone does not contain commit `{reference}`", hint=_DEPTH)) from None


def base(where: Path, reference: str) -> str:
    """The newest commit that HEAD and another one have in common."""
    other = commit(where, reference)
    try:
        return run(where, "merge-base", other, "HEAD").strip()
    except FineforgeError:
        message = f"this clone contains no common ancestor of `{reference}` and HEAD"
        raise FineforgeError(Diagnostic("FF182", message, hint=_DEPTH)) from None


_DEPTH = "check the name; in CI, fetch the whole history (`fetch-depth: 0` of actions/checkout)"


def is_shallow(root: Path) -> bool:
    """A shallow clone may be of anything; where there is no git, there is nothing to be shallow."""
    try:
        return run(root, "rev-parse", "--is-shallow-repository").strip() == "true"
    except FineforgeError:
        return False


@cache
def source(root: Path) -> str:
    """`address@commit` of the repository that a folder lies in, without anybody's name or token; empty where there is none."""
    try:
        commit = run(root, "rev-parse", "HEAD").strip()
    except FineforgeError:
        return ""
    try:
        address = run(root, "config", "--get", "remote.origin.url").strip()
    except FineforgeError:
        return commit
    return f"{public_address(address)}@{commit}"


_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_SECRET = re.compile(r"token|secret|passw|pwd|key|sig|auth|cred|jwt|session|code|user|login", re.IGNORECASE)
"""Names of a query's parameters whose values are left out."""


def public_address(address: str) -> str:
    """Return a remote's address without user, password and tokens, in any form that git takes.

    Forms: `scheme://user:password@host/path?query`, `user@host:path`, `helper::address`, and paths of this machine, which stay as
    they are. A password may hold `@`, `:` and `/`. Where an address has two readings, the one that keeps less is taken.
    """
    if helper := re.match(r"[a-z][a-z0-9-]*::", address, re.IGNORECASE):
        return helper[0] + public_address(address[helper.end() :])
    if scheme := _SCHEME.match(address):
        return scheme[0] + _without_user(address[scheme.end() :])
    first = re.split(r"[:/\\]", address, maxsplit=1)[0]
    if len(first) < 2 or address[len(first) : len(first) + 1] != ":":  # a path, `C:\...` too
        return address
    host, _, path = address.partition(":")
    if last := re.match(r".*@(?=(?:\[[^]]*\]|[^@:/]+):)", address, re.DOTALL):  # `user:password@host:path`
        return redact(address[last.end() :])
    if "@" not in host and (after := re.match(r".*@(?=[^@:/]+/)", path, re.DOTALL)):  # `user:password@host/path`
        return redact(path[after.end() :])
    return redact(f"{host.rpartition('@')[2]}:{path}")


def _without_user(rest: str) -> str:
    """What follows `//`, without user and password, and without the secrets of its query."""
    end = re.search(r"[/?#]", rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    port = authority.rpartition("@")[2].rpartition("]")[2].partition(":")[2]
    if "@" in tail and port:  # the port may be the beginning of a password that holds `/`, `?` or `#`
        return _without_user(tail.rpartition("@")[2])
    path, mark, query = tail.partition("?") if "?" in tail else tail.partition("#")
    kept = [part for part in re.split(r"[&;#]", query) if not _SECRET.search(part.partition("=")[0])]
    return redact(authority.rpartition("@")[2] + path + (mark + "&".join(kept) if any(kept) else ""))


_TREES: dict[Path, tuple[Path, str]] = {}
"""Work trees of other commits -> the one that they were made for, and the commit."""


def now(path: Path) -> Path:
    """Where a file or folder of another commit's work tree is in the one that is worked in; any other path as it is."""
    for tree, (top, _) in _TREES.items():
        if path.resolve().is_relative_to(tree):
            return top / path.resolve().relative_to(tree)
    return path


def commit_of(path: Path) -> str:
    """The commit whose work tree (`at`) a file lies in; empty for any other file."""
    return next((of for tree, (_, of) in _TREES.items() if path.resolve().is_relative_to(tree)), "")


@contextmanager
def at(reference: str, paths: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """The same files and folders as they were at a commit, in a work tree that is gone afterwards. FF182 where git has it not."""
    top = Path(run(paths[0].resolve(), "rev-parse", "--show-toplevel").strip())
    found = commit(top, reference)
    folder = Path(tempfile.gettempdir()) / f"{TREE_PREFIX}{secrets.token_hex(8)}"
    tree = folder / reference[:12].replace("/", "-")
    with leftovers.noted(folder, top):
        folder.mkdir(mode=0o700)
        try:
            run(top, "worktree", "add", "--detach", "--quiet", str(tree), found)
            there = tuple(tree / path.resolve().relative_to(top) for path in paths)
            for path, was in zip(paths, there, strict=True):
                if not was.exists():
                    hint = "`git log --follow` shows its earlier paths"
                    raise FineforgeError(Diagnostic("FF182", f"`{path}` does not exist at `{reference}`", hint=hint))
            _TREES[tree.resolve()] = top, found
            yield there
        finally:
            _TREES.pop(tree.resolve(), None)
            drop_trees(top, folder)
            shutil.rmtree(folder, ignore_errors=True)


TREE_PREFIX = "fineforge-at-"
"""Of the temporary folders that hold work trees."""


def drop_trees(top: Path, folder: Path) -> None:
    """Remove the work trees below a folder, and what the repository knows of them. One that was half made is locked: twice
    `--force`."""
    try:
        listed = run(top, "worktree", "list", "--porcelain", "-z").split("\0")
    except FineforgeError:  # the repository is gone
        return
    for line in listed:
        tree = Path(line.removeprefix("worktree "))
        if line.startswith("worktree ") and folder.resolve() in tree.parents:
            with suppress(FineforgeError):
                run(top, "worktree", "remove", "--force", "--force", str(tree))
