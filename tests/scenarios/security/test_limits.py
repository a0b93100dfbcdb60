"""Filters, rules and templates of another author end within their limits of time and memory, each with its own code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from fineforge.config import cel
from fineforge.core.diagnostics import FineforgeError
from fineforge.dataset.filters import Filter, TooMuch, item
from fineforge.engine import policy_cases
from fineforge.host import worker
from fineforge.policies import judge, rules
from fineforge.resources.templates import Templates

SECONDS = 1.0
"""The limit in these tests, so that they end soon."""
ROW = {"many": list(range(20_000)), "t": "x" * 4_000_000}

SLOW = {
    "one loop": "MANY.map(x, x + 1) == []",
    "a loop in a loop": "MANY.map(x, MANY.map(y, string(x))) == []",
    "many long texts": "+".join(["TEXT"] * 250) + " == ''",
    "three loops": "MANY.exists(x, MANY.exists(y, MANY.exists(z, x + y + z < 0)))",
}
"""Expressions that take minutes over ROW."""


def slow(name: str, prefix: str = "") -> str:
    return SLOW[name].replace("MANY", f"{prefix}many").replace("TEXT", f"{prefix}t")


def judged(costly: Filter, rows: list[object]) -> list[bool | str | None]:
    with costly.submit([item(None, row) for row in rows]) as pending:
        return costly.judged(pending)


@pytest.mark.parametrize("name", SLOW)
def test_a_filter_is_stopped_and_its_row_named(name: str) -> None:
    rows: list[object] = [{"many": [1], "t": ""}, {"many": [1], "t": ""}, ROW]
    costly = Filter(slow(name), ("filter",), SECONDS)
    with pytest.raises(TooMuch) as stopped:
        judged(costly, rows)
    assert stopped.value.args == ("took more than 1 seconds", 2)


def test_a_filter_has_time_for_each_row_but_no_more() -> None:
    """The time that earlier rows took counts."""
    costly = Filter("many.all(x, many.exists(y, y == x && y >= 0))", ("filter",), 0.2)
    row = {"many": list(range(500))}
    with pytest.raises(TooMuch):
        for _ in range(5000):
            assert judged(costly, [row]) == [True]


@pytest.mark.parametrize("name", SLOW)
def test_a_rule_is_stopped_and_named(name: str, tmp_path: Path) -> None:
    names = ("before", "slow", "after")
    file = tmp_path / "rules.yaml"
    written = [{"name": rule, "deny": slow(name, "plan.") if rule == "slow" else "true", "message": rule} for rule in names]
    file.write_text(yaml.safe_dump({"rules": written}, width=100_000))
    book = rules.read(file)
    assert not book.problems
    found = list(judge.verdicts(book.rules, {"plan": ROW}, partial(worker.run, seconds=SECONDS)))
    assert [(verdict.rule.name, verdict.message, verdict.stopped) for verdict in found] == [
        ("before", "before", ""),
        ("slow", "", "took more than 1 seconds"),
    ]
    diagnostic = judge.stopped_rule(found[1], "the plan of `x`")
    assert diagnostic.code == "FF325" and "not evaluated: 1" in diagnostic.hint and diagnostic.span is not None


def test_a_case_of_a_slow_rule_fails_with_the_place_of_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rule = {"name": "slow", "deny": slow("three loops", "plan."), "message": "slow"}
    case = {"name": "a long list", "plan": {"many": ROW["many"][:2000]}, "expect": {}}
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"rules": [rule], "tests": [case]}))
    [result], problems = policy_cases.run((file,))
    assert not problems
    assert [(found.code, found.span.file if found.span else "") for found in result.problems] == [("FF325", "rules.yaml")]
    assert result.problems[0].message == "the rule `slow` took more than 5 seconds on the case `a long list`"


TEMPLATES = {
    "nested loops": ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "took more than"),
    "text that doubles": (
        "{% set ns = namespace(x='x') %}{% for a in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
        "",
    ),
    "a wide text": ("{{ 'x'|center(10**9) }}", ""),
    "a wide number": ("{{ '{:999999999d}'.format(1) }}", ""),
    "replacing": ("{{ 'a'.replace('a', 'a'.ljust(10**9)) }}", ""),
    "long output": ("a: {{ range(99999)|list|join('xxxxxxxxxxxx') }}", "produces more than 1,048,576 characters"),
    "deep output": ("a: {% for _ in range(99999) %}[{% endfor %}", ""),
    "nested output": ("a: {% for _ in range(100) %}[{% endfor %}{% for _ in range(100) %}]{% endfor %}", "more than 30 deep"),
    "output with aliases": (
        "b0: &b0 [x]\n" + "".join(f"b{n + 1}: &b{n + 1} [*b{n}, *b{n}]\n" for n in range(20)),
        "more than 20,000 values",
    ),
    "output that leads back to itself": ("a: &a [*a]", "deep"),
}
"""Templates, and what is reported: nothing certain where the machine decides which limit is reached first."""


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_stopped(name: str) -> None:
    text, message = TEMPLATES[name]
    with pytest.raises(FineforgeError) as caught:
        Templates({"job.yml.j2": text}, run=partial(worker.run, seconds=SECONDS)).render("job.yml.j2", {})
    [found] = caught.value.diagnostics
    assert found.code == "FF207" and message in found.message and "template `job.yml.j2`" in found.message


def test_a_macro_without_an_end_is_an_error_of_the_template() -> None:
    text = "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}"
    with pytest.raises(FineforgeError) as caught:
        Templates({"t": text}, run=partial(worker.run, seconds=SECONDS)).render("t", {})
    assert [found.code for found in caught.value.diagnostics] in (["FF201"], ["FF207"])


def validated(project: Path) -> list[str]:
    command = [sys.executable, "-m", "fineforge", "validate", "spec.yaml", "--output", "json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1, ran.stderr
    return [found["code"] for one in json.loads(ran.stdout)["specs"] for found in one["diagnostics"]]


def test_the_templates_of_a_project_have_limits(project: Path) -> None:
    (project / "own").mkdir()
    (project / "fineforge.yaml").write_text("name: shop\ntemplates: own\n")
    (project / "own" / "job.yml.j2").write_text(TEMPLATES["nested loops"][0])
    assert "FF207" in validated(project)


def test_the_child_has_no_secrets_and_its_parents_answers_are_not_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "planted-secret")
    child = worker.Worker()
    try:
        [names] = child.run(_names_of_variables, None, [None])
    finally:
        child.stop()
    assert "HF_TOKEN" not in names and "PATH" in names


def _names_of_variables(_: None) -> Callable[[Any], Any]:
    def names(_: None) -> list[str]:
        print("noise")
        return sorted(os.environ)

    return names


def test_the_child_is_started_again_after_it_was_stopped() -> None:
    child = worker.Worker()
    try:
        with pytest.raises(worker.WorkerError) as crashed:
            child.run(_crashing, None, [1, 2, 3])
        assert (str(crashed.value), crashed.value.item) == ("crashed (exit status -11)", 1)
        assert child.run(_crashing, None, [1]) == [1]
    finally:
        child.stop()


def _crashing(_: None) -> Callable[[Any], Any]:
    def crash(item: int) -> int:
        if item == 2:
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        return item

    return crash


@pytest.mark.parametrize("is_busy", [False, True])
def test_the_child_ends_after_its_parent_was_killed(is_busy: bool, tmp_path: Path) -> None:
    """An idle child ends at once. One in a loop of native code, which no thread can stop, is ended by the system's alarm."""
    program = f"""
        import sys
        from fineforge.host import worker
        from tests.scenarios.security import test_limits

        worker.run(test_limits._busy if {is_busy} else test_limits._idle, {str(tmp_path / "pid")!r}, [{list(range(2000))}], 3)
        sys.stdin.read()
        """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[3]), *sys.path])}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as parent:
        waited(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("."), "the child has begun")
        pid = int((tmp_path / "pid").read_text().rstrip("."))
        parent.kill()
    waited(lambda: not Path(f"/proc/{pid}").exists(), "the child has ended")


def waited(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"not within a minute: {what}"
        time.sleep(0.05)


def _idle(file: str) -> Callable[[list[int]], None]:
    def write_pid(_: list[int]) -> None:
        Path(file).write_text(f"{os.getpid()}.")

    return write_pid


def _busy(file: str) -> Callable[[list[int]], None]:
    program = cel.compiled(slow("three loops"))

    def spin(many: list[int]) -> None:
        Path(file).write_text(f"{os.getpid()}.")
        program.execute({"many": many})

    return spin
