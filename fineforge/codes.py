"""The table of error codes: one row per code, read by `fineforge explain FF...`, by docs/error-codes.md and by the tests.

A row says what the code means and what to do in general; the diagnostic's own message and hint say it for the case at hand.
Ranges: FF0xx command line, 1xx spec, 2xx render, 3xx plan and policy, 4xx Azure, 5xx apply, 6xx data, 7xx emulator.
A code is never reused.
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
    "FF007": Code(
        "a file cannot be written",
        "The folder is missing or read-only, or the disk is full. Nothing that existed was changed.",
    ),
    # --- FF1xx: the spec, the project file, parameters -------------------------------------------------------------
    # --- FF2xx: templates and rendering ----------------------------------------------------------------------------
    # --- FF3xx: planning and policy --------------------------------------------------------------------------------
    # --- FF4xx: Azure ----------------------------------------------------------------------------------------------
    # --- FF5xx: apply ----------------------------------------------------------------------------------------------
    # --- FF6xx: data -----------------------------------------------------------------------------------------------
    "FF601": Code(
        "the data is not there",
        "The file, folder or source split that `dataset` names does not exist. Paths are relative to the spec's folder; a"
        " folder holds one `<name>.jsonl` per source split, and `from` defaults to the split's own name.",
    ),
    "FF602": Code(
        "a path leads out of the project",
        "Files are read from below the project's folder only, links followed, so that a spec from somebody else cannot "
        "send your files to a workspace. Move the data, or put the `fineforge.yaml` of the project higher up.",
    ),
    "FF603": Code(
        "the data cannot be read",
        "The operating system refused to read the file; the message holds its words. Check its permissions, and that it "
        "is a plain file.",
    ),
    "FF604": Code(
        "a split has no rows",
        "The file is empty, or the percentage of its rows, rounded half to even as the `datasets` library rounds, is "
        "none. Raise `percent`, or ask for `rows`.",
    ),
    "FF605": Code(
        "the prepared data cannot be written",
        "Prepared rows are written to a cache before they are uploaded; the disk is full or the folder is not yours. "
        "Nothing was created, and no half file is left: make room and run the command again.",
    ),
    "FF606": Code(
        "the data changed meanwhile",
        "A file is no longer what it was when the plan was made, so what would be uploaded is not what was planned. Wait "
        "until it is complete, and plan again.",
    ),
    "FF607": Code(
        "there are fewer rows than were asked for",
        "`rows` names more rows than the source split has. All of them are used; lower the number to silence this.",
    ),
    "FF608": Code(
        "a row is not UTF-8",
        "Training reads UTF-8 only. Save the file in that encoding; the message names the first byte that is wrong.",
    ),
    "FF609": Code(
        "a row is not JSON",
        "Each line of a .jsonl file is one complete JSON object. A file that is one large list, or indented JSON, must be"
        " rewritten with one object a line.",
    ),
    "FF610": Code(
        "a row is too long",
        "A line is longer than 16 MiB. Most often the file is not JSON Lines at all, but one JSON document without line breaks.",
    ),
    "FF611": Code(
        "a row has no messages",
        "Each row is an object with `messages`: a list of objects with the texts `role` and `content`. Other keys are "
        "kept and ignored.",
    ),
    "FF612": Code(
        "the roles of a row are not a conversation",
        "A `system` message may come first; then `user` and `assistant` take turns, and the assistant has the last word, "
        "since only its turns are trained on.",
    ),
    "FF613": Code(
        "a message is empty",
        "A message of spaces only teaches the model to say nothing. Delete the row, or fill it.",
    ),
    "FF614": Code(
        "a message holds half a character",
        "JSON can spell one half of a surrogate pair (such as `\\ud83d`), which is no character and which no tokenizer "
        "takes. It mostly comes from a text cut in the middle of an emoji.",
    ),
    "FF615": Code(
        "a prompt stands twice",
        "Two rows of one split begin with the same user message. The model cannot give both answers; keep one unless you "
        "mean it.",
    ),
    "FF616": Code(
        "a prompt stands in two splits",
        "Rows of validation or test begin with a user message that is trained on too, so what is measured on them is "
        "memory. Take them out of one of the two.",
    ),
    "FF617": Code(
        "a conversation is longer than the model's context",
        "Estimated at four characters a token, it does not fit the context and its end would be cut off. Shorten it, or "
        "choose a model with a longer context.",
    ),
    # --- FF7xx: the emulator ---------------------------------------------------------------------------------------
}
