"""The table of error codes: one row per code, read by `fineforge explain FF...`, by docs/error-codes.md and by the tests.

A row says what the code means and what to do in general; the diagnostic's own message and hint say it for the case at hand.
Ranges: FF1xx spec, 2xx render, 3xx plan and policy, 4xx Azure, 5xx apply, 6xx data, 7xx emulator. A code is never reused.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    title: str
    explanation: str
    """Why fineforge refuses, and what to do, in one to three sentences."""


CODES: dict[str, Code] = {
    # --- FF1xx: the spec, the project file, parameters -------------------------------------------------------------
    # --- FF2xx: templates and rendering ----------------------------------------------------------------------------
    # --- FF3xx: planning and policy --------------------------------------------------------------------------------
    # --- FF4xx: Azure ----------------------------------------------------------------------------------------------
    # --- FF5xx: apply ----------------------------------------------------------------------------------------------
    # --- FF6xx: data -----------------------------------------------------------------------------------------------
    # --- FF7xx: the emulator ---------------------------------------------------------------------------------------
}
