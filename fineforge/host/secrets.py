"""What the surroundings hold in secret is not shown, whoever says it: values of variables whose names say that they are secrets.

What looks like a secret by itself, wherever it is from, is `fineforge.core.redaction`'s.
"""

from __future__ import annotations

import logging
import os
import re

from fineforge.core.redaction import redact

_NAMES = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|KEY|CREDENTIAL|CONNECTION_?STRING|_SAS\b", re.IGNORECASE)
_NO_SECRET = re.compile(r"/|[A-Za-z]:\\|https?://")
"""How paths and addresses begin: `AZURE_FEDERATED_TOKEN_FILE`, `ACTIONS_ID_TOKEN_REQUEST_URL`."""
SHORTEST = 8
"""Characters; a shorter value is part of too many words."""


def hide(text: str) -> str:
    """`text` without the secrets of the surroundings."""
    for name, value in os.environ.items():
        if len(value) >= SHORTEST and value in text and _NAMES.search(name) and not _NO_SECRET.match(value):
            text = text.replace(value, "***")
    return text


def conceal(text: str) -> str:
    """Without them, and without what looks like a secret."""
    return redact(hide(text))


class Formatter(logging.Formatter):
    """Lines of a log: libraries write addresses with signatures, and what services answer."""

    def format(self, record: logging.LogRecord) -> str:
        return conceal(super().format(record))
