"""The table of error codes: one row per code, read by `fineforge explain FF...`, by docs/error-codes.md and by the tests.

A row says what the code means and what to do in general; the diagnostic's own message and hint say it for the case at hand.
Ranges: FF0xx the command line, FF1xx spec, 2xx render, 3xx plan and policy, 4xx Azure, 5xx apply, 6xx data, 7xx emulator. A code is never reused.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    title: str
    explanation: str
    """Why fineforge refuses, and what to do, in one to three sentences."""


CODES: dict[str, Code] = {
    # --- FF0xx: the command line itself ----------------------------------------------------------------------------
    "FF001": Code(
        "fineforge itself failed",
        "A mistake in fineforge, not in your spec. The file that the hint names holds the traceback, secrets removed; please "
        "report it. What had been applied stays applied: run the same command again, it goes on from what exists.",
    ),
    "FF002": Code(
        "the command line is not understood",
        "An unknown command or option, a missing argument, or a value of the wrong form. `--help` after any command shows what "
        "it takes.",
    ),
    "FF003": Code(
        "nobody can be asked",
        "The command would ask before it changes something, but there is no terminal, or FINEFORGE_INPUT is 0. Read the plan, "
        "then add `--auto-approve`.",
    ),
    "FF004": Code(
        "the file exists already",
        "`init` and `plan --out` write new files and never overwrite one that they did not write. Choose another name, or move "
        "the file away.",
    ),
    "FF005": Code(
        "nothing of that name can be explained",
        "`explain` knows specs (a file), base models of the catalog and components by name, and the codes of errors.",
    ),
    "FF006": Code(
        "the saved plan is for another spec or target",
        "`apply` with a plan file takes the target and every decision from the file. Leave the options that would change it out, "
        "or plan again.",
    ),
    # --- FF1xx: the spec, the project file, parameters -------------------------------------------------------------
    # --- FF2xx: templates and rendering ----------------------------------------------------------------------------
    # --- FF3xx: planning and policy --------------------------------------------------------------------------------
    # --- FF4xx: Azure ----------------------------------------------------------------------------------------------
    # --- FF5xx: apply ----------------------------------------------------------------------------------------------
    # --- FF6xx: data -----------------------------------------------------------------------------------------------
    # --- FF7xx: the emulator ---------------------------------------------------------------------------------------
}
