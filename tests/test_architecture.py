"""Who may import whom: the rules of docs/architecture.md, read from the syntax of every module."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Set
from graphlib import CycleError, TopologicalSorter
from importlib import metadata
from pathlib import Path

import pytest

from fineforge.core.codes import CODES
from fineforge.resources.kinds import KINDS
from tests.support.architecture import DYNAMIC_IMPORTS, PURE, dynamic_imports, impurities, is_pure, is_within

PACKAGE = Path(__file__).parent.parent / "fineforge"
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

HEAVY_HOMES = {
    "azure": "fineforge.azure",
    "datasets": "fineforge.dataset",
    "huggingface_hub": "fineforge.dataset",
    "httpx2": "fineforge.dataset",
    "cel": "fineforge.config.cel",
    "pyarrow": "fineforge.dataset",
    "torch": "fineforge.emulator",
    "transformers": "fineforge.emulator",
    "peft": "fineforge.emulator",
    "mlflow": "fineforge.emulator",
    "starlette": "fineforge.emulator",
    "uvicorn": "fineforge.emulator",
    "rich": "fineforge.views",
    "click": "fineforge.cli",
    "jinja2": "fineforge.resources.templates",
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


def test_the_layers_hold() -> None:
    """The contracts of import-linter in pyproject.toml. `exhaustive` there means that a new package needs a layer."""
    ran = lint_imports(PACKAGE.parent)
    assert ran.returncode == 0, ran.stdout


def test_the_rules_see_the_package() -> None:
    assert len(MODULES) > 200
    assert all(any(is_within(module, name) for module in MODULES) for name in (*PURE, *DYNAMIC_IMPORTS))
    top = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert top == {"__init__.py", "__main__.py", "py.typed"}


@pytest.mark.parametrize("module", [name for name in MODULES if is_pure(name)])
def test_pure_modules_reach_nothing(module: str) -> None:
    assert not list(impurities(module, MODULES[module].read_text(encoding="utf-8")))


def test_imports_are_visible_to_the_linter() -> None:
    found = [one for module, path in MODULES.items() for one in dynamic_imports(module, path.read_text(encoding="utf-8"))]
    assert not found


@pytest.mark.parametrize(
    "planted",
    [
        "import datetime",
        "import httpx2",
        "import uuid",
        "import platform",
        "import getpass",
        "import sqlite3",
        "import sys\nsys.stdin.read()",
        "from pathlib import Path\nPath('x').read_bytes()",
        "from pathlib import Path\nPath('x').open('rb')",
        "from pathlib import Path\nPath('x').exists()",
        "from pathlib import Path\nlist(Path('x').iterdir())",
        "from pathlib import Path\nPath('x').unlink()",
        "open('x')",
        "print('x')",
    ],
)
def test_an_impurity_is_caught(planted: str) -> None:
    assert list(impurities("fineforge.planner.gates", planted))


@pytest.mark.parametrize(
    "planted", ["__import__('fineforge.emulator.http.app')", "import importlib\nimportlib.import_module('fineforge.azure')"]
)
def test_a_dynamic_import_is_caught(planted: str) -> None:
    assert list(dynamic_imports("fineforge.planner.gates", planted))


PLANTED = {
    "fineforge/views/status.py": "from fineforge.cli import output",
    "fineforge/engine/batch.py": "from fineforge.views import paint",
    "fineforge/execution/follower.py": "from fineforge.engine import batch",
    "fineforge/planner/gates.py": "from fineforge.azure import gateway",
    "fineforge/dataset/cache.py": "from fineforge.cli import options",
    "fineforge/resources/naming.py": "from fineforge.planner import decide",
    "fineforge/config/source.py": "from fineforge.policies import judge",
    "fineforge/documents/plan.py": "from fineforge.host import files",
    "fineforge/core/plan.py": "from fineforge.config import source",
    "fineforge/catalog/facts.py": "from fineforge.core import plan",
    "fineforge/host/git.py": "from fineforge.emulator import lifecycle",
    "fineforge/emulator/lifecycle.py": "from fineforge.core import plan",
    "fineforge/execution/gates.py": "from fineforge.azure import gateway",
    "fineforge/resources/kinds/job.py": "from fineforge.resources.kinds import model",
}
"""Module -> an import that a contract forbids."""


def test_a_forbidden_import_is_caught(tmp_path: Path) -> None:
    """All are planted at once into a copy of the package, and import-linter names each."""
    shutil.copytree(PACKAGE, tmp_path / "fineforge", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE.parent / "pyproject.toml", tmp_path)
    for module, statement in PLANTED.items():
        file = tmp_path / module
        file.write_text(file.read_text(encoding="utf-8") + f"\n{statement}\n", encoding="utf-8")
    ran = lint_imports(tmp_path)
    assert ran.returncode == 1
    for module, statement in PLANTED.items():
        importer = module.removesuffix(".py").replace("/", ".")
        package, name = re.fullmatch(r"from (\S+) import (\S+)", statement).groups()  # type: ignore[union-attr]
        assert re.search(rf"{re.escape(importer)} -> {re.escape(package)}(\.{name})? ", ran.stdout), (importer, statement)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count as well: they put a circle off, and do not open it."""
    needs = {module: {imported for imported, _ in imports(path) if imported in MODULES} for module, path in MODULES.items()}
    try:
        TopologicalSorter({module: found - {module} for module, found in needs.items()}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("package", sorted(HEAVY_HOMES))
def test_a_library_has_one_home(package: str) -> None:
    home = HEAVY_HOMES[package]
    users = {module for module, path in MODULES.items() if any(is_within(imported, package) for imported, _ in imports(path))}
    strangers = {module for module in users if not is_within(module, home)}
    assert not strangers, f"{package} is imported outside {home}: {sorted(strangers)}"


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
        if module != "fineforge.core.codes":
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
        part, declared = ("emulator", local) if is_within(module, "fineforge.emulator") else ("client", client)
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


KIND_LITERALS = 155
"""String constants that name a kind outside the places that define kinds, places of a spec included. Lower it, never raise it."""


def test_what_is_known_of_a_kind_stays_in_its_file() -> None:
    defining = ("fineforge.resources.kinds", "fineforge.resources.naming", "fineforge.config.spec", "fineforge.emulator")
    others = [path for module, path in MODULES.items() if not any(is_within(module, home) for home in defining)]
    places = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in others
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in KINDS
    ]
    assert len(places) <= KIND_LITERALS, places
