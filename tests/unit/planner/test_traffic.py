"""Shares of traffic: the service takes totals of 0 or 100 only, in whole percents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fineforge.planner.traffic import split

NAMES = st.sampled_from(["blue", "green", "red", "paused"])


@st.composite
def live(draw: st.DrawFn) -> dict[str, int]:
    """A map as the service has it: whole percents that are 100 together, some entries zero."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    left, shares = 100, {}
    for name in names[:-1]:
        shares[name] = draw(st.integers(0, left))
        left -= shares[name]
    return {**shares, names[-1]: left}


@given(live(), st.integers(0, 100))
def test_the_total_stays_100(current: dict[str, int], percent: int) -> None:
    after = split(current, "new", percent)
    assert sum(after.values()) == 100 and after["new"] == percent
    assert all(0 <= value <= 100 for value in after.values())
    assert all(after[name] == 0 for name, value in current.items() if value == 0), "who had nothing gets nothing"
    assert set(after) == {*current, "new"}


@given(live(), st.integers(0, 100))
def test_the_others_keep_their_proportion(current: dict[str, int], percent: int) -> None:
    after = split(current, "new", percent)
    for name, value in current.items():
        exact = value * (100 - percent) / 100
        assert abs(after[name] - exact) < len(current), (name, value, percent)


def test_where_nobody_answers_nothing_is_shared() -> None:
    assert split({"old": 0}, "new", 100) == {"old": 0, "new": 100}
    assert split({}, "new", 100) == {"new": 100}
    assert split({"old": 67, "older": 33}, "new", 10) == {"old": 61, "older": 29, "new": 10}
