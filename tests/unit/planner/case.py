"""A planner's case, read from its folder: a spec, facts, a world, and the plan that is expected of them.

    spec.yaml      over cases/spec.yaml; `null` takes a key away
    facts.yaml     metrics, twin, today, finetune_retirement
    world.yaml     what exists. Objects are named after what the spec wants: `job`, `data/train`; `before job` is the job of the
                   spec as it was with `was:` over it. Bodies are the service's, read through the kinds' own rules.
    expected.yaml  the plan, digests replaced by words; written by UPDATE_CASES=1

World keys: now, before (`all`, or a list of names), strangers (deployments of nobody), edit, status, message, archived, owner
(`nobody`, `sibling`, `stranger`), used_by, traffic, in_place (the deployment bears the name that it had before), unread, mode,
attempt.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from fineforge.core.diagnostics import Diagnostic
from fineforge.core.facts import Facts, World
from fineforge.core.objects import Observed, ResourceKey
from fineforge.core.plan import MetricCheck, Mode, Plan, SmokeCheck
from fineforge.documents.summary import CHANGE_WORDS
from fineforge.documents.wording import reason_text
from fineforge.planner import Options, plan
from fineforge.resources.kinds import KINDS
from tests.support import offline
from tests.support.azure_bodies import answers, edit

CASES = Path(__file__).parent / "cases"
PROJECT = "shop"
ALL = "all"
KNOWN = {
    "now", "before", "was", "strangers", "edit", "status", "message", "archived", "owner", "used_by", "traffic", "in_place",
    "unread", "mode", "attempt",
}  # fmt: skip


def merge(base: Any, over: Any) -> Any:
    """Mappings are merged key by key; `null` takes a key away."""
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    merged = {**base, **{key: merge(base.get(key), value) for key, value in over.items()}}
    return {key: value for key, value in merged.items() if value is not None}


@dataclass
class Case:
    folder: Path
    said: dict[str, Any] = field(default_factory=dict)

    def read(self, name: str) -> Any:
        file = self.folder / name
        return (yaml.safe_load(file.read_text(encoding="utf-8")) or {}) if file.exists() else {}

    @cached_property
    def story(self) -> Mapping[str, Any]:
        return self.read("world.yaml")

    @cached_property
    def spec_data(self) -> Any:
        return merge(yaml.safe_load((CASES / "spec.yaml").read_text(encoding="utf-8")), self.read("spec.yaml"))

    @cached_property
    def now(self) -> offline.Made:
        return offline.make(yaml.safe_dump(self.spec_data), attempt=self.story.get("attempt", 1), project_name=PROJECT)

    @cached_property
    def before(self) -> offline.Made:
        return offline.make(yaml.safe_dump(merge(self.spec_data, self.story.get("was", {}))), project_name=PROJECT)

    @cached_property
    def facts(self) -> Facts:
        told, facts = self.read("facts.yaml"), self.now.facts
        assert set(told) <= {"metrics", "twin", "today", "finetune_retirement"}, told
        if facts.model is not None:
            changed = {name: told[name] for name in ("twin", "finetune_retirement") if name in told}
            facts = replace(facts, model=replace(facts.model, **changed))
        return replace(facts, metrics=told.get("metrics"), today=told.get("today", facts.today))

    def name(self, want: Any) -> str:
        """What a case calls a desired object: its kind, a split's data with the split."""
        kind = want.key.kind
        return f"data/{want.key.name.rsplit('-', 1)[1]}" if kind == "data" else kind

    @cached_property
    def objects(self) -> dict[str, tuple[ResourceKey, dict[str, Any]]]:
        """By name: the bodies that exist."""
        found = {}
        for label, made in (("", self.now), ("before ", self.before)):
            chosen = self.story.get(label.strip() or "now", [])
            bodies = answers(made.desired) if chosen else {}
            for want in made.desired:
                if chosen == ALL or self.name(want) in chosen:
                    found[label + self.name(want)] = (want.key, bodies[want.key])
        stranger = next((want for want in self.now.desired if want.key.kind == "deployment"), None)
        for name in self.story.get("strangers", ()):
            assert stranger is not None
            raw = {**answers(self.now.desired)[stranger.key], "tags": {}}
            found[name] = (replace(stranger.key, name=name), raw)
        if self.story.get("in_place"):
            found["deployment"] = (self.before["deployment"].key, found["deployment"][1])
        return found

    def world(self) -> World:
        assert set(self.story) <= KNOWN, sorted(self.story)
        objects = copy.deepcopy(self.objects)
        for name, edits in self.story.get("edit", {}).items():
            for place, value in edits.items():
                edit(objects[name][1], place, value)
        for name, word in self.story.get("status", {}).items():
            key, raw = objects[name]
            edit(raw, KINDS[key.kind].state, word)
        for name, words in self.story.get("message", {}).items():
            objects[name][1]["fineforge-error"] = {"code": "UserError", "message": words}
        archived = self.story.get("archived", ())
        for name, (key, raw) in objects.items():
            if name in archived or (archived == ALL and key.kind in ("data", "job", "model")):
                raw["properties"]["isArchived"] = True
        for name, owner in self.story.get("owner", {}).items():
            _own(objects[name][1], owner)
        for name, specs in self.story.get("used_by", {}).items():
            objects[name][1]["tags"] |= {f"fineforge-used-by-{spec}": "true" for spec in specs}
        if "traffic" in self.story:
            endpoint = objects.get("endpoint") or objects["before endpoint"]
            endpoint[1]["properties"]["traffic"] = self._traffic()
        return self._world(objects)

    def _traffic(self) -> dict[str, int]:
        names = {"now": self.now["deployment"].key.name} | (
            {"before": self.before["deployment"].key.name} if "was" in self.story else {}
        )
        return {names.get(name, name): percent for name, percent in self.story["traffic"].items()}

    def _world(self, objects: Mapping[str, tuple[ResourceKey, dict[str, Any]]]) -> World:
        observed: dict[ResourceKey, Observed | None] = {want.key: None for want in self.now.desired}
        for key, raw in objects.values():
            observed[key] = KINDS[key.kind].observe(key, raw)
        unread, listed = {}, set(KINDS)
        for name in self.story.get("unread", ()):
            if name == "the list of deployments":
                key = ResourceKey("deployment", self.now["endpoint"].key.name)
                listed.discard("deployment")
            else:
                key = next(want.key for want in self.now.desired if self.name(want) == name)
                del observed[key]
            unread[key] = Diagnostic("FF405", f"`{key}` cannot be read")
        return World(observed, frozenset(listed), unread)

    def plan(self, world: World | None = None) -> Plan:
        mode = Mode(self.story.get("mode", "apply"))
        return plan(
            self.now.spec, self.now.desired, self.facts, world or self.world(), mode, Options(project=PROJECT, target="dev")
        )

    def words(self) -> list[tuple[str, str]]:
        """Digests, and the words that stand for them in expected.yaml: what is now, and what was before."""
        found = []
        for label, made in (("NOW", self.now), ("BEFORE", self.before)):
            for want in made.desired:
                match want.key.kind:
                    case "data" | "model":
                        found.append((want.key.version or "", label))
                    case "job":
                        found.append((want.key.name.removeprefix("support-").split("-r")[0], label))
                    case "deployment":
                        found.append((want.key.name, f"d-{label}"))
                    case _:
                        pass
        return found


def _own(raw: dict[str, Any], owner: str) -> None:
    """Gives a body to somebody else."""
    tags = raw["tags"] if "location" in raw else raw["properties"]["tags"]
    spec = tags.get("fineforge-spec", "")
    match owner:
        case "nobody":
            for key in [key for key in tags if key.startswith("fineforge-")]:
                del tags[key]
        case "sibling" | "stranger":
            tags.pop(f"fineforge-used-by-{spec}", None)
            tags |= {"fineforge-spec": "other"} | ({"fineforge-project": "elsewhere"} if owner == "stranger" else {})
        case _:
            raise AssertionError(owner)


def shown(case: Case, made: Plan, world: World) -> dict[str, Any]:
    """The plan as expected.yaml says it."""
    told: dict[str, Any] = {"steps": [_step(step, world) for step in made.steps]}
    if made.drift:
        told["drift"] = [step.id for step in made.drift]
    if made.diagnostics:
        told["diagnostics"] = [_diagnostic(entry) for entry in made.diagnostics]
    text = yaml.safe_dump(told, sort_keys=False, width=120, allow_unicode=True)
    for digest, word in case.words():
        text = text.replace(digest, word)
    data: dict[str, Any] = yaml.safe_load(text)
    return data


def _step(step: Any, world: World) -> dict[str, Any]:
    have = world.observed.get(step.key)
    expects = {"": "", "absent": "absent", have.fingerprint if have else "?": "as it was read"}.get(
        step.expected, "as we leave it"
    )
    told = {
        "step": step.id,
        "why": reason_text(step),
        "changes": [f"{c.path}: {c.before} -> {c.after} ({CHANGE_WORDS[c.reason]})" for c in step.changes],
        "after": sorted(step.depends_on),
        "if": step.only_if,
        "else": reason_text(step.fallback) if step.fallback else "",
        "expects": expects,
        "gate": _gate(step.gate),
        "uploads": [upload.split for upload in step.uploads],
    }
    return {key: value for key, value in told.items() if value}


def _gate(gate: MetricCheck | SmokeCheck | None) -> Any:
    return {} if gate is None else TypeAdapter(type(gate)).dump_python(gate, exclude_defaults=True, mode="json")


def _diagnostic(entry: Diagnostic) -> str:
    place = ".".join(str(part) for part in entry.path)
    return f"{entry.code} {entry.severity} at {place or '-'}: {entry.message}"


def folders() -> Iterable[Path]:
    return sorted(path for path in CASES.iterdir() if path.is_dir())


def crossing(made: Plan) -> list[tuple[str, str]]:
    """Writes to an endpoint and to a deployment of it of which neither waits for the other: the service refuses one of them."""
    needs = {step.id: {*step.depends_on, step.only_if} - {""} for step in made.steps}

    def before(name: str) -> set[str]:
        return needs[name].union(*(before(other) for other in needs[name]))

    inside = [step for step in made.writes if step.key.kind == "deployment"]
    pairs = [(step.id, other.id) for step in inside for other in made.writes if str(other.key) == f"endpoint/{step.key.parent}"]
    return [(one, two) for one, two in pairs if one not in before(two) and two not in before(one)]
