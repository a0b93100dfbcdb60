"""One contract for all kinds: what a template writes, the service answers, and a comparison sees is the same thing."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from fineforge.core.objects import Desired, Observed, Status
from fineforge.core.plan import Action, ChangeReason, FieldChange
from fineforge.resources import fields, ownership
from fineforge.resources.fields import Change
from fineforge.resources.kinds import KINDS
from fineforge.resources.kinds.base import End
from tests.support import offline
from tests.support.azure_bodies import answers, edit

MADE = offline.make(offline.FULL)
BY_KIND: dict[str, Desired] = {kind: MADE[kind] for kind in KINDS}
LEAVES = [(kind, path) for kind, want in BY_KIND.items() for path in offline.leaves(want.document)]
COMPARED = [(kind, path) for kind, path in LEAVES if fields.rule_of(path, KINDS[kind].rules)[0].change is not Change.IGNORE]


def body(want: Desired, edits: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a GET of `want` once every object of the spec was created. `edits`: dotted place in the body -> value."""
    raw = answers(MADE.desired)[want.key]
    for place, value in (edits or {}).items():
        edit(raw, place, value)
    return raw


def observed(want: Desired, raw: dict[str, Any]) -> Observed:
    return KINDS[want.key.kind].observe(want.key, raw)


def differences(want: Desired, have: Observed) -> dict[str, FieldChange]:
    applied = have.owner.fields if have.owner else ""
    found = fields.differences(want.document, have.document, KINDS[want.key.kind].rules, applied)
    return {change.path: change for change in found}


def other(value: Any) -> Any:
    """Another value of the same type, in the words of a service."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if value.startswith("PT"):
            return "PT17S"
        case str() if "/models/" in value or "/paths/" in value:
            return value[:-1] + ("1" if value[-1] != "1" else "2")
        case list():
            return {}
        case dict() if not value or any("/" in name for name in value):
            return {f"{name}x": {} for name in value}
        case "Key":
            return "AMLToken"
        case "Dedicated":
            return "LowPriority"
        case _:
            return f"{value}x"


def test_the_leaves_are_found() -> None:
    assert len(LEAVES) > 75
    assert len(COMPARED) == 35


@pytest.mark.parametrize(("kind", "path"), LEAVES)
def test_every_leaf_has_a_rule(kind: str, path: str) -> None:
    rule, _ = fields.rule_of(path, KINDS[kind].rules)
    assert rule.wire or rule.reason, f"{kind}: `{path}` is not compared, and no reason says why"
    assert rule.change is Change.UPDATE or rule.reason, f"{kind}: `{path}` does not say why it is {rule.change}"


@pytest.mark.parametrize("kind", KINDS)
def test_rules_are_sound(kind: str) -> None:
    rules = KINDS[kind].rules
    assert len({rule.path for rule in rules}) == len(rules)
    assert all(rule.form in fields.FORMS for rule in rules)
    assert all(rule.wire for rule in fields.compared(rules))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_created_is_what_is_wanted(kind: str) -> None:
    """Server defaults, long ids and the service's spelling are no differences."""
    want = BY_KIND[kind]
    have = observed(want, body(want))
    assert differences(want, have) == {}
    assert have.status is (Status.COMPLETED if kind == "job" else Status.READY)
    assert have.owner is not None and (have.owner.project, have.owner.spec, have.owner.digest) == ("shop", "support", want.digest)
    assert have.document["tags"] == {"team": "helpdesk"}
    assert have.created[:10] == ("" if kind == "compute" else "2026-11-20"), "a cluster carries no `systemData`"


@pytest.mark.parametrize(("kind", "path"), COMPARED)
def test_every_compared_leaf_shows_drift_and_is_mended(kind: str, path: str) -> None:
    want, rules = BY_KIND[kind], KINDS[kind].rules
    raw = body(want)
    rule, rest = fields.rule_of(path, rules)
    place = f"{rule.wire}|{rest[0]}" if rest else rule.wire
    before = fields.get(raw, rule.wire)
    before = before[rest[0]] if rest else before
    edited = copy.deepcopy(raw)
    edit(edited, place, other(before))

    changes = differences(want, observed(want, edited))
    assert list(changes) == [path]
    assert changes[path].reason == "drift"
    assert changes[path].action is (Action.DELETE if rule.change is Change.REPLACE else Action.UPDATE)

    tags = KINDS[kind].owner_tags(ownership.from_tags(fields.read_tags(raw)))  # type: ignore[arg-type]
    mended = fields.patch(edited, list(changes.values()), rules, tags)
    assert differences(want, observed(want, mended)) == {}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].end is not End.STAY])
def test_a_patch_touches_nothing_else(kind: str) -> None:
    want = BY_KIND[kind]
    raw = body(want)
    raw["properties"]["madeByALaterVersion"] = {"deep": [1, {"a": None}]}
    raw["somethingOnTop"] = 7
    tags = raw["tags"] if "location" in raw else raw["properties"]["tags"]
    tags |= {"Cost.Centre": "42", "FineForge-Spec": "support"}
    frozen = copy.deepcopy(raw)
    owner = {"fineforge-spec": "support", "fineforge-digest": "0" * 64}
    change = FieldChange("tags.team", "helpdesk", "it", Action.UPDATE, ChangeReason.SPEC)
    patched = fields.patch(raw, [change], KINDS[kind].rules, owner)
    assert raw == frozen, "the body that was read must stay as it was"
    after = patched["tags"] if "location" in patched else patched["properties"]["tags"]
    assert after["Cost.Centre"] == "42" and after["team"] == "it"
    assert [value for name, value in after.items() if name.lower() == "fineforge-spec"] == ["support"]
    for place in (patched, frozen):
        (place if "location" in place else place["properties"]).pop("tags")
    assert patched == frozen


def test_zero_and_mirror_traffic_survive() -> None:
    want = BY_KIND["endpoint"]
    raw = body(want, {"properties.traffic": {"old": 0, "blue": 100}, "properties.mirrorTraffic": {"green": 10}})
    changes = [
        FieldChange("traffic.blue", 100, 90, Action.UPDATE, ChangeReason.SPEC),
        FieldChange("traffic.d-new", 0, 10, Action.UPDATE, ChangeReason.SPEC),
    ]
    patched = fields.patch(raw, changes, KINDS["endpoint"].rules, {})
    assert patched["properties"]["traffic"] == {"old": 0, "blue": 90, "d-new": 10}
    assert patched["properties"]["mirrorTraffic"] == {"green": 10}
    assert observed(want, patched).document["mirror_traffic"] == {"green": 10}


def test_a_patch_removes_one_entry() -> None:
    want = BY_KIND["deployment"]
    raw = body(want, {"properties.environmentVariables": {"LOG_LEVEL": "info", "OLD": "1", "THEIRS": "2"}})
    gone = FieldChange("environment_variables.OLD", "1", None, Action.UPDATE, ChangeReason.SPEC)
    patched = fields.patch(raw, [gone], KINDS["deployment"].rules, {})
    assert patched["properties"]["environmentVariables"] == {"LOG_LEVEL": "info", "THEIRS": "2"}


def test_a_patch_writes_where_the_service_wrote() -> None:
    """ARM property names have no case; a second spelling beside the first would be two values."""
    want = BY_KIND["compute"]
    raw = body(want)
    scale = raw["properties"]["properties"].pop("scaleSettings")
    raw["properties"]["properties"]["ScaleSettings"] = {name[0].upper() + name[1:]: value for name, value in scale.items()}
    assert differences(want, observed(want, raw)) == {}
    patched = fields.patch(
        raw, [FieldChange("max_instances", 1, 4, Action.UPDATE, ChangeReason.SPEC)], KINDS["compute"].rules, {}
    )
    places = patched["properties"]["properties"]
    assert [name for name in places if name.lower() == "scalesettings"] == ["ScaleSettings"]
    assert [value for name, value in places["ScaleSettings"].items() if name.lower() == "maxnodecount"] == [4]


def test_archiving_and_restoring_change_one_flag() -> None:
    for kind in ("data", "job", "model"):
        raw = body(BY_KIND[kind])
        archived = KINDS[kind].archive(raw, True)
        assert observed(BY_KIND[kind], archived).archived
        assert KINDS[kind].archive(archived, False) == raw


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_state_is_busy(kind: str) -> None:
    """A word that is new to us: only the service knows what it does, so nothing is done to it."""
    raw = body(BY_KIND[kind], {KINDS[kind].state: "Teleporting"})
    assert observed(BY_KIND[kind], raw).status is Status.BUSY


def test_an_object_without_tags_is_nobodys() -> None:
    raw = body(BY_KIND["compute"])
    raw["tags"] = None
    have = observed(BY_KIND["compute"], raw)
    assert have.owner is None and have.document["tags"] == {}


def test_a_fingerprint_is_over_what_was_decided_upon() -> None:
    want = BY_KIND["compute"]
    was = observed(want, body(want)).fingerprint
    same = {
        "properties.properties.currentNodeCount": 1,
        "systemData.lastModifiedAt": "2027",
        "properties.provisioningState": "Updating",
    }
    assert observed(want, body(want, same)).fingerprint == was
    for place, value in {"properties.properties.scaleSettings.maxNodeCount": 9, "tags|fineforge-project": "other"}.items():
        assert observed(want, body(want, {place: value})).fingerprint != was


def test_tags_fit_azure() -> None:
    for want in MADE.desired:
        raw = body(want)
        tags = fields.read_tags(raw)
        assert len(tags) <= 12
        assert all(len(value) <= 256 and not set(name) & set("<>%&\\?/") for name, value in tags.items()), tags
