"""Which specs are meant: files and folders, what `.fineforgeignore` leaves out, and what `--select` keeps.

Reading folders and asking git is here. What a spec says is read elsewhere; a selection gets its name and tags.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from fineforge.config import names as config_names
from fineforge.config import project
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.host import files, git
from fineforge.host import files as host_files

IGNORE_FILE = ".fineforgeignore"
_ENDINGS = (".yaml", ".yml")
_NOT_SPECS = frozenset({project.FILE_NAME, config_names.LOCK_FILE, "fineforge.defaults.yaml"})
_FOLDERS = frozenset({"policies", "templates", "node_modules", "__pycache__"})
"""Folders whose YAML files are no specs, whoever's they are; hidden ones are left out too."""


def find(paths: Sequence[Path]) -> tuple[list[Path], list[Diagnostic]]:
    """The files of the specs that are meant, sorted within each folder, none twice; and what is wrong with the others.

    Every YAML file below a folder is a spec, but for hidden ones, those of fineforge itself, and what `.fineforgeignore` (the
    patterns of git) leaves out. Linked folders are not followed. FF180: a link that leads nowhere. FF181: a folder without specs.
    FF112: a folder that cannot be read, which is not the same as one without specs.
    """
    found: list[Path] = []
    problems: list[Diagnostic] = []
    for path in paths:
        try:
            inside = list(_below(path, problems)) if files.is_folder(path) else [path]
        except PermissionError as error:
            problems.append(_unreadable(error))
            continue
        if not inside and not problems:
            hint = "a spec is a .yaml file; `fineforge init` writes one"
            problems.append(Diagnostic("FF181", f"`{files.shown_path(path)}` contains no spec", hint=hint))
        found += inside
    return list(dict.fromkeys(found)), problems


def matches(path: Path, name: str, tags: Mapping[str, str], patterns: Iterable[str]) -> bool:
    """Whether a spec is meant by one of the patterns: `tag:team=x` by a tag, else a name, or a path, with `*` and `?`."""
    for pattern in patterns:
        if pattern.startswith("tag:"):
            key, _, value = pattern.removeprefix("tag:").partition("=")
            if key in tags and (not value or fnmatchcase(tags[key], value)):
                return True
        elif fnmatchcase(name, pattern) or fnmatchcase(path.as_posix(), pattern) or path.match(pattern):
            return True
    return False


CHANGED = "changed-since:"


def changed_since(reference: str, root: Path) -> frozenset[Path]:
    """Files below `root` that differ from a commit, untracked ones too; whole paths. FF182 where git cannot say."""
    top = Path(git.run(root, "rev-parse", "--show-toplevel").strip())
    base = git.base(root, reference)
    names = git.run(root, "diff", "--name-only", "-z", "--no-renames", "--no-relative", base).split("\0")
    names += git.run(top, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    return frozenset((top / name).resolve() for name in names if name)


def is_touched(path: Path, others: Iterable[Path], changed: frozenset[Path]) -> bool:
    """Whether a spec, or a file or folder that it is made of, is among the changed files, or lies in what git sees as one: a
    submodule, a folder that is linked."""
    wanted = {path.resolve(), *(other.resolve() for other in others)}
    around = {parent for place in wanted for parent in place.parents}
    return any(file in wanted or file in around or any(parent in wanted for parent in file.parents) for file in changed)


def _below(folder: Path, problems: list[Diagnostic]) -> Iterator[Path]:
    ignored = _ignored(folder)
    for current, folders, names in os.walk(folder, onerror=lambda error: problems.append(_unreadable(error))):
        here = Path(current)
        folders[:] = sorted(name for name in folders if _is_open(name) and not ignored(f"{_inside(here / name, folder)}/"))
        for file in (here / name for name in sorted(names) if _is_spec(name)):
            if ignored(_inside(file, folder)):
                continue
            if file.is_symlink() and not file.exists():
                hint = "fix or delete the link, or add it to `.fineforgeignore`"
                problems.append(Diagnostic("FF180", f"`{files.shown_path(file)}` is a broken link", hint=hint))
                continue
            if not _waits(file):
                yield file


def _unreadable(error: OSError) -> Diagnostic:
    return Diagnostic("FF112", f"`{files.shown_path(Path(error.filename))}` cannot be read: {files.words_of(error)}")


def _waits(file: Path) -> bool:
    """A pipe or a device: who opens it waits for somebody else. Named on the command line it is meant."""
    try:
        return not stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return False  # the reader says what is wrong


def _is_open(folder: str) -> bool:
    return not folder.startswith(".") and folder not in _FOLDERS


def _is_spec(file: str) -> bool:
    return file.endswith(_ENDINGS) and not file.startswith(".") and file not in _NOT_SPECS


def _inside(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _ignored(folder: Path) -> Callable[[str], bool]:
    """Whether a path below the folder is left out, as git's own patterns say; the nearest file upwards counts."""
    here = folder.resolve()
    place = next((parent for parent in (here, *here.parents) if (parent / IGNORE_FILE).is_file()), None)
    if place is None:
        return lambda _: False
    import pathspec

    lines = files.read(place / IGNORE_FILE).decode("utf-8", "replace").splitlines()
    try:
        patterns = pathspec.GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise FineforgeError(_bad_patterns(place, str(error).lower())) from None
    if long := next((line for line in lines if _wildcards(line) > MAX_WILDCARDS), None):
        raise FineforgeError(_bad_patterns(place, f"`{long[:40]}` has more than {MAX_WILDCARDS} `*`"))
    start = "" if place == here else f"{here.relative_to(place).as_posix()}/"
    return lambda path: patterns.match_file(start + path)


MAX_WILDCARDS = 4
"""Runs of `*` in one ignore pattern: the time to match a name grows with its length to the power of their number."""


def _wildcards(line: str) -> int:
    return 0 if line.startswith("#") else len(re.findall(r"\*+", line))


def _bad_patterns(place: Path, words: str) -> Diagnostic:
    hint = "correct the pattern, or write several simpler ones"
    return Diagnostic("FF112", f"`{host_files.shown_path(place / IGNORE_FILE)}` cannot be read: {words}", hint=hint)
