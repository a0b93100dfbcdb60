"""Rules about imports and purity that import-linter cannot express, as functions over source text.

`tests/test_architecture.py` runs them over the package, and over planted violations that each must be caught.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

PURE = (
    "fineforge.core",
    "fineforge.documents",
    "fineforge.planner",
    "fineforge.resources",
    "fineforge.policies.judge",
    "fineforge.config.compose",
    "fineforge.config.merge",
    "fineforge.config.policy",
    "fineforge.config.source",
    "fineforge.config.spec",
    "fineforge.config.validation",
    "fineforge.config.variables",
    "fineforge.catalog.facts",
    "fineforge.catalog.parse",
)
"""Packages and modules that decide or describe. They read no file, clock, environment variable or network."""

PURE_STDLIB = frozenset(
    {
        "__future__", "ast", "base64", "builtins", "collections", "contextlib", "copy", "dataclasses", "difflib", "enum",
        "fnmatch",         "fractions", "functools",
        "graphlib", "hashlib", "html", "itertools", "json", "keyword", "math", "operator", "pathlib", "re", "string", "struct",
        "textwrap", "types", "typing", "unicodedata", "urllib", "warnings",
    }
)  # fmt: skip
"""Modules of the standard library that a pure module may import. `pathlib` is for paths as values."""

PURE_LIBRARIES = frozenset({"isodate", "jinja2", "pydantic", "pydantic_core", "yaml"})

FILE_VERBS = frozenset(
    {
        "chmod", "exists", "glob", "is_dir", "is_file", "is_symlink", "iterdir", "lstat", "mkdir", "open", "read_bytes",
        "read_text", "rename", "resolve", "rglob", "rmdir", "stat", "touch", "unlink", "walk", "write_bytes", "write_text",
    }
)  # fmt: skip
"""Methods of a path that reach the disk. A pure module calls none of them."""

DYNAMIC_IMPORTS = {
    "fineforge.cli": "loads a command on first use",
    "fineforge.dataset": "re-exports names on first use",
    "fineforge.engine": "re-exports names on first use",
}
"""Modules that may call `import_module`, and why."""


def is_within(module: str, package: str) -> bool:
    """Return True if the module is the package or lies inside it."""
    return module == package or module.startswith(package + ".")


def is_pure(module: str) -> bool:
    return any(is_within(module, pure) for pure in PURE)


def impurities(module: str, source: str) -> Iterator[str]:
    """Yield what a pure module must not do: imports outside the allow-lists, calls that reach a file or the terminal."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        for name in names:
            top = name.partition(".")[0]
            if top != "fineforge" and top not in PURE_STDLIB and top not in PURE_LIBRARIES:
                yield f"{module}:{node.lineno} imports {name}"
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in {"open", "print", "input", "exec", "eval"}:
                yield f"{module}:{node.lineno} calls {called.id}"
            if isinstance(called, ast.Attribute) and called.attr in FILE_VERBS:
                yield f"{module}:{node.lineno} calls .{called.attr}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys":
            yield f"{module}:{node.lineno} uses sys.{node.attr}"


def dynamic_imports(module: str, source: str) -> Iterator[str]:
    """Yield imports that import-linter cannot see, outside the modules that are listed for them."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in {"import_module", "__import__"} and module not in DYNAMIC_IMPORTS:
            yield f"{module}:{node.lineno} calls {name}"
