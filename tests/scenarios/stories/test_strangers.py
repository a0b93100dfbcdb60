"""Objects of strangers: whatever their tags and bodies hold, our plans, drift and status are what they are without them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fineforge import engine
from fineforge.azure.paths import key_of
from fineforge.core.objects import Observed, Raw, ResourceKey
from fineforge.core.plan import Mode, Plan
from fineforge.documents.answers import Status
from fineforge.engine import orphans
from fineforge.resources.kinds import KINDS
from fineforge.resources.ownership import whose
from fineforge.views.status import status_data
from tests.scenarios.stories.telling import Telling
from tests.support import single

PROJECT = "support"
"""Also the name of the spec: there is no project file."""
NOW = datetime(2026, 11, 24, tzinfo=UTC)
PARENTS = {"data": "support-train", "model": "support", "deployment": "support"}
PLAIN: dict[str, dict[str, Any]] = {
    "compute": {
        "location": "eastus",
        "properties": {
            "computeType": "AmlCompute",
            "provisioningState": "Succeeded",
            "properties": {
                "vmPriority": "Dedicated",
                "osType": "Linux",
                "remoteLoginPortPublicAccess": "NotSpecified",
                "currentNodeCount": 0,
            },
        },
        "tags": {},
    },
    "data": {"properties": {"isAnonymous": False, "isArchived": False, "tags": {}, "properties": {}}},
    "job": {
        "properties": {
            "jobType": "Pipeline",
            "status": "Completed",
            "isArchived": False,
            "properties": {"azureml.parameters": "{}"},
            "tags": {},
        }
    },
    "model": {
        "properties": {
            "isAnonymous": False,
            "isArchived": False,
            "flavors": {},
            "provisioningState": "Succeeded",
            "tags": {},
            "modelUri": "azureml://long",
        }
    },
    "publication": {"properties": {"isAnonymous": False, "isArchived": False, "flavors": {}, "tags": {}}},
    "endpoint": {
        "location": "eastus",
        "kind": "Managed",
        "properties": {"provisioningState": "Succeeded", "publicNetworkAccess": "Enabled", "traffic": {}, "mirrorTraffic": {}},
        "tags": {},
    },
    "deployment": {
        "location": "eastus",
        "kind": "Managed",
        "sku": {"name": "Default", "tier": "Standard", "capacity": 1},
        "properties": {
            "provisioningState": "Succeeded",
            "endpointComputeType": "Managed",
            "appInsightsEnabled": False,
            "scaleSettings": {"scaleType": "Default"},
            "requestSettings": {"maxQueueWait": "PT0S", "requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1},
            "livenessProbe": {
                "failureThreshold": 30,
                "successThreshold": 1,
                "timeout": "PT2S",
                "period": "PT10S",
                "initialDelay": "PT10S",
            },
            "environmentVariables": {},
        },
        "tags": {},
    },
}
"""Bodies without anything that a spec sets; strangers put odd things into them."""
LISTED = sorted(kind for kind in PLAIN if kind != "publication")
ODD_TEXT = st.sampled_from(
    ["²", "٣", "9" * 5000, "-1", "1e999", "PT1.2.3S", "P1E400D", "PT" + "9" * 400 + "S", "\ud800", "\0", "a/b", "x\n", '"', ""]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | ODD_TEXT
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3))
OWNER_TAGS = [f"fineforge-{name}" for name in ("project", "spec", "attempt", "digest", "fields", "version", "used-by-other")]
TAGS = st.dictionaries(st.sampled_from(OWNER_TAGS) | st.text(max_size=10), VALUES, max_size=6)
OWNERS = st.sampled_from(
    [
        {},
        {"fineforge-project": "elsewhere"},
        {"fineforge-project": "elsewhere", "fineforge-spec": "support"},
        {"fineforge-project": PROJECT, "fineforge-spec": "²"},
        {"fineforge-project": PROJECT, "fineforge-spec": 'x"\nmodel: {}'},
    ]
)
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
MANY = settings(FEW, max_examples=200)


def places(kind: str) -> list[str]:
    """Return every place of a body that is read for this kind."""
    rules = KINDS[kind]
    wires = [rule.wire for rule in rules.rules if rule.wire]
    more = ["tags", "properties.tags", "properties", "properties.isArchived", "properties.provisioningErrors", "systemData"]
    return [*dict.fromkeys([*wires, *rules.extra.values(), rules.state, *more, "systemData.createdAt", "fineforge-error"])]


@st.composite
def bodies(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """A body of another user's object, with arbitrary values in the places that are read."""
    body: dict[str, Any] = copy.deepcopy(PLAIN[kind])
    body["name"] = draw(st.sampled_from(["theirs", "theirs-2"]))
    holder = body if "location" in body else body["properties"]
    owner = draw(OWNERS)
    holder["tags"] = {**draw(TAGS), **owner} if owner else draw(VALUES)
    for place in draw(st.lists(st.sampled_from(places(kind)), max_size=5)):
        put(body, place, draw(VALUES))
    return body


def put(body: dict[str, Any], place: str, value: Any) -> None:
    """Set the value at a dotted place, if the mappings that lead to it are there."""
    *parents, last = place.split(".")
    for part in parents:
        inner = body.get(part)
        if not isinstance(inner, dict):
            return
        body = inner
    body[last] = value


Place = tuple[str, str | None]
"""A kind, and the endpoint or the asset in which the objects are listed."""


class Crowded:
    """The gateway that it wraps, in whose answers strangers' objects appear too."""

    def __init__(self, gateway: Any, strangers: Mapping[Place, Sequence[Raw]], taken: Mapping[ResourceKey, Raw]) -> None:
        """`taken`: objects of strangers under names that our spec wants."""
        self._gateway, self._strangers, self._taken = gateway, strangers, taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    def get(self, key: ResourceKey) -> Raw | None:
        raw: Raw | None = self._taken.get(key) or self._gateway.get(key)
        return raw

    def wait(self, key: ResourceKey, *_: Any) -> Raw | None:
        return self.get(key)

    def list(self, kind: str, parent: str | None = None) -> Mapping[ResourceKey, Raw]:
        inside = parent if kind != "job" else None
        others = {key_of(kind, inside, raw): raw for raw in self._strangers.get((kind, inside), ())}
        if kind == "job" and parent is not None:
            others = {key: raw for key, raw in others.items() if whose(raw) == parent}
        return {**others, **self._gateway.list(kind, parent)}

    def names(self, kind: str) -> Sequence[str]:
        return [*self._gateway.names(kind), "theirs"]


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telling]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        told = Telling(tmp_path_factory.mktemp("applied"))
        told.apply()
        yield told


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Telling:
    return Telling(tmp_path_factory.mktemp("untouched"))


@pytest.mark.parametrize("kind", sorted(PLAIN))
@given(data=st.data())
@MANY
def test_any_body_can_be_read(kind: str, data: st.DataObject) -> None:
    body = data.draw(bodies(kind))
    key = key_of(kind, PARENTS.get(kind), body) if kind in LISTED else ResourceKey(kind, "theirs", "1", parent="shared")
    have = KINDS[kind].observe(key, body)
    assert isinstance(have, Observed) and isinstance(whose(body), str)
    assert all(isinstance(share, int) for share in (have.document.get("traffic") or {}).values())


def decided(plan: Plan) -> Any:
    return plan.steps, plan.drift, plan.diagnostics, plan.facts


VIEWS: dict[str, Callable[[Telling, Any], Any]] = {
    "plan and drift": lambda told, gateway: decided(single.plan(told.loaded(), gateway).plan),
    "status": lambda told, gateway: engine.status(told.loaded().at("dev"), gateway),
    "orphans": lambda told, gateway: orphans.find_orphans([PROJECT], PROJECT, gateway),
}


@pytest.mark.parametrize("world", ["applied", "untouched"])
@given(data=st.data())
@FEW
def test_strangers_change_nothing(world: str, data: st.DataObject, request: pytest.FixtureRequest) -> None:
    """Jobs, models, data, clusters, endpoints and deployments of others, all of them odd."""
    told: Telling = request.getfixturevalue(world)
    ours = next(step.key.name for step in told.plan().steps if step.key.kind == "endpoint")
    lists: list[Place] = [("compute", None), ("endpoint", None), ("job", None), ("data", "theirs"), ("model", "theirs")]
    lists += [("deployment", "theirs"), ("deployment", ours)]
    crowd = Crowded(
        told.gateway, {place: data.draw(st.lists(bodies(place[0]), max_size=2), label=str(place)) for place in lists}, {}
    )
    for name, view in VIEWS.items():
        assert view(told, crowd) == view(told, told.gateway), name


@given(data=st.data())
@FEW
def test_our_names_are_taken(applied: Telling, data: st.DataObject) -> None:
    """Every mode ends in a plan, and what belongs to a stranger is neither updated nor deleted."""
    wanted = [step.key for step in applied.plan().steps if step.key.kind in LISTED]
    keys = data.draw(st.lists(st.sampled_from(wanted), min_size=1, unique=True))
    taken = {key: data.draw(bodies(key.kind), label=str(key)) | {"name": key.version or key.name} for key in keys}
    versions: dict[Place, Sequence[Raw]] = {(key.kind, key.name): [data.draw(bodies(key.kind))] for key in wanted if key.version}
    crowd: Any = Crowded(applied.gateway, versions, taken)
    for mode in Mode:
        made = single.plan(applied.loaded(), crowd, mode).plan
        assert not {step.key for step in made.writes} & set(keys)
    states = engine.status(applied.loaded().at("dev"), crowd)
    assert status_data("support", "dev", states, NOW, Status)


def test_a_superscript_in_the_tag_of_a_job(applied: Telling) -> None:
    """`str.isdigit` calls it a digit, and `int` does not."""
    job: dict[str, Any] = copy.deepcopy(PLAIN["job"]) | {"name": "theirs"}
    job["properties"]["tags"] = {"fineforge-project": "elsewhere", "fineforge-spec": "support", "fineforge-attempt": "²"}
    crowd = Crowded(applied.gateway, {("job", None): [job]}, {})
    for name, view in VIEWS.items():
        assert view(applied, crowd) == view(applied, applied.gateway), name
