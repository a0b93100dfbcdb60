"""The two doors to files: reading what a user or a project keeps, and writing it.

Every file that the client opens goes through here. Reading: links are resolved first, the file must lie inside the project, be a
regular file, and be no larger than its kind may be. Writing: whole or not at all, and never through a link that leads outside.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.host import git, leftovers


class Saving:
    """Opened before anything else is done: a place that cannot be written is told before something is applied. FF007."""

    def __init__(self, path: Path) -> None:
        self._part, self._holds_something = Part(path, mode=0o600), False

    def write(self, text: str) -> None:
        """One line, or a whole document."""
        self._part.write(text + "\n")
        self._holds_something = True

    def close(self) -> None:
        """The file takes its name, also where the command failed: what it says then is why. An empty one goes."""
        if self._holds_something:
            self._part.finish()
        else:
            self._part.discard()


PROJECT_FILE = "fineforge.yaml"
"""The file that marks a project's folder."""
MAX_JSON_DEPTH = 64
"""Levels of a JSON document. A plan holds a spec (30 levels at most) a few levels down."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: what messages call it, and how many bytes it may have."""

    name: str
    limit: int
    hint: str = ""


SPEC = Kind("a spec", 1 << 20, "is this the dataset?")
"""Also project files, defaults, locks, policies and variables: everything that is YAML."""
TEMPLATE = Kind("a template", 1 << 20)
PLAN = Kind("a plan", 32 << 20)
REQUEST = Kind("a request", 16 << 20)
STATE = Kind("a file of this kind", 64 << 20)
"""What fineforge, its cache, its emulator and Microsoft's tools keep as JSON."""


def read(path: Path, kind: Kind = SPEC, root: Path | None = None, allow_outside: bool = False) -> bytes:
    """Return a file's bytes.

    `root`: the folder that the file must lie in once links are resolved. Without one, it is the project that the path lies in.
    Raises FF112 (missing, unreadable, not a regular file, not a possible name), FF109 (larger than its kind), FF602 (outside).
    """
    refuse_name(path)
    if not allow_outside:
        _refuse_outside(path, root)
    try:
        with open_regular(path) as stream:
            content = stream.read(kind.limit + 1)
    except FileNotFoundError:
        name = shown_path(path)
        what = f"`{name}` is a broken link" if path.is_symlink() else f"file `{name}` does not exist"
        raise FineforgeError(Diagnostic("FF112", what)) from None
    except OSError as error:
        raise FineforgeError(Diagnostic("FF112", f"`{shown_path(path)}` cannot be read: {words_of(error)}")) from None
    if len(content) > kind.limit:
        message = f"`{shown_path(path)}` has more than the {kind.limit:,} bytes that {kind.name} may have"
        raise FineforgeError(Diagnostic("FF109", message, hint=kind.hint))
    return content


def read_text(path: Path, kind: Kind = SPEC, root: Path | None = None, allow_outside: bool = False) -> str:
    """Return a file's text. Raises what `read` raises, and FF112 if it is not UTF-8."""
    try:
        return read(path, kind, root, allow_outside).decode("utf-8")
    except UnicodeDecodeError:
        hint = "save the file as UTF-8"
        raise FineforgeError(Diagnostic("FF112", f"`{shown_path(path)}` is not UTF-8", hint=hint)) from None


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file for reading. Raises OSError for anything else: a pipe would block, a device may never end.

    For large files that are read in pieces, whose readers know where the file may lie and which code its errors have.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        _refuse_kind(path)
    # Without O_NONBLOCK, a pipe that takes the file's place between the two looks would block for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    stream = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        _refuse_kind(path)
    return stream


def _refuse_kind(path: Path) -> NoReturn:
    if is_folder(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def is_folder(path: Path) -> bool:
    """True if the path leads to a folder. False also for a name that no folder can have. Raises PermissionError."""
    try:
        return path.is_dir()
    except PermissionError:
        raise
    except (OSError, ValueError):  # too long a name; NUL or a lone surrogate in it
        return False


class JsonError(ValueError):
    """Text that is not JSON, or is JSON that nothing here can take. Its words continue `cannot be read: `."""


class JsonLimitError(JsonError):
    """JSON that is well formed, and nested too deeply or holds what is not a value elsewhere."""


def parse_json(content: str | bytes, file_names: bool = False) -> Any:
    """Parse JSON. Raises JsonError, also for what breaks its consumers later.

    Refused are deep nesting, NaN and Infinity, integers beyond 64 bits, and lone surrogates. `file_names` permits the surrogates
    that stand for the bytes of a file name that is not UTF-8.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise JsonLimitError(_TOO_DEEP) from None
    except UnicodeDecodeError:
        raise JsonError("it is not UTF-8") from None
    except ValueError as error:
        raise JsonError(str(error)) from None
    forbidden = _NO_NAME if file_names else _SURROGATE
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        for entry in level:
            _refuse_scalar(entry, forbidden)
        level = [child for entry in level for child in _children(entry)]
        if not level:
            return value
    raise JsonLimitError(_TOO_DEEP)


_TOO_DEEP = f"it is nested deeper than {MAX_JSON_DEPTH} levels"
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_NAME = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"`{name}` is not JSON")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _refuse_scalar(value: Any, forbidden: re.Pattern[str]) -> None:
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise JsonLimitError("it holds a number beyond 64 bits")
    if isinstance(value, str) and not value.isascii() and forbidden.search(value):
        raise JsonLimitError("it holds a lone surrogate, which is not a character")


def read_json(path: Path, kind: Kind = STATE, root: Path | None = None, allow_outside: bool = False) -> Any:
    """Return a JSON file's value. Raises what `read` raises, and JsonError."""
    return parse_json(read(path, kind, root, allow_outside))


def root_of(folder: Path) -> Path:
    """Return the folder of the project that `folder` lies in, links resolved; `folder` itself if no project file is above it.

    Parents are those of the path as it is written: a folder that a link brings into a project belongs to that project.
    """
    here = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow links
    marked = (parent for parent in (here, *here.parents) if os.path.lexists(parent / PROJECT_FILE))
    return Path(os.path.realpath(next(marked, here)))


def refuse_name(path: Path, code: str = "FF112") -> None:
    """Raise FF112, or FF007 for writing, for a name that no file can have: with NUL, with a lone surrogate, or too long."""
    try:
        if b"\0" not in os.fsencode(path):
            os.lstat(path)
            return
        what = "its name holds a NUL byte"
    except UnicodeEncodeError:
        what = "its name holds a lone surrogate, which is not a character"
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            return  # whoever opens the file says what is wrong
        what = words_of(error)
    name = shown_path(path)
    name = name if len(name) <= _LONGEST_SHOWN else name[: _LONGEST_SHOWN - 1] + "…"
    done = "written" if code == "FF007" else "read"
    raise FineforgeError(Diagnostic(code, f"`{name}` cannot be {done}: {what}"))


_LONGEST_SHOWN = 200


def _refuse_outside(path: Path, root: Path | None) -> None:
    bounds = Path(os.path.realpath(root)) if root is not None else root_of(path.parent)
    if Path(os.path.realpath(path)).is_relative_to(bounds):
        return
    hint = "move it into the project, put a `fineforge.yaml` into a folder that holds both, or add `--allow-outside`"
    raise FineforgeError(Diagnostic("FF602", f"`{shown_path(path)}` leads out of the project", hint=hint))


def shown_path(path: Path) -> str:
    """Return a file's name as messages show it, on one line.

    It starts at the working directory if the file lies below it. A file of another commit is shown where it lies now. Bytes that
    are not UTF-8 and control characters are replaced.
    """
    try:
        here, path = Path.cwd(), git.now(path)
        name = path.relative_to(here) if path.is_relative_to(here) else path
        text = os.fsencode(name).decode("utf-8", "replace")
    except ValueError:  # a name that no file can have
        text = str(path).encode("utf-8", "replace").decode()
    return _CONTROL.sub("?", text)


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Part:
    """A file in the making, next to its place and under a temporary name. It appears whole, with `finish`, or not at all.

    A link is followed, unless it leads out of the project that it lies in. Without `mode` the file keeps the permissions of
    the one that it replaces, or gets 0644. Every method raises FF007 if the system refuses.
    """

    def __init__(self, path: Path, mode: int | None = None) -> None:
        refuse_name(path, "FF007")
        self._path, self._mode, self._stack = path, mode, ExitStack()
        self._real = _place(path)
        stem = os.fsdecode(os.fsencode(self._real.name)[:100])
        self._part = self._real.parent / f".{stem}-{secrets.token_hex(8)}.part"
        try:
            if self._real.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._stack.enter_context(leftovers.noted(self._part))
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
            self._stream = os.fdopen(os.open(self._part, flags, 0o600), "wb")
        except OSError as error:
            self._stack.close()
            raise refused(path, error) from None

    def write(self, content: str | bytes) -> None:
        try:
            self._stream.write(_bytes(content))
            self._stream.flush()
        except OSError as error:
            self.discard()
            raise refused(self._path, error) from None

    def finish(self) -> None:
        """Give the file its name."""
        try:
            os.fsync(self._stream.fileno())
            self._stream.close()
            kept = self._real.stat().st_mode & 0o7777 if self._real.exists() else 0o644
            self._part.chmod(kept if self._mode is None else self._mode)
            self._part.replace(self._real)
        except OSError as error:
            self.discard()
            raise refused(self._path, error) from None
        self._stack.close()

    def discard(self) -> None:
        """Leave everything as it was."""
        with contextlib.suppress(OSError):
            self._stream.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)
        self._stack.close()


def write(path: Path, content: str | bytes, mode: int | None = None) -> None:
    """Replace a file, or make it; see `Part`. Raises FF007, with everything that existed as it was."""
    part = Part(path, mode)
    part.write(content)
    part.finish()


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep out other processes that ask for the same folder, for as long as the block lasts. They wait.

    The system drops the lock when its process dies. On Windows, and on file systems without locks, nothing is kept out.
    """
    try:
        import fcntl

        stream = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
    finally:
        os.close(stream)


def create(path: Path, content: str | bytes, mode: int = 0o666) -> None:
    """Write a file that does not exist yet. Raises FileExistsError if it does, else OSError; what was begun is deleted."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    stream = os.fdopen(os.open(path, flags, mode), "wb")
    try:
        with stream:
            stream.write(_bytes(content))
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _place(path: Path) -> Path:
    """Where a path leads. Raises FF007 if that is outside of the project that the path lies in."""
    real, bounds = Path(os.path.realpath(path)), root_of(path.parent)
    if real.is_symlink():
        raise refused(path, OSError(errno.ELOOP, os.strerror(errno.ELOOP)))
    if not real.is_relative_to(bounds):
        raise refused(path, ValueError(f"it is a link that leads out of `{shown_path(bounds)}`"), hint="write to the file itself")
    return real


def _bytes(content: str | bytes) -> bytes:
    # A lone surrogate, of a name that is not UTF-8, becomes the escape that JSON has for it.
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content


def refused(path: Path, error: Exception, what: str = "written", hint: str = "") -> FineforgeError:
    """FF007, to be raised: what could not be done to a file, in the system's words."""
    return FineforgeError(Diagnostic("FF007", f"`{shown_path(path)}` cannot be {what}: {words_of(error)}", hint=hint))


def words_of(error: Exception) -> str:
    """The system's words for an error, in lower case."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def sweep() -> None:
    """Delete the temporary files and work trees of runs that were killed. Whatever cannot be deleted stays."""
    for path, repository in leftovers.abandoned():
        if repository is not None and path.name.startswith(git.TREE_PREFIX):
            git.drop_trees(repository, path)
            shutil.rmtree(path, ignore_errors=True)
        elif re.fullmatch(r"\..*-[0-9a-f]{16}\.part", path.name, re.DOTALL):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
