"""A draft of a spec, and its text: YAML in the canonical order, with comments above the blocks that they are about."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml
from pydantic import BaseModel

from fineforge.config import source
from fineforge.config import spec as specs
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import Reader
from fineforge.core.objects import Observed, Raw, ResourceKey
from fineforge.core.redaction import redact
from fineforge.resources.kinds import KINDS

_WIDTH = 120


@dataclass(slots=True)
class Draft:
    """A spec that is being made up."""

    data: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    """Top-level key -> what is to be said above it."""
    head: list[str] = field(default_factory=list)

    def note(self, key: str, words: str) -> None:
        self.notes.setdefault(key, []).append(words)

    def parsed(self) -> specs.Spec:
        """The draft as a spec. Raises FF1xx, which no draft should."""
        return specs.parse(source.load(_body(self).encode(), "the imported spec"))


def text(draft: Draft) -> str:
    """Return the whole file, its keys in the order of the reference."""
    ordered = replace(draft, data=_in_order(draft.data, draft.parsed()))
    lines = [line for comment in draft.head for line in _comment(comment)]
    return "\n".join([*lines, "", _body(ordered)])


def _in_order(data: Any, parsed: Any) -> Any:
    """Return `data` with the keys in the order of the parsed models' fields; keys that users choose keep their order."""
    if isinstance(parsed, BaseModel) and isinstance(data, dict):
        fields = {entry.alias or name: getattr(parsed, name) for name, entry in type(parsed).model_fields.items()}
        return {key: _in_order(data[key], value) for key, value in fields.items() if key in data}
    if isinstance(parsed, Mapping) and isinstance(data, dict):
        return {key: _in_order(value, parsed.get(key)) for key, value in data.items()}
    return data


def read(gateway: Reader, key: ResourceKey) -> tuple[Raw, Observed]:
    """The object, raw and in the shape of its template. FF422 where it is not there."""
    raw = gateway.get(key)
    if raw is None:
        where = f"`{gateway.workspace.name}` (target `{gateway.workspace.target}`)"
        raise FineforgeError(Diagnostic("FF422", f"`{key}` does not exist in {where}", hint="check the name and the target"))
    return raw, KINDS[key.kind].observe(key, raw)


def spec_name(text: str) -> str:
    """A name that a spec may have, as near to `text` as can be."""
    plain = re.sub(r"-+", "-", re.sub(r"[^a-z0-9-]", "-", text.lower())).strip("-")
    plain = plain if plain[:1].isalpha() else f"m-{plain}"
    return f"{plain[:31].strip('-')}-x"[:31] if len(plain[:31].strip("-")) < 3 else plain[:31].strip("-")


def user_tags(have: Observed) -> dict[str, str]:
    """Tags that somebody gave: not ours, nor those that the service and the studio write, nor what a spec may not hold."""
    tags: Mapping[str, Any] = have.document.get("tags") or {}
    kept = {name: str(value)[:256] for name, value in tags.items() if not re.match(r"(?i)azureml|mlflow|_aml", name)}
    wrong = {problem.path[-1] for problem in specs.tag_problems(kept, ("tags",))}
    return {name: value for name, value in kept.items() if name not in wrong}


def _body(draft: Draft) -> str:
    """Blocks of more than a line have an empty line and their comments above them."""
    parts = []
    for key, value in draft.data.items():
        comments = [line for words in draft.notes.get(key, ()) for line in _comment(words)]
        apart = comments or isinstance(value, dict)
        parts += [*([""] if apart else []), *comments, *_lines(key, value)]
    return "\n".join(parts) + "\n"


def _lines(key: str, value: Any) -> list[str]:
    """A mapping without mappings in it stands on one line, where it fits."""
    text = yaml.dump({key: value}, Dumper=_Dumper, sort_keys=False, default_flow_style=True, width=10**9, allow_unicode=True)
    flow = text.strip()[1:-1]
    nested = isinstance(value, dict) and any(isinstance(entry, dict) for entry in value.values())
    if not isinstance(value, dict) or (len(flow) <= _WIDTH and not nested):
        return [flow]
    return [f"{key}:", *(f"  {line}" for name, entry in value.items() for line in _lines(name, entry))]


def _comment(words: str) -> list[str]:
    clean = "".join(letter if letter.isprintable() else "?" for letter in redact(words))
    if clean.startswith(" "):  # a command, to be copied
        return [f"# {clean}"]
    return [f"# {line}" for line in textwrap.wrap(clean, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)]


class _Dumper(yaml.SafeDumper):
    """Text that any YAML reader takes for text, whichever version it follows, stays plain; all other text is in quotes."""


_PLAIN = re.compile(r"(?![0-9.@+-])(?!(?i:true|false|yes|no|on|off|y|n|null)\Z)(?=.*[A-Za-z])[\w./@+-]+\Z", re.ASCII)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if _PLAIN.match(value) else '"')


_Dumper.add_representer(str, _text)
