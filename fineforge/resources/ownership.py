"""Ownership: our tags on an object, and the digests that name what we want.

There is no state file. An object is ours where its tags say so; which version of our wish it embodies, its digest says.
Tag limits: 50 per object, names without case and without `/`, values up to 256 characters (ARM).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from fineforge import __version__
from fineforge.core.objects import Ownership, Raw
from fineforge.resources.fields import read_tags

DIGEST_FORMAT = 1
"""Part of every digest: raised when what is digested changes, so that old objects are told apart instead of mistaken."""

PREFIX = "fineforge-"
USED_BY = PREFIX + "used-by-"
"""A shared cluster carries one such tag per spec."""


def to_tags(owner: Ownership) -> dict[str, str]:
    """The tags of an object that we create or update."""
    tags = {
        "project": owner.project,
        "spec": owner.spec,
        "digest": owner.digest,
        "fields": owner.fields,
        "attempt": str(owner.attempt) if owner.attempt > 1 else "",
        "source": owner.source,
        "version": owner.version or __version__,
    }
    return {PREFIX + key: value[:256] for key, value in tags.items() if value}


_ATTEMPT = re.compile(r"[1-9][0-9]{0,8}")
"""`str.isdigit` accepts digits that `int` refuses, such as `²`, and `int` refuses text of more than 4300 digits."""


def from_tags(tags: Mapping[str, str]) -> Ownership | None:
    """Return the owner that these tags name, or None if the object is not fineforge's.

    Anybody may write tags, so any text is accepted: an attempt that `to_tags` could not have written counts as the first.
    """
    ours = {key[len(PREFIX) :]: value for key, value in _lower(tags) if key.startswith(PREFIX)}
    if "project" not in ours or "spec" not in ours:
        return None
    attempt = _ATTEMPT.fullmatch(ours.get("attempt", ""))
    return Ownership(
        project=ours["project"],
        spec=ours["spec"],
        digest=ours.get("digest", ""),
        fields=ours.get("fields", ""),
        attempt=int(attempt[0]) if attempt else 1,
        source=ours.get("source", ""),
        version=ours.get("version", ""),
    )


def _lower(tags: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """Yield tags as text, their names in lower case; those in an edited YAML may be numbers."""
    return ((str(key).lower(), str(value)) for key, value in tags.items())


def whose(job: Raw) -> str:
    """`project/spec` of a job as the service answers it; empty where it is not fineforge's."""
    owner = from_tags(read_tags(job))
    return f"{owner.project}/{owner.spec}" if owner else ""


def used_by(tags: Mapping[str, str]) -> frozenset[str]:
    """The specs that a shared object's tags name."""
    return frozenset(key.lower()[len(USED_BY) :] for key in tags if key.lower().startswith(USED_BY))


def is_owner_tag(key: str) -> bool:
    return key.lower().startswith(PREFIX)


_WHOSE = frozenset(field.name for field in fields(Ownership))


def says_whose(key: str, spec: str) -> bool:
    """Whether a tag says that the object is the spec's; what it was made of, and who else uses it, is another matter."""
    name = key.lower().removeprefix(PREFIX)
    return is_owner_tag(key) and (name in _WHOSE or key.lower() == USED_BY + spec)


def digest(content: Any) -> str:
    """64 hexadecimal characters over the canonical JSON of `content`. Floats are written as Python writes them."""
    text = json.dumps([DIGEST_FORMAT, content], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def short(full_digest: str) -> str:
    """The twelve characters that stand in names."""
    return full_digest[:12]
