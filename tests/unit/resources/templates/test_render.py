"""Templates: what they may not do, and that every value comes out of YAML as it went in."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.resources.templates import Templates, yaml_json
from tests.support import offline

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_a_value_survives_yaml(value: Any) -> None:
    read = yaml.safe_load(f"key: {yaml_json(value)}\n")["key"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        5e-06,
        1e-8,
        2e22,
        -1e-300,
        0.1,
        1.0,
        -0.0,
        "012345670123",
        "0x10",
        "1e5",
        "no",
        "~",
        "",
        "12:30:00",
        "2026-11-24",
        " a: b #",
    ],
)
def test_what_yaml_likes_to_misread(value: Any) -> None:
    """A digest of digits is octal in YAML 1.1, `5e-06` is text, `no` is false, `12:30:00` is a number."""
    read = yaml.safe_load(f"key: {yaml_json(value)}\n")["key"]
    assert (read, type(read), math.copysign(1, read) if isinstance(read, float) else 0) == (
        value,
        type(value),
        math.copysign(1, value) if isinstance(value, float) else 0,
    )


@pytest.mark.parametrize(
    "text", ["größer 東京 🚀", "a\u2028b", "tab\there", 'quo"te', "back\\slash", "\x7f\x85\ufeff", "{{ name }}"]
)
def test_text_survives_in_any_script(text: str) -> None:
    _, document = Templates({"t": "key: {{ value|tojson }}\n"}).render("t", {"value": text})
    assert document == {"key": text}


FORBIDDEN = {
    "classes": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
    "globals": ("{{ name.__init__.__globals__ }}", "unsafe"),
    "functions of Jinja": ("{{ cycler.__init__.__globals__.os.popen('id').read() }}", "unsafe"),
    "format": ("{{ '{0.__class__}'.format(name) }}", "unsafe"),
    "changing what it is given": ("{{ tags.update({'a': 'b'}) }}", "unsafe"),
    "clearing what it is given": ("{{ tags.clear() }}", "unsafe"),
    "missing names": ("{{ noname }}", "'noname' is undefined"),
    "missing keys": ("{{ tags.nothing }}", "has no attribute 'nothing'"),
    "other files": ("{% include '/etc/passwd' %}", "there is no template `/etc/passwd`"),
    "syntax": ("{% if %}", "Expected an expression"),
    "raising": ("{{ 1 / 0 }}", "division by zero"),
    "endless ranges": ("{% for _ in range(10 ** 9) %}x{% endfor %}", "Range too big"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_template_that_goes_wrong_is_a_diagnostic(name: str) -> None:
    text, words = FORBIDDEN[name]
    tags = {"a": "1"}
    with pytest.raises(FineforgeError) as caught:
        Templates({"t.yml.j2": f"one: 1\nkey: {text}\n"}).text("t.yml.j2", {"name": "x", "tags": tags})
    (found,) = caught.value.diagnostics
    assert found.code == "FF201"
    assert words in found.message and not found.message.endswith(".")
    assert tags == {"a": "1"}
    if "/etc" not in text:
        assert found.span is not None and found.span.line == 2 and found.span.snippet == f"key: {text}"


SECRET = "planted-secret-9c1f"
SAYS_A_VALUE = (
    "{{ {}[(secret|reverse)] }}",
    "{{ secret.nothing[(secret|upper)] }}",
    "{{ (secret|reverse)|int + [] + secret }}",
    "{{ ''|attr('__' ~ (secret|reverse)) }}",
    "{% include (secret|reverse) %}",
    "{{ '%d'|format(secret) }}",
    "{{ range((secret|reverse)) }}",
)


@pytest.mark.parametrize("text", SAYS_A_VALUE)
def test_an_error_says_no_value_that_a_template_computes(text: str) -> None:
    with pytest.raises(FineforgeError) as caught:
        Templates({"t": text}).text("t", {"secret": SECRET})
    (found,) = caught.value.diagnostics
    said = f"{found.message} {found.hint}".lower()
    assert found.code == "FF201" and "planted" not in said and "detnalp" not in said


def test_every_way_out_of_the_sandbox_is_listed() -> None:
    assert len(FORBIDDEN) == 12


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [1", "FF202"),
        ("a: b: c", "FF202"),
        ("- one", "FF203"),
        ("", "FF203"),
        ("text", "FF203"),
        ("a: !!python/name:os.system x", "FF202"),
    ],
)
def test_output_that_is_no_document(text: str, code: str) -> None:
    with pytest.raises(FineforgeError) as caught:
        Templates({"t": text}).render("t", {})
    assert [found.code for found in caught.value.diagnostics] == [code]


def refused(kind: str, old: str, new: str) -> tuple[Diagnostic, ...]:
    """What a user's template of `kind` that differs from the shipped one is told."""
    name = f"{kind}.yml.j2"
    shipped = offline.shipped()[name]
    assert old in shipped
    with pytest.raises(FineforgeError) as caught:
        offline.make(templates={name: shipped.replace(old, new)})
    return caught.value.diagnostics


CHANGED = [
    ("data", "name: {{ name|tojson }}", "name: other", "FF204"),
    ("data", "version: {{ version|tojson }}", "version: 7", "FF204"),
    ("model", "name: {{ name|tojson }}", "name: other", "FF204"),
    ("deployment", "endpoint_name: {{ endpoint|tojson }}", "endpoint_name: other", "FF204"),
    ("deployment", "model: {{ model|tojson }}", "model: azureml:other:1", "FF205"),
    ("job", "{{ value|tojson }}", "{{ 3 if input == 'num_train_epochs' else value|tojson }}", "FF205"),
    ("job", "{% endfor %}", "{% endfor %}\n      lora_r: 64", "FF205"),
    ("job", "component: {{ component.id|tojson }}", "component: azureml://registries/r/components/c/versions/1", "FF205"),
    ("job", "tags: {{ tags|tojson }}", "tags: {a: b}", "FF206"),
    ("endpoint", "tags: {{ tags|tojson }}", "", "FF206"),
    ("deployment", "{% if scoring %}", "code_configuration: {code: /home, scoring_script: a.py}\n{% if scoring %}", "FF205"),
    ("deployment", "tags:", "data_collector: {deep: [{code: /home}]}\ntags:", "FF205"),
    ("job", "outputs:\n  trained", "inputs: {a: {type: uri_folder, path: /home}}\noutputs:\n  trained", "FF205"),
    ("job", "outputs:\n  trained", "  second: {type: command}\noutputs:\n  trained", "FF205"),
    ("job", "    type: {{ component.type }}", "    type: {{ component.type }}\n    code: /home", "FF205"),
]


@pytest.mark.parametrize(("kind", "old", "new", "code"), CHANGED)
def test_a_template_may_not_change_what_names_stand_for(kind: str, old: str, new: str, code: str) -> None:
    found = refused(kind, old, new)
    assert {entry.code for entry in found} == {code}
    assert all(kind in entry.message and entry.path for entry in found)


def test_a_template_may_add() -> None:
    text = offline.shipped()["endpoint.yml.j2"] + 'description: "for {{ name }}"\n'
    made = offline.make(templates={"endpoint.yml.j2": text})
    assert made["endpoint"].document["description"].startswith("for support-")
    assert made["endpoint"].digest == offline.make()["endpoint"].digest


def test_output_with_aliases_is_read_once() -> None:
    bomb = "b0: &b0 [x]\n" + "".join(f"b{n + 1}: &b{n + 1} [*b{n}, *b{n}]\n" for n in range(60)) + "loop: &loop [*loop]\n"
    found = refused("deployment", "tags:", f"{bomb}last: [*b60, {{code: /home}}]\ntags:")
    assert [entry.code for entry in found] == ["FF205"]


def test_all_templates_are_told_at_once() -> None:
    with pytest.raises(FineforgeError) as caught:
        offline.make(templates={"endpoint.yml.j2": "{{ nothing }}", "model.yml.j2": "[", "compute.yml.j2": "- a"})
    assert sorted(found.code for found in caught.value.diagnostics) == ["FF201", "FF202", "FF203"]
