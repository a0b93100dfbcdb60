"""The header Retry-After, as a number or a date (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import contextlib
import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def seconds_of(text: str) -> float | None:
    """Seconds from now that a Retry-After names, as a number or a date; None where it names neither."""
    with contextlib.suppress(ValueError):
        seconds = float(text)
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        until = parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max((until - datetime.now(UTC)).total_seconds(), 0.0)
    return None
