"""Forms of values, and the differences between a wish and the world."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fineforge.core.plan import Action
from fineforge.resources import fields
from fineforge.resources.fields import FORMS, Change, FieldRule
from tests.support.offline import WORKSPACE

READ = [
    ("seconds", "PT1M40S", 100),
    ("seconds", "PT120S", 120),
    ("seconds", "PT2H", 7200),
    ("seconds", "P1D", 86400),
    ("seconds", "P1DT1H1M1S", 90061),
    ("seconds", "PT0.5S", 0.5),
    ("seconds", "soon", "soon"),
    ("milliseconds", "PT1M30S", 90000),
    ("milliseconds", "PT5S", 5000),
    ("milliseconds", "PT0.25S", 250),
    ("milliseconds", "soon", "soon"),
    ("tier", "LowPriority", "low_priority"),
    ("tier", "lowpriority", "low_priority"),
    ("tier", "Dedicated", "dedicated"),
    ("auth", "AMLToken", "aml_token"),
    ("auth", "amltoken", "aml_token"),
    ("auth", "AADToken", "aad_token"),
    ("auth", "Key", "key"),
    ("asset", f"{WORKSPACE}/models/m/versions/3", "azureml:m:3"),
    ("identity", "SystemAssigned", "system_assigned"),
    ("identities", {"/a": {"principalId": "1"}, "/b": {}}, [{"resource_id": "/a"}, {"resource_id": "/b"}]),
    ("egress", "Disabled", "disabled"),
    ("asset", "azureml://subscriptions/s/resourcegroups/rg/workspaces/ws/datastores/d/paths/a.jsonl", "azureml://datastores/d/paths/a.jsonl"),
    ("asset", "azureml://registries/azureml/models/Phi-4/versions/8", "azureml://registries/azureml/models/Phi-4/versions/8"),
    ("asset", "azureml:m:3", "azureml:m:3"),
    ("seconds", "PT1..2S", "PT1..2S"),
    ("seconds", "PT", "PT"),
    ("seconds", "P1W", "P1W"),
]  # fmt: skip

WRITTEN = [
    ("seconds", 120, "PT120S"),
    ("milliseconds", 90000, "PT90S"),
    ("milliseconds", 123456, "PT123.456S"),
    ("milliseconds", 180000, "PT180S"),
    ("milliseconds", 1, "PT0.001S"),
    ("tier", "low_priority", "LowPriority"),
    ("auth", "aad_token", "AADToken"),
    ("identities", [{"resource_id": "/a"}], {"/a": {}}),
]

SAME = [
    ("caseless", "STANDARD_NC24ADS_A100_V4", "Standard_NC24ads_A100_v4"),
    ("number", "1", 1),
    ("number", 1.0, 1),
    ("text", 1, "1"),
    ("asset", READ[18][1], "azureml:m:3"),
    ("seconds", 100, "100"),
    ("identities", [{"resource_id": "/B"}, {"resource_id": "/a"}], [{"resource_id": "/a"}, {"resource_id": "/b"}]),
]


@pytest.mark.parametrize(("form", "wire", "value"), READ)
def test_what_the_service_writes_is_read(form: str, wire: str, value: Any) -> None:
    assert FORMS[form].read(wire) == value


@pytest.mark.parametrize(("form", "value", "wire"), WRITTEN)
def test_what_is_sent_is_in_the_words_of_the_service(form: str, value: Any, wire: str) -> None:
    assert FORMS[form].write(value) == wire
    assert FORMS[form].read(wire) == value


@pytest.mark.parametrize(("form", "one", "other"), SAME)
def test_two_spellings_are_one_value(form: str, one: Any, other: Any) -> None:
    assert FORMS[form].compare(one) == FORMS[form].compare(other)


@given(st.integers(1, 86_400))
def test_every_duration_comes_back(seconds: int) -> None:
    assert FORMS["seconds"].read(FORMS["seconds"].write(seconds)) == seconds


@given(st.integers(1, 180_000))
def test_every_timeout_comes_back(milliseconds: int) -> None:
    assert FORMS["milliseconds"].read(FORMS["milliseconds"].write(milliseconds)) == milliseconds


def test_forms_are_all_tried() -> None:
    assert {form for form, *_ in (*READ, *WRITTEN, *SAME)} == set(FORMS) - {"plain"}


RULES = (
    FieldRule("name", change=Change.IGNORE, reason="says which it is"),
    FieldRule("size", "p.size", Change.REPLACE, "caseless", "box.size", "cannot be changed"),
    FieldRule("count", "p.count", form="number", spec="box.count"),
    FieldRule("tags.*", "tags", form="text", spec="tags"),
)
DOCUMENT = {"name": "a", "size": "Big", "count": 2, "tags": {"team": "it"}}
APPLIED = fields.field_digests(DOCUMENT, RULES)


def changes(
    want: dict[str, Any], have: dict[str, Any], applied: str = APPLIED, ignored: tuple[str, ...] = ()
) -> dict[str, tuple[Any, ...]]:
    return {c.path: (c.before, c.after, c.action, c.reason) for c in fields.differences(want, have, RULES, applied, ignored)}


def test_drift_and_a_change_of_the_spec_are_told_apart() -> None:
    """What was applied says which side moved."""
    assert changes(DOCUMENT, {**DOCUMENT, "count": 5}) == {"count": (5, 2, Action.UPDATE, "drift")}
    assert changes({**DOCUMENT, "count": 5}, DOCUMENT) == {"count": (2, 5, Action.UPDATE, "spec")}
    assert changes({**DOCUMENT, "count": 5}, {**DOCUMENT, "count": 3}) == {"count": (3, 5, Action.UPDATE, "spec")}
    assert changes({**DOCUMENT, "size": "Huge"}, DOCUMENT) == {"size": ("Big", "Huge", Action.DELETE, "spec")}


def test_spelling_and_names_are_no_difference() -> None:
    assert changes(DOCUMENT, {**DOCUMENT, "size": "BIG", "count": "2", "name": "b"}) == {}


def test_what_the_spec_does_not_say_is_left_alone() -> None:
    assert changes({"name": "a", "size": "Big"}, {**DOCUMENT, "tags": {"team": "x", "cost": "1"}}) == {}
    assert changes(DOCUMENT, {**DOCUMENT, "tags": {"team": "it", "cost": "1"}}) == {}


def test_a_tag_that_the_spec_drops_goes() -> None:
    """Only where the map is as we left it: then every entry in it was ours."""
    applied = {**DOCUMENT, "tags": {"team": "it", "stage": "old"}}
    digests = fields.field_digests(applied, RULES)
    assert list(changes(DOCUMENT, applied, digests)) == ["tags.stage"]
    assert changes(DOCUMENT, applied, digests)["tags.stage"][:2] == ("old", None)
    assert changes(DOCUMENT, {**applied, "tags": {**applied["tags"], "theirs": "1"}}, digests) == {}


def test_names_of_tags_have_no_case() -> None:
    """ARM keeps whichever spelling came first, so another one must be neither drift nor a second tag."""
    assert changes(DOCUMENT, {**DOCUMENT, "tags": {"TEAM": "it"}}) == {}
    assert changes(DOCUMENT, {**DOCUMENT, "tags": {"TEAM": "hr"}}) == {"tags.team": ("hr", "it", Action.UPDATE, "drift")}
    applied = {**DOCUMENT, "tags": {"Team": "it"}}
    assert changes(DOCUMENT, applied, fields.field_digests(applied, RULES)) == {}


def test_ignored_fields_are_not_compared() -> None:
    assert changes(DOCUMENT, {**DOCUMENT, "count": 5}, ignored=("box.count",)) == {}


def test_an_object_from_before_us_has_only_changes() -> None:
    assert {change[3] for change in changes(DOCUMENT, {**DOCUMENT, "count": 5}, applied="").values()} == {"spec"}


def test_six_characters_per_compared_field() -> None:
    assert len(APPLIED) == 6 * 3
    other = fields.field_digests({**DOCUMENT, "count": 3}, RULES)
    assert [APPLIED[i : i + 6] == other[i : i + 6] for i in (0, 6, 12)] == [True, False, True]


def test_a_place_without_a_rule_is_an_error() -> None:
    with pytest.raises(KeyError):
        fields.rule_of("colour", RULES)


def test_a_tag_may_hold_dots() -> None:
    rule, rest = fields.rule_of("tags.a.b", RULES)
    assert (rule.path, rest) == ("tags.*", ("a.b",))


def test_the_order_of_keys_is_no_difference() -> None:
    rules = (FieldRule("scale", "properties.scale"),)
    one, other = {"scale": {"min": 0, "max": 2}}, {"scale": {"max": 2, "min": 0}}
    assert fields.field_digests(one, rules) == fields.field_digests(other, rules)
