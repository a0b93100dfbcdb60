"""Every file is opened by one of the two doors of `fineforge.host.files`, read from the syntax of every module.

The emulator is left out: it is another process with a storage of its own, and what it keeps is its own home alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "fineforge"
DOORS = {"host/files.py", "host/leftovers.py"}
"""`leftovers` holds the notes of the doors themselves, and opens them under a lock."""

EXCEPTIONS = {
    ("catalog/snapshot.py", "_data", "read_text"): "packaged data, read by importlib; the catalog imports no files",
    ("policies/rules.py", "shipped", "read_bytes"): "packaged data, read by importlib",
    ("cli/__init__.py", "_open_streams", "open"): "the null device, in place of a stream that was closed",
    ("cli/failures.py", "_broken_pipe", "os.open"): "the null device, in place of a stream that was closed",
    ("host/emulator.py", "start", "open"): "the log that a child process appends to",
    ("host/emulator.py", "_make", "touch"): "the same log, made before the child, for its owner alone",
    ("host/holder.py", "died_here", "os.fdopen"): "the descriptor that `lock_file` opened, without following links",
    ("azure/http.py", "__init__", "open"): "a connection, not a file",
    ("dataset/cache.py", "unfinished", "tempfile.NamedTemporaryFile"): "the cache: a file's name is its digest, known at its end",
    ("dataset/cache.py", "scratch", "tempfile.TemporaryDirectory"): "the cache: files that the datasets library makes",
    ("dataset/child.py", "_start", "tempfile.TemporaryFile"): "what the child writes to stderr; it has no name",
    ("dataset/foreign.py", "_batches", "open"): "the parquet file that the parent named, in the child that decodes it",
    ("dataset/foreign.py", "_batches", "ParquetFile"): "the same file",
    ("dataset/foreign.py", "_metadata", "open"): "the child that decodes the file which the parent judged",
    ("dataset/foreign.py", "_metadata", "read_metadata"): "the child that decodes the file which the parent judged",
    ("host/worker.py", "_start", "tempfile.TemporaryFile"): "a process of its own: pipes and unnamed files",
    ("host/worker.py", "serve", "os.fdopen"): "a process of its own: pipes and unnamed files",
    ("dataset/foreign.py", "_limit", "read_text"): "the memory that Linux reports for this process",
    ("dataset/foreign.py", "main", "os.fdopen"): "its own standard input and output",
}
"""(file, function, call) -> why it need not go through a door."""

ANY = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "touch", "read_metadata", "read_table", "ParquetFile"}
"""Names that open a file, whatever they are called on."""
OF_MODULES = {
    "os": {"open", "fdopen", "rename", "replace", "link", "symlink", "mkfifo"},
    "tempfile": {"NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "mkstemp", "mkdtemp", "SpooledTemporaryFile"},
    "shutil": {"copy", "copy2", "copyfile", "copytree", "move"},
    "json": {"load"},
}


def opened(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """Yield every call that opens a file: (function that it is in, call, line)."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "fineforge.host.files"]
    yield from _within(tree, "", {alias.name for node in imports for alias in node.names})


def _within(node: ast.AST, function: str, doors: set[str]) -> Iterator[tuple[str, str, int]]:
    for child in ast.iter_child_nodes(node):
        inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if isinstance(child, ast.Call) and (name := _opener(child.func, doors)):
            yield function, name, child.lineno
        elif isinstance(child, ast.ImportFrom):  # `from os import open`: the call would not be seen
            bad = [alias.name for alias in child.names if alias.name in OF_MODULES.get(child.module or "", ())]
            yield from ((function, f"{child.module}.{name}", child.lineno) for name in bad)
        yield from _within(child, inner, doors)


def _opener(called: ast.expr, doors: set[str]) -> str:
    if isinstance(called, ast.Name):
        return called.id if called.id in ANY - doors else ""
    if not isinstance(called, ast.Attribute):
        return ""
    module = called.value.id if isinstance(called.value, ast.Name) else ""
    if called.attr in OF_MODULES.get(module, ()):
        return f"{module}.{called.attr}"
    return called.attr if called.attr in ANY and module not in ("files", "cache", *OF_MODULES) else ""


def test_files_are_opened_by_the_doors_only() -> None:
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith("emulator/") or name in DOORS:
            continue
        for function, call, line in opened(ast.parse(path.read_text(encoding="utf-8"))):
            assert (name, function, call) in EXCEPTIONS, f"fineforge/{name}:{line} {call}: use fineforge.files, it has the limits"
            found.add((name, function, call))
    assert found == set(EXCEPTIONS), "an exception that nothing needs any more"


def test_a_planted_call_is_found() -> None:
    planted = [
        "open('x')",
        "io.open('x')",
        "path.open('rb')",
        "path.read_text()",
        "(a / b).read_bytes()",
        "path.write_text('')",
        "self.path.write_bytes(b'')",
        "os.open('x', 0)",
        "os.replace('x', 'y')",
        "tempfile.mkstemp()",
        "shutil.copy('x', 'y')",
        "json.load(stream)",
        "with path.open() as stream: pass",
        "from os import open",
        "from tempfile import mkstemp",
    ]
    for line in planted:
        assert list(opened(ast.parse(f"def function():\n    {line}\n"))), line
    for line in ("files.read(path)", "read(path)", "gateway.read_sizes()", "text.replace('a', 'b')", "json.loads(text)"):
        assert not list(opened(ast.parse(line))), line
