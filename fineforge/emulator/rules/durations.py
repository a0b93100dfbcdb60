"""ISO 8601 durations as Azure writes them: `PT1M40S`, `PT0.5S`."""

from __future__ import annotations

import re

_DURATION = re.compile(r"P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?\Z")


def seconds(text: str) -> float:
    """ValueError where it is none."""
    match = _DURATION.match(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"not a duration: {text}")
    days, hours, minutes, rest = (float(match[name] or 0) for name in "dhms")
    return days * 86400 + hours * 3600 + minutes * 60 + rest
