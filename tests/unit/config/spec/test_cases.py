"""Every folder below cases/ is one spec and what is said about it: severity, code, place, message, hint.

`UPDATE_GOLDEN=1` writes the expected files anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from fineforge.config import source, spec
from fineforge.core.codes import CODES
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.planner import checks
from fineforge.resources import facts as registry_facts
from fineforge.resources import parameters as params

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.name for path in CASES.iterdir())
TODAY = "2026-11-24"

ELSEWHERE = {
    "FF107": "tests/unit/config/source",
    "FF108": "tests/unit/config/source",
    "FF109": "tests/unit/config/source",
    "FF112": "tests/unit/config/project",
    "FF143": "tests/unit/planner/checks",
    "FF154": "tests/unit/planner/checks",
    "FF170": "tests/unit/engine/lock",
    "FF171": "tests/unit/engine/lock",
    "FF172": "tests/unit/engine/lock",
    "FF180": "tests/unit/engine/batch",
    "FF181": "tests/unit/engine/batch",
    "FF182": "tests/unit/engine/batch",
    "FF183": "tests/unit/engine/batch",
    "FF184": "tests/unit/engine/batch",
    "FF185": "tests/unit/engine/batch",
    "FF190": "tests/unit/engine/batch",
    "FF191": "tests/unit/engine/batch",
    "FF192": "tests/unit/engine/batch",
    "FF162": "tests/unit/config/composing",
    "FF163": "tests/unit/config/composing",
    "FF164": "tests/unit/config/composing",
    "FF165": "tests/unit/config/composing",
    "FF174": "tests/unit/config/composing",
    "FF166": "tests/unit/config/composing",
    "FF167": "tests/unit/config/composing",
    "FF168": "tests/unit/config/composing",
    "FF169": "tests/unit/config/composing",
    "FF173": "tests/unit/config/composing",
    "FF160": "tests/unit/config/project",
    "FF161": "tests/unit/config/project",
}
"""Codes that no text file of a spec provokes, and where their tests are."""


def diagnose(content: bytes) -> tuple[Diagnostic, ...]:
    """All that is said about a spec offline, its data files apart."""
    try:
        parsed = source.load(content, "spec.yaml")
        wanted = spec.parse(parsed)
    except FineforgeError as error:
        return error.diagnostics
    facts, unknown = registry_facts.snapshot_facts(wanted, TODAY, {}, "/offline")
    parameters, problems = params.resolve(wanted, facts)
    found = (*unknown, *problems, *checks.check(wanted, facts, parameters, "local"))
    return tuple(parsed.place(diagnostic) for diagnostic in found)


def essence(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    assert span is not None, diagnostic
    assert span.file == "spec.yaml"
    marked = span.snippet[span.column - 1 : span.end_column - 1 if span.end_line == span.line else None].rstrip()
    lines = [f"{diagnostic.severity}[{diagnostic.code}] {span.line}:{span.column}: {diagnostic.message}", f"  at   {marked}"]
    return "\n".join(lines + ([f"  hint {diagnostic.hint}"] if diagnostic.hint else []))


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str) -> None:
    found = diagnose((CASES / name / "spec.yaml").read_bytes())
    text = "".join(essence(diagnostic) + "\n" for diagnostic in found) or "nothing to say\n"
    expected = CASES / name / "expected.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")
    code = name.split("-")[0]
    assert (code in {diagnostic.code for diagnostic in found}) or (code == "valid" and not found)


def test_every_code_has_a_case() -> None:
    assert len(NAMES) >= 60
    ours = {code for code in CODES if code.startswith("FF1")}
    assert {name.split("-")[0] for name in NAMES} == (ours - set(ELSEWHERE)) | {"valid"}
    tests = Path(__file__).parents[4]
    for code, folder in ELSEWHERE.items():
        named = [file for file in (tests / folder).glob("*.py") if code in file.read_text(encoding="utf-8")]
        assert named, f"{code} is not in {folder}"


def test_messages_are_in_a_users_words() -> None:
    """No full stop, nothing of pydantic's own wording, no nested backticks, and a code that the table explains."""
    for name in NAMES:
        for diagnostic in diagnose((CASES / name / "spec.yaml").read_bytes()):
            assert diagnostic.code in CODES
            for text in (diagnostic.message, diagnostic.hint):
                assert not text.endswith("."), text
                assert text.count("`") % 2 == 0, text
                words = r"(?i)\b(input should|validation error|extra inputs|field required|pydantic|NoneType|dict_type)\b"
                assert not re.search(words, text), text
