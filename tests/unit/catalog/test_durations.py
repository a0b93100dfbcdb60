"""ISO 8601 durations: exactly what Azure's services accept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fineforge.catalog.durations import seconds

NUMBERS = st.none() | st.integers(0, 10**6)


def _plain(value: Any) -> str:
    """A number without an exponent."""
    return str(value) if isinstance(value, int) else f"{value:f}"


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS | st.decimals(0, 10**6, places=9))
def test_the_parts_add_up(days: Any, hours: Any, minutes: Any, rest: Any) -> None:
    date = "" if days is None else f"{days}D"
    time = "".join(f"{_plain(value)}{unit}" for value, unit in ((hours, "H"), (minutes, "M"), (rest, "S")) if value is not None)
    text = f"P{date}" + (f"T{time}" if time else "")
    if text == "P":
        with pytest.raises(ValueError, match="not a duration"):
            seconds(text)
    else:
        total = (days or 0) * 86400.0 + (hours or 0) * 3600.0 + (minutes or 0) * 60.0 + float(rest or 0)
        assert seconds(text) == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "100",
        "PT1.S",
        "PT.5S",
        "PT1..2S",
        "pt5s",
        "P1W",
        "P1Y",
        "P1M",
        "-PT5S",
        "PT1,5S",
        "PT1.5H",
        "1:00",
        "PT5S ",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)
