"""How rules are written: their shapes, their messages, and the limits of their expressions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fineforge.config import cel
from fineforge.host.worker import run_here
from fineforge.policies import judge, rules
from fineforge.policies.rules import Book
from tests.support.offline import read as read_spec


def book(folder: Path, text: str) -> Book:
    (folder / "rules.yaml").write_text(text, encoding="utf-8")
    return rules.read(folder / "rules.yaml")


def test_a_long_expression_is_refused() -> None:
    with pytest.raises(cel.NotUnderstood) as refused:
        cel.compiled(f'"{"x" * 2000}" == "x"')
    assert "more than 2,000 characters" in str(refused.value)


MESSAGES = {
    "{spec.name}": "support",
    "is {{{spec.name}}}, not {{x}}": "is {support}, not {x}",
    "{[1, 2].map(x, x + 1)} of { {'a': '}'}.a } {": "2, 3 of } {",
    "{plan.none}": "nothing",
    "{spec.name == 'support'}": "true",
    "{{spec.name}}": "{spec.name}",
    "{plan.many}": ", ".join(str(number) for number in range(20)) + " and 5 more",
    "{{'a': 1, 'b': [true]}}": "{'a': 1, 'b': [true]}",
    "{plan.map}": "a: 1, b: x",
    "{plan.secret}": "https://h/?sig=***",
    "{plan.lines}": "one two",
}


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_have_values_in_them(message: str, tmp_path: Path) -> None:
    text = f'rules: [{{name: always, deny: "true", message: {reading_quoted(message)}}}]\n'
    made = book(tmp_path, text)
    plan = {
        "none": None,
        "many": list(range(25)),
        "map": {"b": "x", "a": 1},
        "secret": "https://h/?sig=abcdef",
        "lines": "one\n two",
    }
    [verdict] = judge.verdicts(made.rules, {"plan": plan, "spec": {"name": "support"}}, run_here)
    assert (verdict.message, verdict.failure) == (MESSAGES[message], "")


def reading_quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


SHAPES = {
    "rules: [{use: allowed-sizes, name: x-y-z}]": "FF125",
    "rules: [{use: allowed-sizes, deny: 'true'}]": "FF125",
    "rules: [{name: abc, message: x}]": "FF125",
    "rules: [{name: abc, deny: 'true', warn: 'true', message: x}]": "FF125",
    "rules: [{name: abc, deny: 'true'}]": "FF125",
    "rules: [{name: abc, deny: 'true', message: x, level: warn}]": "FF125",
    "rules: [{name: ABC, deny: 'true', message: x}]": "FF123",
    "rules: [{name: abc, deny: true, message: x}]": "FF122",
    "rules: [{name: abc, denny: 'true', message: x}]": "FF120",
    "tests: [{name: x, expect: {}}]": "FF125",
    "rules: [{name: abc, deny: 'true', message: x, at: deploymnet.size}]": "FF322",
    "rules: [{use: allowed-sizes, with: {sizes: A}}]": "FF322",
    "rules: [{use: allowed-sizes, with: {sizes: [A], more: 1}}]": "FF322",
    "rules: [{use: allowed-sizes, with: {}}]": "FF322",
}


@pytest.mark.parametrize("text", SHAPES)
def test_wrong_shapes(text: str, tmp_path: Path) -> None:
    made = book(tmp_path, text + "\n")
    assert SHAPES[text] in [found.code for found in made.problems]
    assert all(found.span is not None for found in made.problems)
    assert made.rules == ()


def test_a_rule_of_one_s_own_may_have_values_too(tmp_path: Path) -> None:
    made = book(
        tmp_path, "rules: [{name: abc, deny: spec.name in with.names, message: '{with.names}', with: {names: [support]}}]\n"
    )
    [verdict] = judge.verdicts(made.rules, {"spec": {"name": "support"}}, run_here)
    assert verdict.message == "support"
    assert list(judge.verdicts(made.rules, {"spec": {"name": "other"}}, run_here)) == []


def test_rules_see_every_default_and_no_secret() -> None:
    text = """\
version: 1
name: support
model: {registered: azureml:m:1}
endpoint: {}
deployment: {size: A, environment_variables: {HF_TOKEN: abc, LEVEL: info}}
"""
    seen = judge.spec_data(read_spec(text), {"team": "x"})
    assert seen["deployment"]["instances"] == 1 and "probe" not in seen["deployment"] and "register" not in seen
    assert seen["deployment"]["environment_variables"] == {"HF_TOKEN": "(hidden)", "LEVEL": "info"}
    assert seen["tags"] == {"team": "x"}


def test_the_rules_of_the_page_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "policies.md").read_text(encoding="utf-8")
    blocks = [block.replace("policies:\n", "rules:\n") for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert len(blocks) == 3
    made = [book(tmp_path, block) for block in blocks]
    assert not [problem for one in made for problem in one.problems]
    assert [len(one.rules) for one in made] == [5, 4, 0] and len(made[2].cases) == 4
    names = {f"`{name}`" for name in rules.shipped()}
    assert names == set(re.findall(r"^\| (`[a-z-]{12,}`) \|", page, re.MULTILINE))
    first = made[2].cases[0][0]
    broken = judge.verdicts(made[1].rules, {"plan": first.plan, "spec": first.spec}, run_here)
    assert [(verdict.rule.name, verdict.failure) for verdict in broken] == [(name, "") for name in first.expect.deny]
