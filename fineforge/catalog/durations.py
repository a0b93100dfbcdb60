"""ISO 8601 durations as Azure writes them: `PT1M40S`, `PT0.5S`.

pydantic and isodate read more than Azure's services accept (`P1W`, `P1M`, `-PT5S`, `1:00:00`) and round to microseconds,
so neither is used: docs/decisions/0006-libraries.md.
"""

from __future__ import annotations

import math
import re

_DURATION = re.compile(r"P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?\Z")


def seconds(text: str) -> float:
    """Return the length in seconds. Raise ValueError if `text` is not a duration."""
    match = _DURATION.match(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"not a duration: {text}")
    days, hours, minutes, rest = (float(match[name] or 0) for name in "dhms")
    length = days * 86400 + hours * 3600 + minutes * 60 + rest
    if not math.isfinite(length):
        raise ValueError(f"not a duration: {text[:40]}...")
    return length
