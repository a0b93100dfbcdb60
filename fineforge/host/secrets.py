"""What the surroundings hold in secret is not shown, whoever says it: values of variables whose names say that they are secrets.

What looks like a secret by itself, wherever it is from, is `fineforge.core.redaction`'s.
"""

from __future__ import annotations

import logging
import os
import re

from fineforge.core.redaction import redact

_NAMES = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|KEY|CREDENTIAL|CONNECTION_?STRING|_SAS\b", re.IGNORECASE)
_NOT_NAMES = re.compile(r"_(?:FILE|PATH|DIR|URL|URI|ENDPOINT)\Z", re.IGNORECASE)
"""Names of variables that hold a path or an address: `AZURE_FEDERATED_TOKEN_FILE`, `ACTIONS_ID_TOKEN_REQUEST_URL`.

The name decides, not how the value begins: one base64 key in 64 begins with `/`.
"""
SHORTEST = 8
"""Characters; a shorter value is part of too many words."""


def hide(text: str) -> str:
    """Return `text` without the values of secret environment variables; the longest goes first, for one may hold another."""
    for name, value in sorted(os.environ.items(), key=lambda item: -len(item[1])):
        if len(value) >= SHORTEST and value in text and _NAMES.search(name) and not _NOT_NAMES.search(name):
            text = text.replace(value, "***")
    return text


def conceal(text: str) -> str:
    """Without them, and without what looks like a secret."""
    return redact(hide(text))


class Formatter(logging.Formatter):
    """Lines of a log: libraries write addresses with signatures, and what services answer."""

    def format(self, record: logging.LogRecord) -> str:
        return conceal(super().format(record))
