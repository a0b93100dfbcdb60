"""Tests pass clocks, gateways and limits in: no test replaces a name of fineforge, or a method of a gateway."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from fineforge.core.gateway import Gateway

TESTS = Path(__file__).parent
OURS = ("fineforge", "tests")
PATCHERS = ("setattr", "mock.patch", "patch.object")
METHODS = {"__class__", *(name for name in dir(Gateway) if not name.startswith("_"))}
KNOWN = {
    "unit/dataset/test_hub.py: fetch.PAUSES",
    "unit/dataset/test_sources.py: fetch.PAUSES",
    "unit/dataset/test_sources.py: whole.BLOCK",
}
"""Constants of the downloads that nothing passes in yet. This set only shrinks."""


def imported(tree: ast.Module) -> dict[str, str]:
    """Return the module of every name that a file imports."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {(alias.asname or alias.name).split(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {alias.asname or alias.name: node.module or "" for alias in node.names}
    return modules


def patches(text: str) -> Iterator[str]:
    """Yield `target.name` of every attribute that a test file replaces, unless another project owns the target."""
    tree = ast.parse(text)
    modules = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith(PATCHERS):
            first, *more = (part.value if isinstance(part, ast.Constant) else ast.unparse(part) for part in node.args[:2])
            named = isinstance(node.args[0], ast.Constant)
            owner = str(first) if named else modules.get(str(first).split(".")[0], "tests")
            if owner.split(".")[0] in OURS:
                yield str(first) if named else f"{first}.{more[0]}"
        elif isinstance(node, ast.Assign):
            places = [ast.unparse(target) for target in node.targets if isinstance(target, ast.Attribute)]
            yield from (place for place in places if ".gateway." in place and place.rsplit(".", 1)[1] in METHODS)


def test_no_test_replaces_a_name_of_ours() -> None:
    found = {
        f"{file.relative_to(TESTS).as_posix()}: {patch}"
        for file in sorted(TESTS.rglob("*.py"))
        for patch in patches(file.read_text(encoding="utf-8"))
    }
    assert found == KNOWN


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from fineforge.execution import lease\nmonkeypatch.setattr(lease, 'SECONDS', 1)", ["lease.SECONDS"]),
        ("monkeypatch.setattr('fineforge.views.data.time.monotonic', now)", ["fineforge.views.data.time.monotonic"]),
        ("with monkeypatch.context() as patch:\n    patch.setattr(told.gateway, 'get', get)", ["told.gateway.get"]),
        ("told.gateway.wait = gone", ["told.gateway.wait"]),
        ("import tempfile\nmonkeypatch.setattr(tempfile, 'tempdir', None)", []),
        ("patch.setattr('sys.stdout', out)", []),
    ],
)
def test_a_planted_patch_is_found(text: str, found: list[str]) -> None:
    assert list(patches(text)) == found
