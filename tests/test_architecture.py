"""Who may import whom: the rules of docs/architecture.md, read from the syntax of every module."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Set
from graphlib import CycleError, TopologicalSorter
from importlib import metadata
from pathlib import Path

import pytest

from fineforge.codes import CODES

PACKAGE = Path(__file__).parent.parent / "fineforge"
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

PURE = (
    "fineforge.core",
    "fineforge.diagnostics",
    "fineforge.codes",
    "fineforge.source",
    "fineforge.shape",
    "fineforge.spec",
    "fineforge.bindings",
    "fineforge.params",
    "fineforge.variables",
    "fineforge.merging",
    "fineforge.composing",
    "fineforge.checks",
    "fineforge.fields",
    "fineforge.ownership",
    "fineforge.identity",
    "fineforge.render",
    "fineforge.gateway",
    "fineforge.series",
    "fineforge.pace",
    "fineforge.redaction",
    "fineforge.policies.rules",
    "fineforge.showing",
    "fineforge.planner",
    "fineforge.kinds",
    "fineforge.catalog.facts",
    "fineforge.catalog.parse",
)
"""Modules and packages that touch no file, environment, clock, network or azure."""

PURE_MAY_IMPORT = (*PURE, "fineforge", "fineforge.catalog.snapshot")
"""The snapshot is data: packaged files, read once, the same for everybody."""

IMPURE = {
    "asyncio", "datetime", "glob", "http", "importlib", "multiprocessing", "os", "random", "requests", "secrets", "shutil",
    "signal", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "azure", "datasets", "torch",
}  # fmt: skip
HEAVY_HOMES = {
    "azure": "fineforge.azure",
    "datasets": "fineforge.dataset",
    "huggingface_hub": "fineforge.dataset",
    "httpx2": "fineforge.dataset",
    "cel": "fineforge.expressions",
    "pyarrow": "fineforge.dataset",
    "torch": "fineforge.emulator",
    "transformers": "fineforge.emulator",
    "peft": "fineforge.emulator",
    "mlflow": "fineforge.emulator",
    "starlette": "fineforge.emulator",
    "uvicorn": "fineforge.emulator",
    "rich": "fineforge.views",
    "click": "fineforge.cli",
    "jinja2": "fineforge.render",
}
"""Package -> the only part of fineforge that imports it."""


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every imported module with its line, imports inside functions too; those for type checkers only are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            module = node.module or ""
            for alias in node.names:
                full = f"{module}.{alias.name}"
                yield (full if full in MODULES else module), node.lineno


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def test_the_rules_see_the_package() -> None:
    assert len(MODULES) > 60
    assert all(any(within(module, name) for module in MODULES) for name in PURE), "a pure module is gone: mend the list"


@pytest.mark.parametrize("name", [module for module in MODULES if any(within(module, pure) for pure in PURE)])
def test_pure_modules_reach_nothing(name: str) -> None:
    for imported, line in imports(MODULES[name]):
        assert imported.split(".")[0] not in IMPURE, f"{name}:{line} imports {imported}"
        if within(imported, "fineforge"):
            allowed = any(within(imported, pure) for pure in PURE_MAY_IMPORT[: len(PURE)]) or imported in PURE_MAY_IMPORT
            assert allowed, f"{name}:{line} imports {imported}, which is not pure"
    opened = re.findall(r"(?<![\w.])open\(|\.read_text\(|\.write_text\(|\bprint\(", MODULES[name].read_text(encoding="utf-8"))
    assert not opened, f"{name} reads or writes: {opened}"


def test_the_page_of_the_architecture_places_every_module() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+) \| .+ \| (.+) \|$", page, re.MULTILINE)
    places = {name: pure for names, pure in rows for name in re.findall(r"`(\w+)/?`", names)}
    there = {module.split(".")[1] for module in MODULES if module.count(".") and not module.endswith("__main__")}
    assert places.keys() == there
    assert {name for name, pure in places.items() if pure == "yes"} == {
        name.split(".")[1] for name in PURE if name.count(".") == 1
    }


def test_a_kind_never_imports_another() -> None:
    kinds = [module for module in MODULES if module.startswith("fineforge.kinds.") and module != "fineforge.kinds.base"]
    assert len(kinds) == 7
    for kind in kinds:
        others = [imported for imported, _ in imports(MODULES[kind]) if imported in kinds]
        assert not others, f"{kind} imports {others}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count as well: they put a circle off, and do not open it."""
    needs = {module: {imported for imported, _ in imports(path) if imported in MODULES} for module, path in MODULES.items()}
    try:
        TopologicalSorter({module: found - {module} for module, found in needs.items()}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_client_and_emulator_meet_only_over_https() -> None:
    for module, path in MODULES.items():
        for imported, line in imports(path):
            if within(module, "fineforge.emulator"):
                catalog = any(within(imported, part) for part in ("fineforge.catalog", "fineforge.emulator"))
                assert catalog or not within(imported, "fineforge") or imported == "fineforge", (
                    f"{module}:{line} imports {imported}"
                )
            else:
                assert not within(imported, "fineforge.emulator"), f"{module}:{line} imports {imported}"


@pytest.mark.parametrize("package", sorted(HEAVY_HOMES))
def test_a_library_has_one_home(package: str) -> None:
    home = HEAVY_HOMES[package]
    users = {module for module, path in MODULES.items() if any(within(imported, package) for imported, _ in imports(path))}
    strangers = {module for module in users if not within(module, home)}
    assert not strangers, f"{package} is imported outside {home}: {sorted(strangers)}"


def test_apply_and_observe_know_azure_only_as_a_gateway() -> None:
    for module in ("fineforge.apply", "fineforge.observe"):
        reached = [imported for imported, _ in imports(MODULES[module])]
        assert "fineforge.gateway" in reached
        assert not [imported for imported in reached if within(imported, "fineforge.azure") or within(imported, "azure")]


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import fineforge", ("azure", "torch", "pydantic", "yaml", "rich", "click")),
        ("import fineforge.engine", ("azure", "torch", "datasets", "rich", "click", "transformers")),
        ("import fineforge.azure.gateway", ("azure.ai.ml", "torch", "datasets", "mlflow")),
        ("from fineforge.cli import run; run(['--help'])", ("azure", "pydantic", "yaml", "rich", "datasets", "torch", "jinja2")),
        ("from fineforge.cli import run; run(['version'])", ("azure", "pydantic", "yaml", "rich", "datasets", "torch", "jinja2")),
        ("from fineforge.cli import run; run(['apply', '--help'])", ("azure", "pydantic", "yaml", "rich", "datasets", "torch")),
        (
            "from fineforge.cli import run; run(['validate', 'specs/quickstart.yaml'])",
            ("azure", "rich", "datasets", "torch", "pandas"),
        ),
    ],
)
def test_what_an_import_does_not_load(statement: str, absent: tuple[str, ...]) -> None:
    code = f"import sys\n{statement}\nprint([name for name in {absent!r} if name in sys.modules], file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.strip().splitlines()[-1] == "[]"


def test_every_code_that_is_used_has_a_row_and_every_row_is_used() -> None:
    used: dict[str, str] = {}
    for module, path in MODULES.items():
        if module != "fineforge.codes":
            used |= dict.fromkeys(re.findall(r"\"(FF\d{3})\"", path.read_text(encoding="utf-8")), module)
    assert len(used) > 60
    assert not {code: module for code, module in used.items() if code not in CODES}
    assert not set(CODES) - set(used)


def test_files_and_functions_stay_small() -> None:
    for path in MODULES.values():
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") < 410 or path.name == "codes.py", f"{path} has {text.count(chr(10))} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 60, f"{path}:{node.lineno} {node.name} has {length} lines"
        assert ast.get_docstring(ast.parse(text)), f"{path} does not say what belongs in it"


def test_every_package_that_is_imported_is_declared() -> None:
    """With what needs it: the client's among the dependencies, the emulator's in its extra too. The action has none."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    client = {_name(entry) for entry in project["dependencies"]}
    local = client | {_name(entry) for entry in project["optional-dependencies"]["local"]}
    owners, used = _owners(), {"client": set[str](), "emulator": set[str]()}
    for module, path in MODULES.items():
        part, declared = ("emulator", local) if within(module, "fineforge.emulator") else ("client", client)
        for imported in _foreign(path, {"fineforge"}):
            owner = next((owners[name] for name in _upwards(imported) if name in owners), f"nobody: {imported}")
            assert owner in declared, f"{module} imports {imported} of {owner}, which pyproject.toml does not declare"
            used[part].add(owner)
    assert used["client"] == client, "what is declared, and imported nowhere"
    assert local - client - used["emulator"] == {"accelerate", "pandas"}, "of use to transformers and to mlflow models"
    scripts = sorted((PACKAGE.parent / "action").glob("*.py"))
    assert len(scripts) == 6
    for script in scripts:
        assert not _foreign(script, {other.stem for other in scripts}), f"{script.name} runs before anything is installed"


def _foreign(path: Path, own: Set[str]) -> set[str]:
    """What is imported and is neither Python's nor our own; with the names that `from` imports, for they may be modules."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.partition(".")[0] not in own | sys.stdlib_module_names}


def _owners() -> dict[str, str]:
    """Module -> the distribution that brings it, as its own list of files says."""
    return {
        ".".join(file.with_suffix("").parts).removesuffix(".__init__"): _name(distribution.metadata["Name"])
        for distribution in metadata.distributions()
        for file in distribution.files or ()
        if file.suffix in (".py", ".so", ".pyd")
    }


def _upwards(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:length]) for length in range(len(parts), 0, -1))


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")
