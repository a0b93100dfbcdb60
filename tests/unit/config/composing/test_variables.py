"""Variables and references: types, the order of those who give values, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from fineforge.config import spec
from fineforge.config.validation import known_keys
from fineforge.config.variables import Used, Variable, declaration_problems
from fineforge.core.codes import CODES
from fineforge.core.diagnostics import FineforgeError
from tests.unit.config.composing.texts import SPEC, folder, made, parsed, place, project, refused, variables

DECLARED = """\
  team: {default: ml}
  nodes: {type: integer, default: 2}
  rate: {type: number, default: 1}
  spot: {type: boolean, default: false}
  steps: {type: list, default: [10, 100]}
  owner: {type: mapping, default: {mail: a@b, room: "7"}}
  needed: {description: who asks for it}
  label: {default: "${var.team}-${env.CI_COMMIT:-none}"}
  count: {type: integer, default: "${env.COUNT:-4}"}
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${var.team}", "ml"),
        ("${ var.team }", "ml"),
        ("${var.nodes}", 2),
        ("${var.spot}", False),
        ("${var.steps}", [10, 100]),
        ("${var.owner}", {"mail": "a@b", "room": "7"}),
        ("${var.count}", 4),
        ("n=${var.nodes}, ${var.spot}, ${var.rate}", "n=2, false, 1"),
        ("${var.label}", "ml-none"),
        ("$${var.team}", "${var.team}"),
        ("a $${ b ${var.team}", "a ${ b ml"),
        ("$5 and {x}", "$5 and {x}"),
        ("${env.HERE}", "there"),
        ("${env.HERE:-x}", "there"),
        ("${env.EMPTY}", ""),
        ("${env.EMPTY:-x y: z}", "x y: z"),
        ("${env.GONE:-}", ""),
    ],
)
def test_what_a_reference_means(text: str, value: Any) -> None:
    values = variables(DECLARED, environment={"HERE": "there", "EMPTY": ""})
    assert values.fill(text)[0] == value
    assert type(values.fill(text)[0]) is type(value)


def test_who_gives_a_value() -> None:
    """The command line before files, a later file before an earlier one, files before the environment, then the default."""
    names = ("a", "b", "c", "d", "e")
    values = variables(
        "".join(f"  {name}: {{default: default}}\n" for name in names),
        options={"a": "option"},
        files=(parsed("a: one\nb: one\nc: one\n", "one.yaml"), parsed("b: two\n", "two.yaml")),
        environment={f"FINEFORGE_VAR_{name}": "environment" for name in names[:4]},
    )
    told = {name: values.fill(f"${{var.{name}}}") for name in names}
    assert {name: value for name, (value, _) in told.items()} == {
        "a": "option",
        "b": "two",
        "c": "one",
        "d": "environment",
        "e": "default",
    }
    assert [used[0].origin for _, used in told.values()] == ["--var", "two.yaml:1", "one.yaml:3", "FINEFORGE_VAR_d", "default"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("team", "12", "12"),
        ("team", "", ""),
        ("nodes", "12", 12),
        ("rate", "5e-6", 5e-6),
        ("rate", "5", 5),
        ("spot", "true", True),
        ("steps", "[1, 2]", [1, 2]),
        ("owner", "{a: 1}", {"a": 1}),
    ],
)
def test_texts_are_read_as_the_type_that_was_declared(name: str, text: str, value: Any) -> None:
    by_option = variables(DECLARED, options={name: text})
    by_environment = variables(DECLARED, environment={f"FINEFORGE_VAR_{name}": text})
    assert by_option.problems() == by_environment.problems() == []
    assert by_option.fill(f"${{var.{name}}}")[0] == by_environment.fill(f"${{var.{name}}}")[0] == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nodes", "x"),
        ("nodes", "1.5"),
        ("nodes", "true"),
        ("nodes", ""),
        ("nodes", "1\nother: 2"),
        ("nodes", "1, other: 2"),
        ("spot", "yes"),
        ("steps", "1"),
        ("steps", "[1"),
        ("owner", "[1]"),
        ("rate", "!!python/object:x 1"),
    ],
)
def test_another_type_is_refused_used_or_not(name: str, text: str) -> None:
    found = refused(SPEC, values=variables(DECLARED, options={name: text}))
    assert set(found) == {"FF166"} and f"`--var {name}`" in found["FF166"][0].message
    found = refused(SPEC, values=variables(DECLARED, environment={f"FINEFORGE_VAR_{name}": text}))
    assert set(found) == {"FF166"} and f"`FINEFORGE_VAR_{name}`" in found["FF166"][0].message


def test_a_file_of_variables_is_as_strict_as_a_spec() -> None:
    file = parsed("nodes: 1.5\nteam: 7\nspot: 'true'\nowner:\ntaem: x\n", "prod.yaml")
    found = refused(SPEC, values=variables(DECLARED, files=(file,)))
    assert [place(problem) for problem in found["FF166"]] == ["prod.yaml:2:7", "prod.yaml:1:8", "prod.yaml:3:7", "prod.yaml:4:7"]
    assert found["FF166"][0].hint == "quote the value"
    assert [place(problem) for problem in found["FF164"]] == ["prod.yaml:5:1"]
    assert found["FF164"][0].hint == "did you mean `team`?"


def test_what_is_given_is_taken_literally() -> None:
    """Who may name a branch cannot read the environment of the job that plans it."""
    values = variables(
        DECLARED, options={"team": "${env.HOME}"}, environment={"HOME": "/home/x", "FINEFORGE_VAR_needed": "${var.team}"}
    )
    assert values.fill("${var.team} ${var.needed}")[0] == "${env.HOME} ${var.team}"


BAD = {
    "${var.taem}": ("FF164", "did you mean `team`?"),
    "${var.qqqqqqq}": ("FF164", "declare it under `variables` in `fineforge.yaml`"),
    "${var.needed}": ("FF165", "FINEFORGE_VAR_needed"),
    "all of ${var.steps}": ("FF166", "use the reference as the whole value"),
    "${var.one}": ("FF167", "literal value"),
    "x ${var.self}": ("FF167", "literal value"),
    "${env.GONE}": ("FF168", "${env.GONE:-DEFAULT}"),
    "${var.from_gone}": ("FF168", "set it"),
    "${vars.team}": ("FF169", "did you mean `${var.team}`?"),
    "${TEAM}": ("FF169", "`$${`"),
    "${}": ("FF169", "`$${`"),
    "${{ parent.x }}": ("FF169", "`$${`"),
    "${var.team": ("FF169", "add `}`"),
    "${var.te-am}": ("FF169", ""),
    "${env.AZURE_CLIENT_SECRET:-x}": ("FF173", "key vault"),
    "${env.HF_TOKEN}": ("FF173", "key vault"),
}
CIRCLE = (
    DECLARED
    + """\
  one: {default: "${var.two}"}
  two: {default: "a ${var.three}"}
  three: {default: "${var.one}"}
  self: {default: "${var.self}"}
  from_gone: {default: "${env.GONE}"}
"""
)


@pytest.mark.parametrize("text", BAD)
def test_references_that_mean_nothing(text: str) -> None:
    code, hint = BAD[text]
    values = variables(CIRCLE, environment={"AZURE_CLIENT_SECRET": "s3cr3t-value", "HF_TOKEN": "hf_value"})
    found = refused(SPEC + f"job: {{experiment: '{text}'}}\n", values=values)
    assert set(found) == {code} and code in CODES
    assert hint in found[code][0].hint
    inner = "one" in text or "self" in text or "from_gone" in text
    assert place(found[code][0]).startswith("fineforge.yaml" if inner else "spec.yaml:10:19")
    assert "s3cr3t" not in str(found) and "hf_value" not in str(found)


def test_the_circle_is_told_whole() -> None:
    found = refused(SPEC + "job: {experiment: '${var.two}'}\n", values=variables(CIRCLE))
    assert found["FF167"][0].message == "the variable `two` refers to itself: `two` -> `three` -> `one` -> `two`"
    assert place(found["FF167"][0]) == "fineforge.yaml:12:18"


def test_a_circle_that_nobody_enters_stops_nobody() -> None:
    assert made(SPEC + "job: {experiment: '${var.team}'}\n", values=variables(CIRCLE)).data["job"] == {"experiment": "ml"}


def test_every_problem_is_told_at_once() -> None:
    found = refused(SPEC + "job: {experiment: '${var.a} ${var.b} ${env.C}', display_name: '${x}'}\n", values=variables(DECLARED))
    assert {code: len(problems) for code, problems in found.items()} == {"FF164": 2, "FF168": 1, "FF169": 1}


def test_a_reference_that_is_overridden_may_fail() -> None:
    lower = folder("job: {experiment: '${env.GONE}', display_name: x}\n")
    assert made(SPEC + "job: {experiment: y}\n", lower).data["job"] == {"experiment": "y", "display_name": "x"}
    assert place(refused(SPEC, lower)["FF168"][0]) == "folder.yaml:1:19"


def test_keys_hold_no_references() -> None:
    found = refused(SPEC + "tags: {'${var.team}': x}\n", values=variables(DECLARED))
    assert place(found["FF169"][0]) == "spec.yaml:10:8"


def test_variables_in_every_layer() -> None:
    composed = made(
        SPEC + "job: {nodes: '${var.nodes}'}\noverlays: {prod: {deployment: {traffic_steps: '${var.steps}'}}}\n",
        project("  tags: {team: '${var.team}'}\n  training: {seed: '${var.nodes}', rate: '${var.rate}'}\n"),
        folder("tags: '${var.owner}'\nendpoint: {}\ndeployment: {size: s}\n"),
        target="prod",
        values=variables(DECLARED, options={"nodes": "3"}),
    )
    assert composed.data["tags"] == {"team": "ml", "mail": "a@b", "room": "7"}
    assert composed.training == {"seed": 3, "rate": 1}
    assert spec.parse(composed).job.nodes == 3
    assert spec.parse(composed).deployment.traffic_steps == (10, 100)  # type: ignore[union-attr]
    used = {".".join(map(str, entry.path)): entry.used for entry in composed.provenance()}
    assert used["job.nodes"] == (Used("var.nodes", "--var"),)
    assert used["training.seed"] == (Used("var.nodes", "--var"),)
    assert used["deployment.traffic_steps"] == (Used("var.steps", "default"),)
    assert used["tags.room"] == (Used("var.owner", "default"),)
    assert used["name"] == ()


def test_a_value_from_a_variable_is_placed_at_the_reference() -> None:
    composed = made(
        SPEC + "job:\n  nodes: ${var.team}\n  retries: ${var.nodes}\n", values=variables(DECLARED, options={"nodes": "99"})
    )
    with pytest.raises(FineforgeError) as caught:
        spec.parse(composed)
    assert [place(problem) for problem in caught.value.diagnostics] == ["spec.yaml:11:10", "spec.yaml:12:12"]


def test_a_parameter_of_the_project_stays_a_scalar() -> None:
    found = refused(SPEC, project("  training: {seed: '${var.steps}'}\n"), values=variables(DECLARED))
    assert place(found["FF122"][0]) == "fineforge.yaml:2:20"


def test_a_variable_does_not_tie_layers_together() -> None:
    values = variables(DECLARED, files=(parsed("owner: {mail: x}\n", "vars.yaml"),))
    text, lower = SPEC + "tags: {more: y}\n", folder("tags: '${var.owner}'\n")
    assert made(text, lower, values=values).data["tags"] == {"mail": "x", "more": "y"}
    assert values.given.files[0].data == {"owner": {"mail": "x"}}
    assert made(SPEC, lower, values=values).data["tags"] == {"mail": "x"}


def test_declarations() -> None:
    declared = {
        "9x": Variable(),
        "nodes": Variable(type="integer", default="2"),
        "team": Variable(default=2),
        "late": Variable(type="integer", default="${env.X}"),
        "fine": Variable(type="mapping", default={}),
    }
    found = [(problem.code, problem.path) for problem in declaration_problems(declared)]
    assert found == [
        ("FF123", ("variables", "9x")),
        ("FF166", ("variables", "nodes", "default")),
        ("FF166", ("variables", "team", "default")),
    ]
    assert known_keys(Variable, ()) == ["type", "default", "description"]


def declared_chain(depth: int, default: str) -> str:
    """Return declarations of `v0` to `v<depth>`: each default but the last refers to the next one."""
    lines = [f"  v{number}: {{default: '{default.replace('NEXT', f'v{number + 1}')}'}}\n" for number in range(depth)]
    return "".join([*lines, f"  v{depth}: {{default: '{'x' * 40}'}}\n"])


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (declared_chain(30, "${var.NEXT}${var.NEXT}"), "expand to more than"),
        (declared_chain(3, "${var.NEXT}" * 1000), "expand to more than"),
        (declared_chain(3000, "${var.NEXT}"), "a chain of more than 50 variables"),
    ],
)
def test_references_expand_within_a_budget(declared: str, words: str) -> None:
    (found,) = refused(SPEC + "tags: {note: '${var.v0}'}\n", values=variables(declared))["FF174"]
    assert words in found.message and place(found).startswith("spec.yaml:")


def test_a_long_chain_and_a_list_of_references_are_within_the_budget() -> None:
    values = variables(declared_chain(48, "a${var.NEXT}") + "  both: {type: list, default: ['${var.v0}', '${var.v0}']}\n")
    assert values.fill("${var.both}")[0] == ["a" * 48 + "x" * 40] * 2


def test_texts_of_one_spec_share_a_budget() -> None:
    tags = ", ".join(f"t{number}: '${{var.big}}'" for number in range(100))
    values = variables(options={"big": "x" * 100_000}, declared="  big: {}\n")
    assert set(refused(SPEC + f"tags: {{{tags}}}\n", values=values)) == {"FF174"}
    assert made(SPEC + "tags: {one: '${var.big}'}\n", values=values).data["tags"]["one"] == "x" * 100_000
