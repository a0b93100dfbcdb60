"""Tags that say whose an object is."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from fineforge.core.objects import Ownership
from fineforge.resources import ownership

NAMES = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=30)
OWNERS = st.builds(
    Ownership,
    project=NAMES,
    spec=NAMES,
    digest=st.text("0123456789abcdef", min_size=64, max_size=64),
    fields=st.text("0123456789abcdef", max_size=72),
    attempt=st.integers(1, 11),
    source=st.text(max_size=200),
    version=st.just("1.2.3"),
)


@given(OWNERS, st.booleans())
def test_tags_say_who_owns(owner: Ownership, shouted: bool) -> None:
    """Azure compares the names of tags without case, and some tools change it."""
    tags = {name.upper() if shouted else name: value for name, value in ownership.to_tags(owner).items()}
    assert ownership.from_tags({**tags, "team": "it"}) == owner
    assert len(tags) <= 7
    assert all(len(value) <= 256 for value in tags.values())


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=20), max_size=6))
def test_any_tags_at_all_can_be_read(tags: dict[str, str]) -> None:
    owner = ownership.from_tags(tags)
    assert owner is None or owner.attempt >= 0
    assert len(ownership.used_by(tags)) <= len(tags)


def test_tags_of_others_are_not_ours() -> None:
    assert ownership.from_tags({"project": "shop", "spec": "support"}) is None
    assert ownership.from_tags({"fineforge-project": "shop"}) is None
    assert not ownership.is_owner_tag("xfineforge-project")


def test_a_damaged_attempt_is_the_first() -> None:
    owner = ownership.from_tags({"fineforge-project": "a", "fineforge-spec": "b", "fineforge-attempt": "two"})
    assert owner is not None and owner.attempt == 1


def test_only_a_later_attempt_has_a_tag() -> None:
    """Tags are scarce, and the first attempt is what most objects have."""
    assert "fineforge-attempt" not in ownership.to_tags(Ownership("a", "b", "c", attempt=1))
    assert ownership.to_tags(Ownership("a", "b", "c", attempt=2))["fineforge-attempt"] == "2"


def test_who_uses_a_shared_object() -> None:
    tags = {"fineforge-used-by-support": "true", "FINEFORGE-USED-BY-billing": "true", "fineforge-spec": "support"}
    assert ownership.used_by(tags) == {"support", "billing"}


def test_long_values_are_cut_to_what_azure_takes() -> None:
    assert len(ownership.to_tags(Ownership("a", "b", "c", source="x" * 900))["fineforge-source"]) == 256


def test_a_digest_is_over_content_not_over_order() -> None:
    assert ownership.digest({"a": 1, "b": [5e-06, None]}) == ownership.digest({"b": [5e-06, None], "a": 1})
    assert ownership.digest({"a": 1}) != ownership.digest({"a": "1"})
    assert ownership.digest(["data"]) == "ab6aa6460b8ceddb3a7c2d6edbfe3307ba391cfb6b44b7f2bd8fb24d2724cb8c"
