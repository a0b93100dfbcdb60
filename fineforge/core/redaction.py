"""What may be shown to nobody: keys, tokens, signatures. Pure.

Specs should not hold secrets at all; this is for those that do, and for words of services and libraries that repeat one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "(hidden)"


def redact(text: str) -> str:
    """`text` without what looks like a token, a key or a signature."""
    for pattern in _SECRETS:
        text = pattern.sub(r"\1***", text)
    return text


def visible_value(path: str, value: Any) -> Any:
    """The value of the field at a dotted path, as anybody may see it."""
    if isinstance(value, Mapping):
        return {key: visible_value(f"{path}.{key}", entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [visible_value(path, entry) for entry in value]
    if value is not None and hides(path):
        return HIDDEN
    return redact(value) if isinstance(value, str) else value


def hides(path: str) -> bool:
    """Whether the name of a field says that its value is a secret: `environment_variables.HF_TOKEN`."""
    return bool(_NAMES.search(path.rpartition(".")[2])) and "environment_variables." in path


_SECRETS = (
    re.compile(r"(\bsig=)[^&\s\"']+"),
    re.compile(r"(\b(?:AccountKey|SharedAccessSignature|client_secret|password)=)[^;&\s\"']+", re.IGNORECASE),
    re.compile(r"(\bBearer )[\w.~+/=-]+"),
    re.compile(r"()\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*"),
)
_NAMES = re.compile(
    r"(?<![a-z])(api_?)?keys?(?![a-z])|token(?!s)|secret|passw(or)?d|credential|connection_?string|_sas$", re.IGNORECASE
)
