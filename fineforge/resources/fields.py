"""Field rules: which place of a rendered document is which place of the service's body, and how the two are compared.

Rules are data, one table per kind (`resources.kinds`); this module holds their type, the forms of values, and the generic
functions over them: body -> document, differences, patch. It knows no kind by name.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fineforge.catalog import durations
from fineforge.core.objects import Document, Raw
from fineforge.core.plan import Action, ChangeReason, FieldChange


class Change(StrEnum):
    """What happens where the spec and the world differ."""

    UPDATE = "update"
    REPLACE = "replace"
    """Delete and create: the service cannot change it."""
    FIXED = "fixed"
    """Part of what the name stands for; a difference is an error."""
    IGNORE = "ignore"
    """Not compared, for the rule's reason."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    path: str
    """Dotted place in the document; `x.*` is every key below `x`."""
    wire: str = ""
    """Dotted place in the body; empty where it is not compared."""
    change: Change = Change.UPDATE
    form: str = "plain"
    spec: str = ""
    """Dotted place in the spec, for `lifecycle.ignore` and for messages."""
    reason: str = ""
    """Why the field is ignored, fixed or replaced."""


@dataclass(frozen=True, slots=True)
class Form:
    """How one value is written in the document, on the wire, and for a comparison."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    compare: Callable[[Any], Any]


def read_document(raw: Raw, rules: Sequence[FieldRule]) -> dict[str, Any]:
    """The body in the shape of the template. Fields that the service left out are left out.

    Raises for no JSON object, however odd: the body may be anybody's.
    """
    document: dict[str, Any] = {}
    for rule in rules:
        if not rule.wire:
            continue
        value, read = get(raw, rule.wire), FORMS[rule.form].read
        if rule.path.endswith(".*"):
            if isinstance(value, Mapping):
                put(document, rule.path.removesuffix(".*"), {str(key): read(entry) for key, entry in value.items()})
        elif value is not None:
            put(document, rule.path, read(value))
    return document


def compared(rules: Sequence[FieldRule]) -> tuple[FieldRule, ...]:
    return tuple(rule for rule in rules if rule.change is not Change.IGNORE)


def field_digests(document: Document, rules: Sequence[FieldRule]) -> str:
    """Six hexadecimal characters per compared field, in rule order: what we last applied, kept in the `fields` tag."""
    return "".join(_digest(_value(document, rule)) for rule in compared(rules))


def differences(
    desired: Document, observed: Document, rules: Sequence[FieldRule], applied: str, ignored: Collection[str] = ()
) -> tuple[FieldChange, ...]:
    """What differs, and whether the spec changed or somebody else did. What the desired document lacks is not compared, but for
    entries of a map that is still exactly as we applied it: those were ours, and the spec has dropped them."""
    found: list[FieldChange] = []
    for index, rule in enumerate(compared(rules)):
        if rule.spec in ignored:
            continue
        want, have = get(desired, rule.path.removesuffix(".*")), get(observed, rule.path.removesuffix(".*"))
        before = applied[index * 6 : index * 6 + 6]
        if rule.path == "tags.*" and isinstance(want, Mapping) and isinstance(have, Mapping):
            have = _renamed(have, want)
        if rule.path.endswith(".*") and before == _digest(_value(observed, rule)):
            found += _dropped(rule, want or {}, have or {})
        if want is not None:
            reason = ChangeReason.DRIFT if before == _digest(_value(desired, rule)) else ChangeReason.SPEC
            found += _compare(rule, want, have, reason)
    return tuple(found)


def patch(raw: Raw, changes: Sequence[FieldChange], rules: Sequence[FieldRule], tags: Mapping[str, str]) -> dict[str, Any]:
    """The body to send back: only the changed fields and our tags differ from what was read; everything unknown survives."""
    body = copy.deepcopy(dict(raw))
    body.pop("fineforge-error", None)
    for change in changes:
        rule, rest = rule_of(change.path, rules)
        if rule.wire == "":
            continue
        value = None if change.after is None else FORMS[rule.form].write(change.after)
        if rest:
            _put_entry(body, rule.wire, rest, value)
        else:
            put(body, rule.wire, value)
    merge_tags(body, tags)
    return body


def merge_tags(body: dict[str, Any], tags: Mapping[str, str]) -> None:
    """Sets our tags; keys are compared without case, other people's tags stay."""
    place = body if _tags_on_top(body) else body.setdefault("properties", {})
    lower = {key.lower() for key in tags}
    kept = {key: value for key, value in (place.get("tags") or {}).items() if key.lower() not in lower}
    place["tags"] = {**kept, **{key: value for key, value in tags.items() if value != ""}}


def read_tags(raw: Raw) -> dict[str, str]:
    """The tags of a body; ARM resources carry them on top, assets and jobs in their properties."""
    found = get(raw, "tags" if _tags_on_top(raw) else "properties.tags")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


def whole_number(value: Any, otherwise: int) -> int:
    """Return a number of an object's body as an integer, or `otherwise` if it is not a number."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return otherwise


def _tags_on_top(raw: Raw) -> bool:
    """Computes, endpoints and deployments have a location; assets and jobs do not."""
    return "location" in raw


def rule_of(path: str, rules: Sequence[FieldRule]) -> tuple[FieldRule, tuple[str, ...]]:
    """The rule that a document path falls under, and what of the path lies below a `.*`. KeyError where no rule speaks of it."""
    for rule in rules:
        base = rule.path.removesuffix(".*")
        if path == base:
            return rule, ()
        if rule.path.endswith(".*") and path.startswith(base + "."):
            return rule, (path[len(base) + 1 :],)
    raise KeyError(path)


def fingerprint(document: Document, rules: Sequence[FieldRule], *others: Any) -> str:
    """Over the compared fields, and what else the kind says must not have changed between a plan and its apply.

    Traffic is not among them: a traffic step carries the entries that it expects.
    """
    text = json.dumps([field_digests(document, rules), *others])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def get(document: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, None where there is none; keys without case, as the service mixes them."""
    value: Any = document
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value[part] if part in value else next((v for k, v in value.items() if str(k).lower() == part.lower()), None)
    return value


def entry(document: Mapping[str, Any], path: str) -> Any:
    """The value below a mapping whose keys may hold dots: `tags.a.b` is the tag `a.b`."""
    base, _, rest = path.partition(".")
    inner = document.get(base)
    return inner[rest] if isinstance(inner, Mapping) and rest in inner else get(document, path)


def is_before(document: Mapping[str, Any], change: FieldChange) -> bool:
    """Whether a document still has what the change starts from. A traffic entry of zero is the same as none."""
    live, before = entry(document, change.path), change.before
    if isinstance(before, int) or before is None:
        return str(live or 0) == str(before or 0)
    return str(live).lower() == str(before).lower()


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Sets the value at a dotted path, under the spelling that is there; mappings on the way are made."""
    *parents, last = path.split(".")
    for part in parents:
        name = _spelled(document, part)
        inner = document.get(name)
        if not isinstance(inner, dict):
            inner = document[name] = {}
        document = inner
    document[_spelled(document, last)] = value


def _spelled(document: Mapping[str, Any], key: str) -> str:
    """The key as the mapping writes it; a second spelling beside it would be two values."""
    return key if key in document else next((str(name) for name in document if str(name).lower() == key.lower()), key)


def _put_entry(body: dict[str, Any], wire: str, rest: tuple[str, ...], value: Any) -> None:
    entries = dict(get(body, wire) or {})
    if value is None:
        entries.pop(rest[0], None)
    else:
        entries[rest[0]] = value
    put(body, wire, entries)


def _compare(rule: FieldRule, want: Any, have: Any, reason: ChangeReason) -> list[FieldChange]:
    action = Action.DELETE if rule.change is Change.REPLACE else Action.UPDATE
    compare = FORMS[rule.form].compare
    base = rule.path.removesuffix(".*")
    if not rule.path.endswith(".*"):
        return [] if compare(want) == compare(have) else [FieldChange(base, have, want, action, reason)]
    entries = have if isinstance(have, Mapping) else {}
    return [
        FieldChange(f"{base}.{key}", entries.get(key), value, action, reason)
        for key, value in want.items()
        if compare(value) != compare(entries.get(key))
    ]


def _renamed(have: Mapping[str, Any], want: Mapping[str, Any]) -> dict[str, Any]:
    """Tags under the names that the spec gives them: in ARM they have no case, and the spelling that came first stays."""
    names = {name.lower(): name for name in want}
    return {names.get(name.lower(), name): value for name, value in have.items()}


def _dropped(rule: FieldRule, want: Mapping[str, Any], have: Mapping[str, Any]) -> list[FieldChange]:
    base = rule.path.removesuffix(".*")
    gone = [key for key in have if key not in want]
    return [FieldChange(f"{base}.{key}", have[key], None, Action.UPDATE, ChangeReason.DROPPED) for key in gone]


def _value(document: Document, rule: FieldRule) -> Any:
    value = get(document, rule.path.removesuffix(".*"))
    compare = FORMS[rule.form].compare
    if rule.path.endswith(".*") and isinstance(value, Mapping):
        return {key: compare(entry) for key, entry in sorted(value.items())}
    return None if value is None else compare(value)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:6]


def _seconds(text: Any) -> Any:
    """Return the seconds of an ISO 8601 duration: 100 for `PT1M40S`. Any other value is returned unchanged."""
    try:
        total = durations.seconds(str(text))
    except ValueError:
        return text
    return int(total) if total.is_integer() else total


def _words(table: Mapping[str, str]) -> Form:
    """Enumerations that the YAML and the wire spell differently."""
    back = {wire.lower(): word for word, wire in table.items()}
    return Form(lambda v: back.get(str(v).lower(), v), lambda v: table.get(str(v), v), lambda v: str(v).lower())


def _asset(value: Any) -> str:
    """`azureml:NAME:VERSION` of an ARM id, a short or a long datastore path, all in one spelling."""
    text = str(value)
    match = re.search(r"/(?:models|data|environments|codes?)/([^/]+)/versions/([^/]+)\Z", text, re.IGNORECASE)
    if match and not text.startswith("azureml://registries"):
        return f"azureml:{match[1]}:{match[2]}"
    return re.sub(r"^azureml://subscriptions/.*/workspaces/[^/]+/datastores/", "azureml://datastores/", text, flags=re.IGNORECASE)


def _same(value: Any) -> Any:
    return value


def _number(value: Any) -> Any:
    """The service answers some numbers as text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


FORMS: dict[str, Form] = {
    "plain": Form(_same, _same, _same),
    "text": Form(str, str, lambda v: None if v is None else str(v)),
    "number": Form(_same, _same, _number),
    "caseless": Form(str, _same, lambda v: str(v).lower()),
    "seconds": Form(_seconds, lambda v: f"PT{v}S", _number),
    "milliseconds": Form(
        lambda v: round(s * 1000) if isinstance(s := _seconds(v), int | float) else v, lambda v: f"PT{v / 1000:g}S", _number
    ),
    "asset": Form(_asset, _same, _asset),
    "tier": _words({"dedicated": "Dedicated", "low_priority": "LowPriority"}),
    "identity": _words({"system_assigned": "SystemAssigned", "user_assigned": "UserAssigned"}),
    "identities": Form(
        lambda v: [{"resource_id": name} for name in v] if isinstance(v, Mapping) else [],
        lambda v: {entry["resource_id"]: {} for entry in v} or None,
        lambda v: sorted(str(entry.get("resource_id")).lower() for entry in v or ()),
    ),
    "egress": _words({"enabled": "Enabled", "disabled": "Disabled"}),
    "auth": _words({"key": "Key", "aml_token": "AMLToken", "aad_token": "AADToken"}),
}
