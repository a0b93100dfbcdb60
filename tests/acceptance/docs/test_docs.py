"""The documentation is true: its commands run, its links lead somewhere, its generated pages are current."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fineforge.cli import COMMANDS
from fineforge.cli.schema import document
from fineforge.core.codes import CODES
from fineforge.emulator.rules.errors import WORDS

ROOT = Path(__file__).parents[3]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = [
    (page.relative_to(ROOT), block)
    for page in PAGES
    for block in re.findall(r"<!-- run -->\n```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]


def test_the_pages_are_found() -> None:
    assert len(PAGES) >= 15
    assert EXAMPLES


@pytest.mark.parametrize(("page", "block"), EXAMPLES, ids=lambda value: str(value)[:20])
def test_a_marked_example_prints_what_the_page_says(page: Path, block: str) -> None:
    """Each `$ ` line of a block marked `<!-- run -->`, in the repository's root, against what follows it."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "80"}
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        ran = subprocess.run(
            ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.stdout == expected, f"{page}: {command}\n{ran.stderr}"


def test_every_shown_command_exists() -> None:
    shown = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"^\$ (?:\S+=\S+ )?fineforge ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(shown) >= 8
    assert not {entry for entry in shown if entry[1] not in COMMANDS}


def test_links_lead_somewhere() -> None:
    links = [
        (page, target) for page in PAGES for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    ]
    assert len(links) >= 15
    assert not [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()]


@pytest.mark.parametrize(("page", "rows"), [("walkthrough.md", 30), ("security.md", 20), ("azure-rules.md", 50)])
def test_every_row_names_tests_that_exist(page: str, rows: int) -> None:
    """In every row of the page's tables at least one, as `file::test`."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.findall(r"^\| (.+) \|$(?!\n\|---)", text, re.MULTILINE)
    assert len(found) >= rows
    for line in found:
        named = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", line)
        assert named, line
        assert not [name for file, name in named if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")], line


def test_the_rules_name_rows_and_cases_that_exist() -> None:
    """In parentheses after a test that is run for many: which of them shows the rule."""
    page = (ROOT / "docs" / "azure-rules.md").read_text(encoding="utf-8")
    rows = re.findall(r"test_refused_in_the_words_of_the_service` \(`(\w+)`\)", page)
    cases = re.findall(r"tests/unit/planner/test_cases.py::test_a_case` \(`([\w-]+)`\)", page)
    assert len(rows) >= 15 and len(cases) >= 12
    assert set(rows) <= WORDS.keys()
    assert not [case for case in cases if not (ROOT / "tests" / "unit" / "planner" / "cases" / case).is_dir()]


def test_the_page_of_codes_is_current() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "import error_codes, sys; sys.stdout.write(error_codes.text())"],
        cwd=ROOT / "docs",
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ROOT / "docs" / "error-codes.md").read_text(encoding="utf-8") == ran.stdout, "run `make docs`"
    assert all(f'id="{code}"' in ran.stdout for code in CODES)


def test_the_schema_is_current() -> None:
    written = json.loads((ROOT / "docs" / "fineforge.schema.json").read_text(encoding="utf-8"))
    assert written == document(), "run `make schema`"


def test_the_documentation_names_every_variable_of_the_environment() -> None:
    """That the package reads, but for the one that the emulator gives its own children."""
    read = {
        name
        for file in (ROOT / "fineforge").rglob("*.py")
        for name in re.findall(r"\bFINEFORGE_[A-Z_]+\b", file.read_text(encoding="utf-8"))
    }
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Environment")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `(FINEFORGE_[A-Z_]+)", table, re.MULTILINE))
    assert len(named) >= 8
    assert read - {"FINEFORGE_EMULATOR_PID"} == named


def test_a_word_of_the_glossary_has_one_meaning() -> None:
    words = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(words) >= 30
    assert len(words) == len(set(words))


def test_the_changes_name_every_command() -> None:
    listed = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("- Commands: ")[2].partition(".")[0]
    assert sorted(listed.replace("\n", " ").replace(",", " ").split()) == sorted(COMMANDS)


def test_the_documentation_names_every_exit_code() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Exit codes")[2]
    assert re.findall(r"^\| (\d+) \|", table, re.MULTILINE) == ["0", "1", "2", "3", "4", "5", "130"]
