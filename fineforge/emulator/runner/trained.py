"""Which components the emulator really trains, and what its runners say of a job with another one. No training is here."""

from __future__ import annotations

TRAINED = "chat_completion_pipeline"


def refusal(component: str) -> str | None:
    """Why a job with this component fails here; None where it is trained."""
    if component == TRAINED:
        return None
    return f"the local emulator trains {TRAINED} only, not {component}; on Azure this job would run"
