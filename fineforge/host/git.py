"""What git knows: which commit a spec is of, what has changed, and how everything was at another commit. Nothing here commits."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from fineforge.core.diagnostics import Diagnostic, FineforgeError

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
    except (OSError, subprocess.TimeoutExpired) as error:
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
    return f"{re.sub(r'(?<=://)[^/@]*@', '', address)}@{commit}"


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
    with tempfile.TemporaryDirectory(prefix="fineforge-at-") as folder:
        tree = Path(folder) / reference[:12].replace("/", "-")
        run(top, "worktree", "add", "--detach", "--quiet", str(tree), found)
        try:
            there = tuple(tree / path.resolve().relative_to(top) for path in paths)
            for path, was in zip(paths, there, strict=True):
                if not was.exists():
                    hint = "`git log --follow` shows its earlier paths"
                    raise FineforgeError(Diagnostic("FF182", f"`{path}` does not exist at `{reference}`", hint=hint))
            _TREES[tree.resolve()] = top, found
            yield there
        finally:
            _TREES.pop(tree.resolve(), None)
            run(top, "worktree", "remove", "--force", str(tree))
